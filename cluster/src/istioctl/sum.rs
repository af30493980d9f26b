//! The SHA-256 of an archive as Istio publishes it, and the one that was kept from an earlier download.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::IstioctlError;

/// Reads the file that stands beside an archive: `<64 hex digits> <file name>`, one space as Istio's release builder writes it
/// (`pkg/util/files.go`, `CreateSha`), or `sha256sum`'s two characters. Another file's line is no sum of this one.
pub(super) fn read(text: &str, name: &str) -> Result<String, String> {
    let expected = || format!("expected `<64 hex digits> {name}`");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let [line] = lines[..] else {
        return Err(format!("found {} lines, {}", lines.len(), expected()));
    };
    let (sum, file) = line.split_once(' ').unwrap_or((line, ""));
    if sum.len() != 64 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("found no SHA-256, {}", expected()));
    }
    let file = file.trim();
    if file.strip_prefix('*').unwrap_or(file) != name {
        return Err(format!("found the sum of another file, {}", expected()));
    }
    Ok(sum.to_ascii_lowercase())
}

/// The sum that an archive had the first time.
pub(super) struct Kept {
    /// Where it stands; who removes it accepts another one.
    pub path: PathBuf,
    name: String,
}

impl Kept {
    pub fn new(cache: &Path, name: &str) -> Self {
        let path = cache.join("istioctl").join(format!("{name}.sha256"));
        let name = name.to_owned();
        Self { path, name }
    }

    pub fn read(&self) -> Result<Option<String>, IstioctlError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.failed("read", source)),
        };
        let sum = read(&text, &self.name).map_err(|what| IstioctlError::Sum {
            from: self.path.display().to_string(),
            what,
        })?;
        Ok(Some(sum))
    }

    /// Keeps it for the next time, in the form of the published file.
    pub fn write(&self, sum: &str) -> Result<(), IstioctlError> {
        let failed = |source| self.failed("write", source);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
        writeln!(file, "{sum} {}", self.name).map_err(failed)?;
        file.persist(&self.path)
            .map_err(|error| failed(error.error))?;
        Ok(())
    }

    fn failed(&self, what: &'static str, source: io::Error) -> IstioctlError {
        let path = self.path.clone();
        IstioctlError::Cache { what, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "istioctl-1.30.2-linux-amd64.tar.gz";
    /// SHA-256 of no bytes (NIST's example of an empty message).
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_published_form_is_read() {
        let upper = EMPTY.to_uppercase();
        for text in [
            format!("{EMPTY} {NAME}\n"),
            format!("{EMPTY}  {NAME}\n"),
            format!("{EMPTY} *{NAME}\n"),
            format!("{EMPTY} {NAME}\r\n\r\n"),
            format!("{upper} {NAME}"),
        ] {
            assert_eq!(read(&text, NAME).as_deref(), Ok(EMPTY), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_sum_of_this_file_is_refused() {
        let cases = [
            (String::new(), "found 0 lines"),
            (format!("{EMPTY} {NAME}\n{EMPTY} {NAME}\n"), "found 2 lines"),
            (EMPTY.to_owned(), "found the sum of another file"),
            (
                format!("{EMPTY} istioctl-1.30.2-osx-arm64.tar.gz\n"),
                "found the sum of another file",
            ),
            (
                format!("{EMPTY} dist/{NAME}\n"),
                "found the sum of another file",
            ),
            (format!("{} {NAME}\n", &EMPTY[1..]), "found no SHA-256"),
            (format!("{EMPTY}0 {NAME}\n"), "found no SHA-256"),
            (
                format!("{} {NAME}\n", EMPTY.replace('e', "g")),
                "found no SHA-256",
            ),
            (format!("\u{feff}{EMPTY} {NAME}\n"), "found no SHA-256"),
            (
                "<html><body>Sign in</body></html>".to_owned(),
                "found no SHA-256",
            ),
        ];
        for (text, why) in cases {
            let error = read(&text, NAME).expect_err(why);
            assert!(
                error.starts_with(why) && error.contains(NAME),
                "{text:?}: {error}"
            );
        }
    }
}
