//! What `version` answers.

use serde::Serialize;

use crate::printer::Text;

/// The versions of the plugin's parts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    pub version: &'static str,
    /// The commit that a release was built from; none in a build of one's own.
    pub commit: Option<&'static str>,
    pub policy_api: &'static str,
    #[cfg(feature = "mesh")]
    pub istio: IstioVersions,
    /// The embedded filter; none when the plugin was built without.
    pub filter: Option<FilterVersion>,
}

/// What this plugin does with which Istio.
#[cfg(feature = "mesh")]
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IstioVersions {
    /// What is installed unless another version is asked for.
    pub default: String,
    /// Minors that `install` and `upgrade` bring.
    pub supported: Vec<String>,
    /// Minors that `render`, `diff`, `verify` and `check` know.
    pub rendered: Vec<String>,
}

/// The embedded filter.
#[derive(Debug, Serialize)]
pub struct FilterVersion {
    pub bytes: usize,
    pub sha256: String,
}

impl Version {
    pub fn human(&self, text: &mut Text) {
        text.line(format_args!("plugin      {}", self.version));
        if let Some(commit) = self.commit {
            text.line(format_args!("commit      {commit}"));
        }
        text.line(format_args!("policy API  {}", self.policy_api));
        #[cfg(feature = "mesh")]
        text.line(format_args!(
            "Istio       {} (installs {}; renders and judges {})",
            self.istio.default,
            self.istio.supported.join(", "),
            self.istio.rendered.join(", ")
        ));
        match &self.filter {
            Some(filter) => text.line(format_args!(
                "filter      sha256:{} ({} bytes)",
                filter.sha256, filter.bytes
            )),
            None => text.line(format_args!(
                "filter      none embedded: run `make wasm` and build again"
            )),
        }
    }
}
