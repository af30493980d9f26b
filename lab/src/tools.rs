//! Programs that the laboratory runs, and the things they give us.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use crate::{Error, Result, error::Doing};

/// The root of this repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A real Envoy binary: the version asked for, or else the one in `ENVOY_VERSION`, or else the default of
/// `scripts/tools.sh`, which fetches it when this machine has none.
pub fn envoy_binary(version: Option<&str>) -> Result<PathBuf> {
    let wanted = version
        .map(str::to_owned)
        .or_else(|| std::env::var("ENVOY_VERSION").ok())
        .filter(|version| !version.is_empty());
    pinned("envoy", wanted.as_deref())
}

/// A program that tools/requirements.txt pins, `node` or `go`, fetched when this machine has none.
pub fn tool(name: &str) -> Result<PathBuf> {
    pinned(name, None)
}

fn pinned(name: &str, version: Option<&str>) -> Result<PathBuf> {
    let mut script = Command::new(repository().join("scripts/tools.sh"));
    script.arg(name).args(version);
    Ok(PathBuf::from(output(&mut script)?.trim()))
}

/// The versions of Envoy that tools/requirements.txt pins: the default first, the oldest supported last.
pub fn envoy_versions() -> Result<Vec<String>> {
    let mut script = Command::new(repository().join("scripts/tools.sh"));
    let list = output(script.args(["--list", "envoy"]))?;
    Ok(list.lines().map(str::to_owned).collect())
}

/// The do-nothing filter of `lab/noop-filter`, built by `scripts/wasm.sh` when it is not there or not fresh.
pub fn noop_wasm() -> Result<PathBuf> {
    // One build at a time: tests run side by side, and none may read a module that another is writing.
    static BUILT: Mutex<bool> = Mutex::new(false);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let root = repository();
    if !*built {
        output(Command::new(root.join("scripts/wasm.sh")).arg(root.join("lab/noop-filter")))?;
        *built = true;
    }
    Ok(root.join("out/noop-filter.wasm"))
}

/// Runs a program to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    // Without its arguments: one of them may be a token.
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.output().doing(|| format!("running `{program}`"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(Error::Tool {
        program,
        status: done.status.to_string(),
        stderr: tail(&String::from_utf8_lossy(&done.stderr), 3),
    })
}

/// The last lines of a text that say something, on one line.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let said: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    said[said.len().saturating_sub(lines)..].join(" / ")
}
