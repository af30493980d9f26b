//! What must be known of the cluster beside its kubeconfig.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::Deserialize;

/// The file that `e2e/up.sh` writes beside the kubeconfig; somebody else's cluster needs one, too (e2e/README.md).
#[derive(Debug, Deserialize)]
pub struct Facts {
    /// Where Istio's images are.
    pub hub: String,
    /// Their tag, which says the Istio version.
    pub tag: String,
    /// The tag of the version before.
    pub older_tag: String,
    /// What is laid over the profile there.
    pub overlay: String,
    /// Where NodePorts answer.
    pub node_address: IpAddr,
    /// The image of the app.
    pub echo: String,
    /// The image of the registry.
    pub registry: String,
}

impl Facts {
    /// The version that is installed, as Istio says it. It may be another one than the plugin's default.
    #[must_use]
    pub fn version(&self) -> &str {
        self.tag.trim_end_matches("-distroless")
    }

    /// The version before, as Istio says it.
    #[must_use]
    pub fn older_version(&self) -> &str {
        self.older_tag.trim_end_matches("-distroless")
    }
}

/// Read once, from `$KYMA_E2E_CLUSTER` or `cluster.json` beside `$KUBECONFIG`.
///
/// # Panics
/// There is no such file, or it says something else.
#[must_use]
pub fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        let file = match std::env::var_os("KYMA_E2E_CLUSTER") {
            Some(file) => PathBuf::from(file),
            None => PathBuf::from(variable("KUBECONFIG")).with_file_name("cluster.json"),
        };
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}: run `make e2e`", file.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    })
}

/// What `e2e/run.sh` sets.
///
/// # Panics
/// It isn't set.
#[must_use]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make e2e`"))
}
