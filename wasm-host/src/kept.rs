//! Compiled modules that are kept from one process to the next.

use std::path::Path;

use wasmtime::Cache;

/// A folder of compiled modules. What is in it is machine code and is run as it is found, so nobody else may write there.
///
/// wasmtime finds a module again by its bytes, its own version, the processor's features and the compiler's settings. It keeps the
/// folder below 64 MiB, and removes from it whatever it does not know (<https://docs.wasmtime.dev/cli-cache.html>).
#[derive(Clone, Debug)]
pub struct Kept(Cache);

impl Kept {
    /// The folder is made if need be. None where it can't be made or has no absolute path, where somebody else than this process's
    /// user and root could change it or a folder above it, and on systems that don't tell: a module is then compiled each time.
    #[cfg(unix)]
    pub fn in_folder(folder: &Path) -> Option<Self> {
        unix::private(folder)?;
        unix::remove_leftovers(folder);
        let mut config = wasmtime::CacheConfig::new();
        config
            .with_directory(folder)
            // As good as when it was written: a better one would be made beside commands that take a moment.
            .with_baseline_compression_level(LEVEL)
            .with_optimized_compression_level(LEVEL)
            .with_files_total_size_soft_limit(64 << 20);
        Cache::new(config).ok().map(Self)
    }

    /// None.
    #[cfg(not(unix))]
    pub fn in_folder(_: &Path) -> Option<Self> {
        None
    }

    /// How many modules were found there by this process.
    pub fn hits(&self) -> usize {
        self.0.cache_hits()
    }

    pub(crate) fn cache(&self) -> Cache {
        self.0.clone()
    }
}

/// Of zstd.
#[cfg(unix)]
const LEVEL: i32 = 3;

#[cfg(unix)]
mod unix {
    use std::fs::{self, DirBuilder, Metadata};
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    use std::path::Path;
    use std::time::Duration;

    /// Makes the folder, or finds it made, so that nobody else can look or write into it.
    pub fn private(folder: &Path) -> Option<()> {
        if !folder.is_absolute() {
            return None;
        }
        // Nothing is made in a folder of somebody else.
        let there = folder.ancestors().find(|above| above.exists())?;
        are_trusted(there).then_some(())?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .ok()?;
        let found = fs::symlink_metadata(folder).ok()?;
        let closed = found.is_dir() && found.uid() == user() && found.mode() & 0o077 == 0;
        (closed && are_trusted(folder)).then_some(())
    }

    /// Whether only this user and root can change a folder and those above it.
    fn are_trusted(folder: &Path) -> bool {
        let Ok(folder) = folder.canonicalize() else {
            return false;
        };
        folder
            .ancestors()
            .all(|above| fs::metadata(above).is_ok_and(|found| is_trusted(&found)))
    }

    fn is_trusted(found: &Metadata) -> bool {
        const OTHERS_WRITE: u32 = 0o022;
        // As `/tmp`: everybody may add to it, nobody may change what another has there.
        const STICKY: u32 = 0o1000;
        let closed = found.mode() & OTHERS_WRITE == 0 || found.mode() & STICKY != 0;
        closed && [0, user()].contains(&found.uid())
    }

    fn user() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    /// Removes what processes left that ended while they wrote: wasmtime would not write the same module again.
    pub fn remove_leftovers(folder: &Path) {
        const LONG_AGO: Duration = Duration::from_secs(600);
        let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let versions = entries(&folder.join("modules"));
        for file in versions.flat_map(|version| entries(&version.path())) {
            let name = file.file_name();
            let is_old = || {
                let written = file.metadata().and_then(|found| found.modified());
                written.is_ok_and(|written| written.elapsed().is_ok_and(|passed| passed > LONG_AGO))
            };
            if name.to_string_lossy().contains(".wip-atomic-write-") && is_old() {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}
