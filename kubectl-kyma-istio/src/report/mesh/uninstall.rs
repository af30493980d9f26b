//! What `uninstall` answers.

use cluster::run::Written;
use mesh::object::Id;
use mesh::plan::{Gate, Leftover, Meshed};
use serde::Serialize;

use super::Planned;
use crate::printer::{Style, Text};

/// What was done, or would be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Uninstalled {
    pub context: String,
    pub dry_run: bool,
    /// What was to be done; no steps: nothing was there.
    pub plan: Planned,
    /// Istio's resources of others, be it that they block or that they may go.
    pub blockers: Vec<Id>,
    /// Why nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Gate>,
    /// The files that were written.
    pub backup: Vec<String>,
    /// Every write, in its order.
    pub written: Vec<Written>,
    /// Workloads whose proxies run on.
    pub meshed: Vec<Meshed>,
    /// What stays, and why.
    pub leftovers: Vec<Leftover>,
}

impl Uninstalled {
    /// The plan and what it leaves, before anybody says yes to it.
    pub fn told(&self, text: &mut Text) {
        self.plan.human(text);
        self.left(text);
    }

    fn left(&self, text: &mut Text) {
        for leftover in &self.leftovers {
            let label = text.styled(Style::Faint, "stays:");
            text.line(format_args!("{label} {}: {}", leftover.id, leftover.why));
        }
    }

    pub fn human(&self, text: &mut Text) {
        let steps = self.plan.steps.len();
        if self.dry_run && steps > 0 {
            self.told(text);
        }
        for blocker in &self.blockers {
            let label = text.styled(Style::Bad, "of others:");
            text.line(format_args!("{label} {blocker} ({})", blocker.api_version));
        }
        for file in &self.backup {
            text.line(format_args!("backup: {file}"));
        }
        match (&self.blocked, self.dry_run) {
            (Some(gate), _) => {
                let refused = text.styled(Style::Bad, "refused:");
                text.line(format_args!(
                    "{refused} {}: with the CRDs would go what others made ({}); nothing was uninstalled",
                    gate.code,
                    self.blockers.len()
                ));
                gate.hint.iter().for_each(|hint| text.hint(hint));
            }
            (None, _) if steps == 0 => {
                self.left(text);
                text.line(format_args!("nothing to do"));
            }
            (None, true) => text.line(format_args!("dry run: {steps} steps; nothing was written")),
            (None, false) => self.done(text),
        }
    }

    fn done(&self, text: &mut Text) {
        let done = text.styled(Style::Good, "done");
        let (steps, writes) = (self.plan.steps.len(), self.written.len());
        text.line(format_args!("{done}: {steps} steps, {writes} writes"));
        for one in &self.meshed {
            let label = text.styled(Style::Strong, "restart:");
            text.line(format_args!(
                "{label} {} still runs {}",
                one.workload,
                one.proxies()
            ));
        }
        for leftover in &self.leftovers {
            let label = text.styled(Style::Faint, "stays:");
            text.line(format_args!("{label} {}: {}", leftover.id, leftover.why));
        }
    }
}
