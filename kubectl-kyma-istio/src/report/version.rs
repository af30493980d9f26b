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
    /// The embedded filter; none when the plugin was built without.
    pub filter: Option<FilterVersion>,
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
