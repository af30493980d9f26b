//! The real `istioctl`, which renders: found, checked, downloaded, run. It never gets to see a cluster.

mod address;
mod archive;
mod download;
mod error;
mod generate;
mod http;
mod sum;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

pub use address::Address;
pub use download::{Release, download};
pub use error::IstioctlError;
pub use generate::{Generate, Rendered, generate};

/// `istioctl version` answers in a tenth of a second; a cold disk is slower.
const PATIENCE: Duration = Duration::from_secs(20);
/// No system has such a folder.
const NOWHERE: &str = "/nonexistent/kyma-istio";
/// The program's file name on this system.
const PROGRAM: &str = if cfg!(windows) {
    "istioctl.exe"
} else {
    "istioctl"
};

/// Where to look, in this order.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--istioctl`.
    pub flag: Option<PathBuf>,
    /// `$ISTIOCTL`.
    pub env: Option<PathBuf>,
    /// `$PATH`.
    pub path: Option<OsString>,
}

/// An `istioctl` of a known version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Istioctl {
    /// The program.
    pub path: PathBuf,
    /// What it says: `1.30.2`.
    pub version: String,
    /// How it was found.
    pub origin: Origin,
}

/// How an `istioctl` was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// `--istioctl`.
    Flag,
    /// `$ISTIOCTL`.
    Environment,
    /// `$PATH`.
    Path,
    /// Downloaded, now or earlier.
    Cache,
}

/// Finds an `istioctl` of the wanted version (`1.30.2`; flavours such as `-distroless` don't count).
///
/// # Errors
/// One that is named but missing, or of another version; [`IstioctlError::NotFound`] when none is named and `$PATH` has
/// none of this version: then it can be downloaded.
pub async fn find(sources: &Sources, wanted: &str) -> Result<Istioctl, IstioctlError> {
    let named = [
        (&sources.flag, Origin::Flag),
        (&sources.env, Origin::Environment),
    ];
    for (path, origin) in named {
        if let Some(path) = path {
            return check(path, wanted, origin).await;
        }
    }
    let mut passed_over = None;
    for folder in sources.path.iter().flat_map(std::env::split_paths) {
        let path = folder.join(PROGRAM);
        if !path.is_file() {
            continue;
        }
        match check(&path, wanted, Origin::Path).await {
            Ok(found) => return Ok(found),
            Err(error) if passed_over.is_none() => passed_over = Some(Box::new(error)),
            Err(_) => {}
        }
    }
    Err(IstioctlError::NotFound {
        wanted: release(wanted).to_owned(),
        passed_over,
    })
}

/// Is it there, and of this version?
pub(crate) async fn check(
    path: &Path,
    wanted: &str,
    origin: Origin,
) -> Result<Istioctl, IstioctlError> {
    let version = version(path).await?;
    if release(&version) != release(wanted) {
        let (path, wanted) = (path.to_owned(), release(wanted).to_owned());
        return Err(IstioctlError::OtherVersion {
            path,
            found: version,
            wanted,
        });
    }
    Ok(Istioctl {
        path: path.to_owned(),
        version,
        origin,
    })
}

/// What `istioctl version` says of itself.
async fn version(path: &Path) -> Result<String, IstioctlError> {
    let unusable = |what: String| IstioctlError::Unusable {
        path: path.to_owned(),
        what,
    };
    let output = match tokio::time::timeout(PATIENCE, ask_version(path)).await {
        Ok(output) => output.map_err(|error| unusable(error.to_string()))?,
        Err(_) => {
            return Err(unusable(format!(
                "`version` gave no answer in {} s",
                PATIENCE.as_secs()
            )));
        }
    };
    if !output.status.success() {
        let said = error::last_line(&output.stderr);
        return Err(unusable(format!(
            "`version` ended with {}: {said}",
            output.status
        )));
    }
    let told: Option<Value> = serde_json::from_slice(&output.stdout).ok();
    let version = told
        .as_ref()
        .and_then(|told| told.pointer("/clientVersion/version"))
        .and_then(Value::as_str);
    version
        .map(str::to_owned)
        .ok_or_else(|| unusable("`version` answers in another form than istioctl's".to_owned()))
}

/// A program that was written a moment ago is busy as long as another child, forked in that moment, has not been executed.
async fn ask_version(path: &Path) -> io::Result<Output> {
    loop {
        let mut child = Child::new(path);
        child
            .command
            .args(["version", "--remote=false", "-o", "json"]);
        match child.command.stdin(Stdio::null()).output().await {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            output => return output,
        }
    }
}

/// An istioctl that is about to run in a clean environment: an empty home, no kubeconfig, no `ISTIOCTL_*` settings. What it
/// prints depends on its arguments alone.
pub(crate) struct Child {
    pub command: Command,
    /// Removed with this.
    _home: Option<TempDir>,
}

impl Child {
    pub fn new(path: &Path) -> Self {
        const KEPT: [&str; 5] = ["PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"];
        let made = tempfile::Builder::new().prefix("istioctl-").tempdir().ok();
        // In a container nothing may be writable: then a home that isn't there, which is as empty.
        let home = made.as_ref().map_or(Path::new(NOWHERE), TempDir::path);
        let mut command = Command::new(path);
        command.env_clear().kill_on_drop(true);
        let kept = KEPT
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.envs(kept);
        // `~/.istioctl/config.yaml` has defaults for its flags, `~/.kube/config` a cluster.
        command.env("HOME", home);
        command.env("USERPROFILE", home);
        command.env("KUBECONFIG", home.join("kubeconfig"));
        Self {
            command,
            _home: made,
        }
    }
}

/// `1.30.2` of `v1.30.2-distroless`.
pub(crate) fn release(version: &str) -> &str {
    let version = version.trim().trim_start_matches('v');
    version.split(['-', '+']).next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn flavours_are_no_part_of_a_version() {
        assert_eq!(release("1.30.2"), "1.30.2");
        assert_eq!(release("v1.30.2-distroless"), "1.30.2");
        assert_eq!(release("1.31.0+build"), "1.31.0");
    }
}
