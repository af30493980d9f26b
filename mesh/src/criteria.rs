//! The five criteria by which an Istio is fit for Kyma, each in the form that fits the Istio that was found. A criterion
//! that can't be proved isn't met.

mod crds;
mod injection;
mod mtls;
mod policies;
mod version;

use crate::codes::Code;
use crate::observed::{Forbidden, Observed, Probes, Version};

pub use crate::observed::Form;
pub(crate) use injection::ca_problem;
pub(crate) use mtls::{Mode, is_weaker, mesh_wide, weaker};

/// What helps where a list is forbidden.
const RIGHTS: &str = "grant these rights, or use an administrator's context";

/// What is asked for beyond the criteria themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    /// The version that istiod and gateways are to have.
    pub version: Version,
}

/// One criterion, judged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Criterion {
    /// Stable code.
    pub code: Code,
    /// `version`, `mtls-strict`, `policy-enforcement`, `sidecar-injection`, `crds`.
    pub name: &'static str,
    /// Which form was judged.
    pub form: Form,
    /// Is it met?
    pub met: bool,
    /// What was seen, or why nothing is proved; one fact a line.
    pub evidence: Vec<String>,
    /// A command or a manifest that helps when it isn't met.
    pub fix: Option<String>,
}

/// Judges all five.
#[must_use]
pub fn judge(observed: &Observed, probes: &Probes, required: &Required) -> Vec<Criterion> {
    let form = observed.form();
    vec![
        version::judge(observed, form, required),
        mtls::judge(observed, form),
        policies::judge(observed, form, probes),
        injection::judge(observed, form, probes),
        crds::judge(observed, form),
    ]
}

/// Facts that speak for and against one criterion, in the order in which they were found.
#[derive(Default)]
struct Facts {
    lines: Vec<String>,
    met: Option<bool>,
    /// Something can't be read: what isn't seen may be there all the same.
    blind: bool,
}

impl Facts {
    /// Speaks for it.
    fn holds(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
        self.met = Some(self.met.unwrap_or(true));
    }

    /// Speaks against it.
    fn fails(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
        self.met = Some(false);
    }

    /// Speaks against it because something isn't there, unless nobody could have seen it.
    fn absent(&mut self, line: impl Into<String>) {
        if !self.blind {
            self.fails(line);
        }
    }

    /// Says neither.
    fn note(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Fails when the resource can't be listed.
    fn must_read(&mut self, observed: &Observed, resource: &str) {
        let is_denied = |denied: &&Forbidden| denied.verb == "list" && denied.resource == resource;
        if let Some(forbidden) = observed.forbidden.iter().find(is_denied) {
            self.blind = true;
            self.fails(format!("can't be proved: `{forbidden}` is forbidden"));
        }
    }

    /// The verdict. Without a fact that speaks for it, it isn't met.
    fn judged(
        self,
        code: Code,
        name: &'static str,
        form: Form,
        fix: impl FnOnce() -> String,
    ) -> Criterion {
        let met = self.met == Some(true);
        // A change would be a guess as long as nobody sees what is there.
        let fix = (!met).then(|| match self.blind {
            true => RIGHTS.to_owned(),
            false => fix(),
        });
        Criterion {
            code,
            name,
            form,
            met,
            evidence: self.lines,
            fix,
        }
    }
}
