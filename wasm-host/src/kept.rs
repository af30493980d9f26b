//! Compiled modules that are kept from one process to the next.

use std::path::Path;

use wasmtime::{Cache, CacheConfig};

/// A folder of compiled modules. What is in it is machine code and is run as it is found, so nobody else may write there.
///
/// wasmtime finds a module again by its bytes, its own version, the processor's features and the compiler's settings, and ends what
/// has not been used for long (<https://docs.wasmtime.dev/cli-cache.html>).
#[derive(Clone, Debug)]
pub struct Kept(Cache);

impl Kept {
    /// The folder is made if need be. None where it can't be made, or where somebody else than this process's user could write into
    /// it: a module is then compiled each time.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        make(folder).ok()?;
        is_ours_alone(folder).then_some(())?;
        let mut config = CacheConfig::new();
        config.with_directory(folder);
        Cache::new(config).ok().map(Self)
    }

    pub(crate) fn cache(&self) -> Cache {
        self.0.clone()
    }
}

#[cfg(unix)]
fn make(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(unix)]
fn is_ours_alone(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    const OTHERS_WRITE: u32 = 0o022;
    std::fs::metadata(folder).is_ok_and(|found| {
        found.uid() == rustix::process::geteuid().as_raw() && found.mode() & OTHERS_WRITE == 0
    })
}

// A user's folders are closed to other users by what they inherit.
#[cfg(not(unix))]
fn make(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

#[cfg(not(unix))]
fn is_ours_alone(_: &Path) -> bool {
    true
}
