//! What `filter push`, `filter save` and `filter inspect` answer.

use std::path::PathBuf;

use delivery::{Digest, Inspection, Layout, Module};
use serde::Serialize;

use super::count;
use crate::printer::{Style, Text};

/// What is in the registry now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pushed {
    #[serde(flatten)]
    pub pushed: delivery::Pushed,
    pub layout: Layout,
    /// SHA-256 of the wasm file.
    pub module: String,
    /// The `apiVersion`s of policies that the module accepts, if it says so.
    pub policy_versions: Option<Vec<String>>,
}

impl Pushed {
    pub fn human(&self, text: &mut Text) {
        let pushed = &self.pushed;
        text.line(format_args!("{}", pushed.reference));
        text.line(format_args!(
            "digest    {} ({:?} layout, {} bytes uploaded)",
            pushed.digest, self.layout, pushed.uploaded
        ));
        text.line(format_args!("module    sha256:{}", self.module));
        match &self.policy_versions {
            Some(versions) => text.line(format_args!("policies  {}", versions.join(", "))),
            None => text.line(format_args!(
                "policies  the module doesn't say which it accepts"
            )),
        }
        if let Some(replaced) = &pushed.replaced {
            text.line(format_args!(
                "the tag was {replaced} before; proxies that have it stay as they are"
            ));
        }
        text.line(format_args!(
            "next: kubectl kyma-istio filter deploy -f policy.yaml --image {}",
            pushed.reference
        ));
    }
}

/// What is in the folder now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    pub folder: PathBuf,
    pub digest: Digest,
    pub layout: Layout,
    /// SHA-256 of the wasm file.
    pub module: String,
}

impl Saved {
    pub fn human(&self, text: &mut Text) {
        text.line(format_args!("{}", self.folder.display()));
        text.line(format_args!(
            "digest    {} ({:?} layout)",
            self.digest, self.layout
        ));
        text.line(format_args!("module    sha256:{}", self.module));
    }
}

/// What `filter inspect` says in words.
pub fn inspected(inspection: &Inspection, text: &mut Text) {
    if let Some(image) = &inspection.image {
        text.line(format_args!("image     {}", image.reference));
        text.line(format_args!("digest    {}", image.digest));
        if let Some(index) = &image.index {
            text.line(format_args!(
                "index     {index}: it can't be pinned, the agent compares with the image's digest"
            ));
        }
        for layer in &image.layers {
            text.line(format_args!(
                "layer     {} ({} bytes)",
                layer.media_type, layer.size
            ));
        }
        for (name, value) in &image.annotations {
            text.line(format_args!("          {name}: {value}"));
        }
        match &inspection.taken_as {
            Some(way) => text.line(format_args!("taken as  {way:?}")),
            None => text.line(format_args!("taken as  nothing: istio-agent refuses it")),
        }
    }
    let bad = text.styled(Style::Bad, "refused:");
    for refusal in &inspection.refusals {
        text.line(format_args!("{bad} {refusal}"));
    }
    if let Some(module) = &inspection.module {
        of_module(module, text);
    }
    let verdict = match inspection.works() {
        true => text.styled(Style::Good, "a proxy would run it"),
        false => text.styled(Style::Bad, "a proxy wouldn't run it"),
    };
    text.line(format_args!("{verdict}"));
}

fn of_module(module: &Module, text: &mut Text) {
    text.line(format_args!(
        "module    sha256:{} ({} bytes)",
        module.sha256, module.size
    ));
    let abi = serde_json::to_value(module.abi).unwrap_or_default();
    text.line(format_args!(
        "ABI       {}; {}, {}",
        abi.as_str().unwrap_or("none"),
        count(module.imports.len(), "import"),
        count(module.exports.len(), "export")
    ));
    if let Some(versions) = &module.policy_versions {
        text.line(format_args!("policies  {}", versions.join(", ")));
    }
    let bad = text.styled(Style::Bad, "Envoy refuses:");
    for problem in &module.problems {
        text.line(format_args!("{bad} {problem}"));
    }
}
