//! What `patch` answers.

use cluster::run::Written;
use mesh::plan::{Leftover, Meshed};
use serde::Serialize;

use super::{ObjectDiff, Planned, Verified};
use crate::printer::{Style, Text};

/// What was done, or would be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PatchReport {
    pub context: String,
    pub dry_run: bool,
    /// Was this the way back?
    pub undo: bool,
    /// What was to be done; no steps: all was as wanted.
    pub plan: Planned,
    /// What the API server says that would change. In a dry run only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<ObjectDiff>>,
    /// The files that were written.
    pub backup: Vec<String>,
    /// Every write, in its order.
    pub written: Vec<Written>,
    /// Workloads whose sidecars have no memory limit until they are restarted.
    pub unlimited: Vec<Meshed>,
    /// What looks like an add-on of an old chart and was left, and why.
    pub leftovers: Vec<Leftover>,
    /// The criteria afterwards.
    pub verified: Option<Verified>,
}

impl PatchReport {
    /// True when a criterion isn't met afterwards.
    pub fn failed(&self) -> bool {
        self.verified.as_ref().is_some_and(|verified| !verified.met)
    }

    /// The plan, each removal by name, before anybody says yes to it.
    pub fn told(&self, text: &mut Text) {
        self.plan.human(text);
        self.left(text);
    }

    pub fn human(&self, text: &mut Text) {
        let steps = self.plan.steps.len();
        match (self.dry_run, steps) {
            (_, 0) => {
                self.told(text);
                text.line(format_args!("nothing to do"));
            }
            (true, _) => {
                self.told(text);
                text.line(format_args!("dry run: {steps} steps; nothing was written"));
            }
            (false, _) => {
                let done = text.styled(Style::Good, "done");
                let writes = self.written.len();
                text.line(format_args!("{done}: {steps} steps, {writes} writes"));
                for file in &self.backup {
                    text.line(format_args!("backup: {file}"));
                }
                for one in &self.unlimited {
                    let label = text.styled(Style::Strong, "restart:");
                    text.line(format_args!(
                        "{label} {} has {} without a memory limit",
                        one.workload,
                        one.proxies()
                    ));
                }
            }
        }
        if let Some(verified) = &self.verified {
            verified.human(text);
        }
    }

    fn left(&self, text: &mut Text) {
        for leftover in &self.leftovers {
            let label = text.styled(Style::Faint, "stays:");
            text.line(format_args!("{label} {}: {}", leftover.id, leftover.why));
        }
    }
}
