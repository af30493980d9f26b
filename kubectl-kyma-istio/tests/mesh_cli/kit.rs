//! Runs the built plugin in an environment that knows no cluster and no istioctl.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What the plugin answered.
pub struct Answer {
    pub code: u8,
    pub stdout: String,
    pub stderr: String,
}

/// One run of the plugin.
pub struct Plugin {
    command: Command,
    /// Its home: no kubeconfig, an empty cache.
    _home: TempDir,
}

/// The built plugin with these arguments; nothing else is known to it.
pub fn plugin(arguments: &[&str]) -> Plugin {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-kyma_istio"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", home.path())
        .stdin(Stdio::null());
    Plugin {
        command,
        _home: home,
    }
}

impl Plugin {
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn run(mut self) -> Answer {
        let output = self.command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Answer {
            code: u8::try_from(output.status.code().unwrap()).unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The real istioctl.
pub fn istioctl() -> PathBuf {
    let path = std::env::var_os("ISTIOCTL").unwrap_or_else(|| {
        panic!("$ISTIOCTL is not set: ISTIOCTL=\"$(scripts/go-tools.sh istio)/istioctl\" names the real one")
    });
    PathBuf::from(path)
}

/// A program that only says a version, as istioctl does.
pub fn says_version(folder: &Path, version: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("istioctl");
    let script =
        format!("#!/bin/sh\necho '{{\"clientVersion\": {{\"version\": \"{version}\"}}}}'\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
