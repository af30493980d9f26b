//! One run of the built plugin, in an environment that knows no cluster and no istioctl.

use std::ffi::OsStr;
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
    pub command: Command,
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
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
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
