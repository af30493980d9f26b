//! From a verified archive to a program in its place. Not here: where the archive comes from.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use flate2::read::{DeflateDecoder, GzDecoder};
use rawzip::{CompressionMethod, ZipArchive};
use tempfile::NamedTempFile;

use super::{Address, IstioctlError};

/// A third of a gigabyte: istioctl 1.30 has 95 MB.
const LARGEST: u64 = 350 << 20;

/// Unpacks the program to `target`, where it appears whole and by one rename. The target's name is the member's name, and
/// nothing else in the archive is looked at.
pub(super) fn unpack(archive: &File, from: &Address, target: &Path) -> Result<(), IstioctlError> {
    let unpacking = Unpacking { from, target };
    let mut program = target
        .parent()
        .map_or_else(NamedTempFile::new, NamedTempFile::new_in)
        .map_err(unpacking.cache("write"))?;
    match from.name().ends_with(".zip") {
        true => unpacking.zip(archive, &mut program)?,
        false => unpacking.tar(archive, &mut program)?,
    }
    make_executable(program.as_file()).map_err(unpacking.cache("write"))?;
    program
        .as_file()
        .sync_all()
        .map_err(unpacking.cache("write"))?;
    program
        .persist(target)
        .map_err(|error| unpacking.cache("write")(error.error))?;
    Ok(())
}

struct Unpacking<'a> {
    from: &'a Address,
    target: &'a Path,
}

impl Unpacking<'_> {
    fn tar(&self, mut archive: &File, program: &mut impl Write) -> Result<(), IstioctlError> {
        let broken = |error: io::Error| self.wrong(format!("is no tar.gz: {error}"));
        archive
            .rewind()
            .map_err(self.cache("read the archive of"))?;
        let mut tar = tar::Archive::new(GzDecoder::new(archive));
        for entry in tar.entries().map_err(broken)? {
            let entry = entry.map_err(broken)?;
            let is_program = entry
                .path()
                .is_ok_and(|path| path.file_name() == self.target.file_name());
            if is_program && entry.header().entry_type().is_file() {
                let size = entry.size();
                return self.copy(entry, size, "tar.gz", program);
            }
        }
        Err(self.no_program())
    }

    fn zip(&self, archive: &File, program: &mut impl Write) -> Result<(), IstioctlError> {
        let broken = |error: rawzip::Error| self.wrong(format!("is no zip: {error}"));
        let copy = archive
            .try_clone()
            .map_err(self.cache("read the archive of"))?;
        let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
        let zip = ZipArchive::from_file(copy, &mut buffer).map_err(broken)?;
        let mut entries = zip.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(broken)? {
            let name = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
            if entry.is_dir() || Path::new(&name).file_name() != self.target.file_name() {
                continue;
            }
            let (method, size) = (entry.compression_method(), entry.uncompressed_size_hint());
            let member = zip.get_entry(entry.wayfinder()).map_err(broken)?;
            let plain: Box<dyn Read> = match method {
                CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(member.reader())),
                CompressionMethod::STORE => Box::new(member.reader()),
                other => {
                    return Err(self.wrong(format!("is compressed by {other}, expected Deflate")));
                }
            };
            return self.copy(member.verifying_reader(plain), size, "zip", program);
        }
        Err(self.no_program())
    }

    /// As many bytes as were announced: readers of both forms end with an error where there are fewer.
    fn copy(
        &self,
        mut member: impl Read,
        size: u64,
        form: &str,
        program: &mut impl Write,
    ) -> Result<(), IstioctlError> {
        if size > LARGEST {
            return Err(self.wrong(format!(
                "unpacks to {size} bytes, expected at most {LARGEST}"
            )));
        }
        let mut buffer = vec![0; 64 * 1024];
        let mut copied = 0;
        loop {
            let read = member
                .read(&mut buffer)
                .map_err(|error| self.wrong(format!("is no {form}: {error}")))?;
            copied += read as u64;
            match read {
                0 if copied == size => return Ok(()),
                0 => return Err(self.wrong(format!("ends after {copied} of {size} bytes"))),
                _ if copied > size => return Err(self.wrong(format!("has more than {size} bytes"))),
                _ => program
                    .write_all(buffer.get(..read).unwrap_or_default())
                    .map_err(self.cache("unpack"))?,
            }
        }
    }

    fn no_program(&self) -> IstioctlError {
        let name = self
            .target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        self.wrong(format!("has no file `{name}` in it"))
    }

    fn wrong(&self, what: String) -> IstioctlError {
        let url = self.from.to_string();
        IstioctlError::Archive { url, what }
    }

    fn cache(&self, what: &'static str) -> impl Fn(io::Error) -> IstioctlError + Copy {
        let path = self.target;
        move |source| IstioctlError::Cache {
            what,
            path: path.to_owned(),
            source,
        }
    }
}

/// Nobody writes to it any more: another archive of the same version gets another place.
#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o555))
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}
