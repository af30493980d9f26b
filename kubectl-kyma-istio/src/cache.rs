//! Where downloads and compiled filters stay between commands.

use std::path::PathBuf;

/// `$XDG_CACHE_HOME/kyma-istio`, or `~/.cache/kyma-istio`; none without a home directory. A relative `$XDG_CACHE_HOME` is not used (XDG Base Directory Specification).
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = named
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    Some(base.join("kyma-istio"))
}
