//! Downloads an istioctl into the cache. Nothing is unpacked before its SHA-256 is right; a broken transfer is resumed;
//! two processes at once take turns.

mod transfer;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Istioctl, IstioctlError, Origin, PROGRAM, archive, check, release};
use crate::interrupt::Interrupt;
use crate::progress::{Event, Progress};

/// Between two tries, and two looks at a lock.
const PAUSE: Duration = Duration::from_millis(300);

/// One archive of istioctl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// `1.30.2`.
    pub version: String,
    /// A `.tar.gz` with the program in it.
    pub url: String,
    /// Its SHA-256, 64 lower-case hex digits.
    pub sha256: String,
}

/// An istioctl from the cache folder; downloaded first if it isn't there.
///
/// # Errors
/// Nothing comes, something else comes, or the cache can't be written. What comes and isn't right is removed.
pub async fn download(
    release: &Release,
    cache: &Path,
    interrupt: &Interrupt,
    progress: &dyn Progress,
) -> Result<Istioctl, IstioctlError> {
    let target = target(release, cache);
    if !target.is_file() {
        fetch(release, target.clone(), interrupt, progress).await?;
    }
    check(&target, &release.version, Origin::Cache).await
}

/// The name holds the checksum: another archive of the same version is another file.
fn target(wanted: &Release, cache: &Path) -> PathBuf {
    let short = wanted.sha256.get(..12).unwrap_or(&wanted.sha256);
    cache
        .join("istioctl")
        .join(format!("{}-{short}", release(&wanted.version)))
        .join(PROGRAM)
}

/// The blocking work on a thread of its own; what it tells is passed on here.
async fn fetch(
    release: &Release,
    target: PathBuf,
    interrupt: &Interrupt,
    progress: &dyn Progress,
) -> Result<(), IstioctlError> {
    let (tell, mut told): (UnboundedSender<Received>, UnboundedReceiver<Received>) =
        unbounded_channel();
    let stop = Arc::new(AtomicBool::new(false));
    let mut job = {
        let (release, stop) = (release.clone(), stop.clone());
        tokio::task::spawn_blocking(move || {
            Job {
                release,
                target,
                stop,
                tell,
            }
            .run()
        })
    };
    let what = format!("istioctl {}", release.version);
    let result = loop {
        tokio::select! {
            result = &mut job => break result,
            Some(Received { bytes, of }) = told.recv() => progress.event(Event::Downloading { what: &what, bytes, of }),
            () = interrupt.sleep(PAUSE) => if interrupt.check().is_err() { stop.store(true, Ordering::Relaxed); },
        }
    };
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

struct Received {
    bytes: u64,
    of: Option<u64>,
}

struct Job {
    release: Release,
    target: PathBuf,
    stop: Arc<AtomicBool>,
    tell: UnboundedSender<Received>,
}

impl Job {
    fn run(&self) -> Result<(), IstioctlError> {
        let folder = self.target.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|source| self.cache("create", source))?;
        // Held until the end of this function, and by the system's care not longer than the process lives.
        let _turn = self.turn(&folder.join("lock"))?;
        if self.target.is_file() {
            return Ok(());
        }
        let path = folder.join("archive.partial");
        let partial = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let partial = partial.map_err(|source| self.cache("write", source))?;
        let checked = self.transfer(&partial).and_then(|()| self.verify(&partial));
        match checked {
            Ok(()) => {
                archive::unpack(&partial, &self.release.url, &self.target)?;
                std::fs::remove_file(&path)
                    .map_err(|source| self.cache("remove the archive of", source))
            }
            Err(error) => {
                if let IstioctlError::Checksum { .. } = error {
                    std::fs::remove_file(&path)
                        .map_err(|source| self.cache("remove the archive of", source))?;
                }
                Err(error)
            }
        }
    }

    /// One process at a time; the next one finds the work done.
    fn turn(&self, path: &Path) -> Result<File, IstioctlError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let file = file.map_err(|source| self.cache("write", source))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => self.pause()?,
                Err(TryLockError::Error(source)) => return Err(self.cache("lock", source)),
            }
        }
    }

    fn verify(&self, mut partial: &File) -> Result<(), IstioctlError> {
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        partial
            .rewind()
            .map_err(|source| self.cache("read", source))?;
        loop {
            let read = partial
                .read(&mut buffer)
                .map_err(|source| self.cache("read", source))?;
            if read == 0 {
                break;
            }
            digest.update(buffer.get(..read).unwrap_or_default());
        }
        let found: String = digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if found == self.release.sha256 {
            return Ok(());
        }
        let (url, expected) = (self.release.url.clone(), self.release.sha256.clone());
        Err(IstioctlError::Checksum {
            url,
            found,
            expected,
        })
    }

    fn pause(&self) -> Result<(), IstioctlError> {
        std::thread::sleep(PAUSE);
        match self.stop.load(Ordering::Relaxed) {
            true => Err(IstioctlError::Interrupted),
            false => Ok(()),
        }
    }

    fn size(&self, partial: &File) -> Result<u64, IstioctlError> {
        partial
            .metadata()
            .map(|meta| meta.len())
            .map_err(|source| self.cache("read", source))
    }

    fn cache(&self, what: &'static str, source: io::Error) -> IstioctlError {
        IstioctlError::Cache {
            what,
            path: self.target.clone(),
            source,
        }
    }
}
