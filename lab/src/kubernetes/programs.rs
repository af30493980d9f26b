//! Where the programs are.

use std::{path::PathBuf, process::Command, sync::OnceLock};

use crate::{
    Error, Result,
    tools::{output, repository},
};

/// A program of a component of `lab/tools`, such as `kube-scheduler` of `kubernetes`. `scripts/go-tools.sh` builds the
/// component when this machine lacks it, which takes minutes.
pub fn program(component: &str, name: &str) -> Result<PathBuf> {
    let folder = output(Command::new(repository().join("scripts/go-tools.sh")).arg(component))?;
    let path = PathBuf::from(folder.trim()).join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::Unusable(format!(
        "no program `{name}` in {}",
        folder.trim()
    )))
}

/// A kubectl of the API server's version.
pub fn kubectl() -> Result<Command> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = PATH.get() {
        return Ok(Command::new(known));
    }
    let found = program("kubernetes", "kubectl")?;
    Ok(Command::new(PATH.get_or_init(|| found)))
}

/// A real istioctl: the one that says the product's default version, or the same one stamped with another version.
/// A product under test finds it by `ISTIOCTL=<this path>`.
pub fn istioctl(version: Option<&str>) -> Result<PathBuf> {
    program(&istio(version), "istioctl")
}

/// The component that holds Istio's programs with this version on them.
pub(super) fn istio(version: Option<&str>) -> String {
    version.map_or_else(|| "istio".to_owned(), |version| format!("istio@{version}"))
}
