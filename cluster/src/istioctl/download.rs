//! Downloads an istioctl into the cache. Nothing is unpacked before its SHA-256 is right; a broken transfer is resumed;
//! two processes at once take turns.

mod expected;
mod job;
mod transfer;

use std::path::Path;

use tokio::sync::mpsc::unbounded_channel;

use self::job::Job;
use super::sum::Kept;
use super::{Address, Istioctl, IstioctlError, Origin, check};
use crate::progress::{Event, Progress};

/// One archive of istioctl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// `1.30.2`.
    pub version: String,
    /// A `.tar.gz` with the file `istioctl` in it, or a `.zip` with `istioctl.exe`.
    pub address: Address,
    /// Its SHA-256, 64 lower-case hex digits. Without it the sum counts that is published beside the archive.
    pub sha256: Option<String>,
}

/// An istioctl from the cache folder; downloaded first if it isn't there. Nothing has been written to a cluster yet, so a signal may
/// end the process at any time: what came is continued by the next call.
///
/// # Errors
/// Nothing comes, something else comes, or the cache can't be written. What comes and isn't right is removed.
pub async fn download(
    release: &Release,
    cache: &Path,
    progress: &dyn Progress,
) -> Result<Istioctl, IstioctlError> {
    let done = fetch(release, cache, progress).await?;
    let istioctl = check(&done.program, &release.version, Origin::Cache).await?;
    if let Some(sum) = done.to_be_kept {
        Kept::new(cache, release.address.name()).write(&sum)?;
    }
    Ok(istioctl)
}

/// A program in its place.
struct Done {
    program: std::path::PathBuf,
    /// The published sum that it was checked against, where it was the first time.
    to_be_kept: Option<String>,
}

struct Received {
    bytes: u64,
    of: Option<u64>,
}

/// The blocking work on a thread of its own; what it reports is passed on here.
async fn fetch(
    release: &Release,
    cache: &Path,
    progress: &dyn Progress,
) -> Result<Done, IstioctlError> {
    let (report, mut reports) = unbounded_channel();
    let job = Job {
        release: release.clone(),
        cache: cache.to_owned(),
        report,
    };
    let mut job = tokio::task::spawn_blocking(move || job.run());
    let what = format!("istioctl {}", release.version);
    let pass_on = |Received { bytes, of }| {
        let what = &what;
        progress.event(Event::Downloading { what, bytes, of });
    };
    let result = loop {
        tokio::select! {
            biased;
            Some(received) = reports.recv() => pass_on(received),
            result = &mut job => break result,
        }
    };
    while let Ok(received) = reports.try_recv() {
        pass_on(received);
    }
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
