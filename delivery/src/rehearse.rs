//! A pull as istio-agent would do it: the same reference, the same secret, its own rules, one step after the other. What it
//! can't see from here is the proxy's network and the proxy's trusted certificates.

mod realm;
mod walk;

use serde::Serialize;

use crate::inspect::ImageFacts;
use crate::layout::TakenAs;
use crate::module::Module;
use crate::registry::Options;

/// What a plugin says about its image.
#[derive(Clone, Copy)]
pub struct Rehearsal<'a> {
    /// `spec.url`.
    pub url: &'a str,
    /// `spec.sha256`.
    pub sha256: Option<&'a str>,
    /// The content of `.dockerconfigjson`, decoded, if a pull secret is named.
    pub secret: Option<&'a [u8]>,
    /// Whether the proxies' `WASM_INSECURE_REGISTRIES` has this host: then no certificate is checked.
    pub insecure: bool,
}

impl std::fmt::Debug for Rehearsal<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Rehearsal")
            .field("url", &self.url)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

/// How the rehearsal went. It ends with the first step that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// In the agent's order.
    pub steps: Vec<Step>,
    /// What the reference led to.
    pub image: Option<ImageFacts>,
    /// How the agent takes it.
    pub taken_as: Option<TakenAs>,
    /// What Envoy would be given.
    pub module: Option<Module>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Which.
    pub name: StepName,
    /// How it went.
    pub verdict: Verdict,
    /// What was found, one line.
    pub found: String,
    /// What helps.
    pub hint: Option<String>,
    /// Milliseconds since the step before.
    pub took: u64,
}

/// The steps. Names are API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum StepName {
    /// The URL is read.
    Reference,
    /// The pull secret is read.
    Secret,
    /// The host has addresses.
    Resolve,
    /// The registry answers.
    Ping,
    /// It asks for what the agent may give.
    Challenge,
    /// A token realm gives a token.
    Token,
    /// The manifest is there, and names an image.
    Manifest,
    /// It is the image that the plugin names.
    Digest,
    /// A layer has a module.
    Layers,
    /// Envoy loads it.
    Module,
    /// All of it within the agent's time.
    Time,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// As it should.
    Passed,
    /// It goes on, and somebody should know.
    Warning,
    /// The agent stops here, and the filter is replaced: 403 for every request, or no filter with FAIL_OPEN.
    Failed,
}

impl Checked {
    /// Whether the agent would get the module and Envoy would load it.
    #[must_use]
    pub fn works(&self) -> bool {
        self.failure().is_none() && self.module.is_some()
    }

    /// The step that fails.
    #[must_use]
    pub fn failure(&self) -> Option<&Step> {
        self.steps
            .iter()
            .find(|step| step.verdict == Verdict::Failed)
    }
}

/// Walks the way of a pull. As the agent does, it falls back to plain HTTP wherever a registry has nothing else; the pull secret is shown there only where `options` allow plain HTTP, and
/// else the step fails that would show it.
#[must_use]
pub fn rehearse(rehearsal: &Rehearsal<'_>, options: &Options) -> Checked {
    walk::walk(rehearsal, options)
}
