//! The plugin, as its user runs it.

use std::fmt;
use std::process::Command;

use crate::facts::{facts, variable};

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    line: String,
    /// The exit code.
    pub code: i32,
    /// The answer.
    pub stdout: String,
    /// The story.
    pub stderr: String,
}

/// Runs the plugin (`$KYMA_ISTIO`) against the cluster.
///
/// # Panics
/// It can't be started.
#[must_use]
pub fn plugin(arguments: &[&str]) -> Ran {
    run(arguments, &[])
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let output = Command::new(variable("KYMA_ISTIO"))
        .args(arguments)
        .envs(environment.iter().copied())
        .env("NO_COLOR", "1")
        .output()
        .expect("a plugin that starts");
    Ran {
        line: arguments.join(" "),
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `verify` of the version that is installed here, and more arguments.
#[must_use]
pub fn verify(arguments: &[&str]) -> Ran {
    let version = ["verify", "--version", facts().version()];
    plugin(&[&version, arguments].concat())
}

/// `install` with this cluster's images, and more arguments.
#[must_use]
pub fn install(arguments: &[&str]) -> Ran {
    plugin(&with_images(arguments))
}

/// The same, ended behind this step, as if it were killed there.
#[must_use]
pub fn install_killed_behind(step: &str, arguments: &[&str]) -> Ran {
    run(&with_images(arguments), &[("KYMA_ISTIO_ABORT_AFTER", step)])
}

fn with_images<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let facts = facts();
    let mut all = vec!["install", "--filename", facts.overlay.as_str()];
    all.extend(["--hub", &facts.hub, "--tag", &facts.tag]);
    all.extend(arguments);
    all
}

impl Ran {
    /// Stops the test unless it ended so.
    ///
    /// # Panics
    /// Another exit code.
    #[track_caller]
    #[must_use]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            out,
            "`{line}` exited with {code}\n--- stdout\n{stdout}--- stderr\n{stderr}"
        )
    }
}
