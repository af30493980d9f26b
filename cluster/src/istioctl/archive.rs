//! From a verified archive to a program in its place. Not here: where the archive comes from.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use flate2::read::GzDecoder;
use tempfile::NamedTempFile;

use super::{IstioctlError, PROGRAM};

/// More than any istioctl, less than a disk.
const LARGEST: u64 = 1 << 30;

/// Unpacks `istioctl` to `target`, where it appears whole and by one rename.
pub(super) fn unpack(mut archive: &File, url: &str, target: &Path) -> Result<(), IstioctlError> {
    let wrong = |what: String| IstioctlError::Archive {
        url: url.to_owned(),
        what,
    };
    let cache = |what: &'static str| {
        move |source: io::Error| IstioctlError::Cache {
            what,
            path: target.to_owned(),
            source,
        }
    };
    archive.rewind().map_err(cache("read the archive of"))?;
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    let entries = tar
        .entries()
        .map_err(|error| wrong(format!("is no tar.gz: {error}")))?;
    for entry in entries {
        let entry = entry.map_err(|error| wrong(format!("is no tar.gz: {error}")))?;
        let is_program = entry
            .path()
            .is_ok_and(|path| path.file_name().is_some_and(|name| name == PROGRAM));
        if !is_program || !entry.header().entry_type().is_file() {
            continue;
        }
        let folder = target.parent().unwrap_or(Path::new("."));
        let mut program = NamedTempFile::new_in(folder).map_err(cache("write"))?;
        io::copy(&mut entry.take(LARGEST), &mut program).map_err(cache("unpack"))?;
        make_executable(program.as_file()).map_err(cache("write"))?;
        program.as_file().sync_all().map_err(cache("write"))?;
        program
            .persist(target)
            .map_err(|error| cache("write")(error.error))?;
        return Ok(());
    }
    Err(wrong(format!("has no file `{PROGRAM}` in it")))
}

#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}
