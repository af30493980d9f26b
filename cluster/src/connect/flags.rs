//! kubectl's connection flags, and what of the process's environment they fall back on. Not here: parsing a command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The flags that kubectl takes for a connection. Empty: what the kubeconfig says.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--kubeconfig`: this file only.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`.
    pub context: Option<String>,
    /// `--cluster`: another cluster than the context's.
    pub cluster: Option<String>,
    /// `--user`: another user than the context's.
    pub user: Option<String>,
    /// `--namespace`.
    pub namespace: Option<String>,
    /// `--as`.
    pub impersonate: Option<String>,
    /// `--as-group`, each.
    pub impersonate_groups: Vec<String>,
    /// `--as-uid`.
    pub impersonate_uid: Option<String>,
    /// `--token`.
    pub token: Option<String>,
    /// `--server`.
    pub server: Option<String>,
    /// `--certificate-authority`, a file.
    pub certificate_authority: Option<PathBuf>,
    /// `--client-certificate`, a file.
    pub client_certificate: Option<PathBuf>,
    /// `--client-key`, a file.
    pub client_key: Option<PathBuf>,
    /// `--insecure-skip-tls-verify`.
    pub insecure_skip_tls_verify: bool,
    /// `--tls-server-name`.
    pub tls_server_name: Option<String>,
    /// `--request-timeout`: the longest silence of the server; None or zero: a minute.
    pub request_timeout: Option<Duration>,
}

/// What a connection takes from the process. Read once, by the caller; tests pass their own.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `$KUBECONFIG`: one file or a list.
    pub kubeconfig: Option<OsString>,
    /// The home directory, for `~/.kube/config`.
    pub home: Option<PathBuf>,
    /// True inside a pod, where Kubernetes tells its address in `$KUBERNETES_SERVICE_HOST`.
    pub in_cluster: bool,
}

impl Environment {
    /// As the process finds it.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|list| !list.is_empty()),
            home: std::env::home_dir(),
            in_cluster: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
        }
    }
}
