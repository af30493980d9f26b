//! Where downloads and compiled filters stay between commands.

use std::path::PathBuf;

/// `$XDG_CACHE_HOME/kyma-istio`, or `~/.cache/kyma-istio`; none without a home directory.
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty());
    let base = named
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    Some(base.join("kyma-istio"))
}
