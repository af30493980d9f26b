//! The steps of one download: which sum, whose turn, transfer, verification, unpacking.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc::UnboundedSender;

use super::{Done, Received, Release};
use crate::istioctl::http::{Attempt, Client};
use crate::istioctl::{IstioctlError, archive, release};

/// Tries in a row that bring nothing.
const TRIES: u32 = 5;
/// Before the second try; doubled before each further one.
const BACK_OFF: Duration = Duration::from_millis(250);
/// Between two looks at a lock.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct Job {
    pub release: Release,
    pub cache: PathBuf,
    pub report: UnboundedSender<Received>,
}

impl Job {
    pub fn run(&self) -> Result<Done, IstioctlError> {
        let client = Client::new();
        let known = self.known()?;
        if let Some(program) = known
            .as_ref()
            .map(|sum| self.target(sum))
            .filter(|target| target.is_file())
        {
            let to_be_kept = None;
            return Ok(Done {
                program,
                to_be_kept,
            });
        }
        let expected = self.expected(&client, known)?;
        let target = self.target(&expected.sum);
        self.fetch(&client, &expected.sum, &target)?;
        Ok(Done {
            program: target,
            to_be_kept: expected.is_new.then_some(expected.sum),
        })
    }

    /// The name holds version, platform and sum: another archive is another file.
    fn target(&self, sum: &str) -> PathBuf {
        let name = self.release.address.name();
        let (stem, program) = match name.strip_suffix(".zip") {
            Some(stem) => (stem, "istioctl.exe"),
            None => (name.strip_suffix(".tar.gz").unwrap_or(name), "istioctl"),
        };
        let stem = stem
            .strip_prefix("istioctl-")
            .unwrap_or(release(&self.release.version));
        let folder = self.cache.join("istioctl").join(format!("{stem}-{sum}"));
        folder.join(program)
    }

    fn fetch(&self, client: &Client, sum: &str, target: &Path) -> Result<(), IstioctlError> {
        let folder = target.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|source| cache("create", folder, source))?;
        // Held until the end of this function, and not longer than the process lives.
        let _turn = self.turn(&folder.join("lock"))?;
        if target.is_file() {
            return Ok(());
        }
        let partial = Partial::open(folder)?;
        self.transfer(client, &partial)?;
        let unpacked = self
            .verify(&partial, sum)
            .and_then(|()| archive::unpack(&partial.file, &self.release.address, target));
        partial.remove()?;
        unpacked
    }

    /// One process at a time; the next one finds the work done.
    fn turn(&self, path: &Path) -> Result<File, IstioctlError> {
        let file = open(path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
                Err(TryLockError::Error(source)) => return Err(cache("lock", path, source)),
            }
        }
    }

    fn verify(&self, partial: &Partial, expected: &str) -> Result<(), IstioctlError> {
        let mut file = &partial.file;
        let failed = |source| cache("read", &partial.path, source);
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        file.rewind().map_err(failed)?;
        loop {
            let read = file.read(&mut buffer).map_err(failed)?;
            if read == 0 {
                break;
            }
            digest.update(buffer.get(..read).unwrap_or_default());
        }
        let digest = digest.finalize();
        let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if found == expected {
            return Ok(());
        }
        Err(IstioctlError::Checksum {
            url: self.release.address.to_string(),
            found,
            expected: expected.to_owned(),
        })
    }

    /// Tries until it succeeds, with growing pauses; those that bring something begin the count again.
    pub fn retry<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, Attempt>,
        mut brought: impl FnMut() -> Result<bool, IstioctlError>,
    ) -> Result<T, IstioctlError> {
        let mut fruitless = 0;
        loop {
            let error = match attempt() {
                Ok(result) => return Ok(result),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Passing(error)) => error,
            };
            fruitless = match brought()? {
                true => 0,
                false => fruitless + 1,
            };
            if fruitless >= TRIES {
                return Err(error);
            }
            std::thread::sleep(BACK_OFF * 2_u32.pow(fruitless.saturating_sub(1)));
        }
    }
}

/// What came of an archive so far, and which version of the file it is a part of.
pub(super) struct Partial {
    pub file: File,
    pub path: PathBuf,
    /// The entity tag that the server gave; without one nothing is resumed.
    tag: PathBuf,
}

impl Partial {
    fn open(folder: &Path) -> Result<Self, IstioctlError> {
        let path = folder.join("archive.partial");
        Ok(Self {
            file: open(&path)?,
            path,
            tag: folder.join("archive.tag"),
        })
    }

    pub fn size(&self) -> Result<u64, IstioctlError> {
        let size = self.file.metadata().map(|meta| meta.len());
        size.map_err(|source| cache("read", &self.path, source))
    }

    pub fn tag(&self) -> Option<String> {
        std::fs::read_to_string(&self.tag).ok()
    }

    /// Begins a new file; the old bytes go before the new tag comes.
    pub fn begin(&self, tag: Option<&str>) -> Result<(), IstioctlError> {
        let emptied = self.file.set_len(0);
        emptied.map_err(|source| cache("write", &self.path, source))?;
        match tag {
            Some(tag) => std::fs::write(&self.tag, tag),
            None => remove(&self.tag),
        }
        .map_err(|source| cache("write", &self.tag, source))
    }

    fn remove(self) -> Result<(), IstioctlError> {
        for path in [&self.path, &self.tag] {
            remove(path).map_err(|source| cache("remove", path, source))?;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn open(path: &Path) -> Result<File, IstioctlError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
        .open(path)
        .map_err(|source| cache("write", path, source))
}

pub(super) fn cache(what: &'static str, path: &Path, source: io::Error) -> IstioctlError {
    let path = path.to_owned();
    IstioctlError::Cache { what, path, source }
}
