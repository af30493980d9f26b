//! What `install` answers.

use cluster::run::Written;
use serde::Serialize;

use super::count;
use super::{ObjectDiff, Planned, Verified};
use crate::printer::{Style, Text};

/// What was done, or would be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Installed {
    pub context: String,
    pub dry_run: bool,
    /// What was to be done; no steps: all was as wanted.
    pub plan: Planned,
    /// What the API server says that would change. In a dry run only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<ObjectDiff>>,
    /// Every write, in its order.
    pub written: Vec<Written>,
    /// The criteria afterwards; none when they were not judged.
    pub verified: Option<Verified>,
    /// Why they were not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_verified: Option<String>,
}

impl Installed {
    /// True when a criterion isn't met afterwards.
    pub fn failed(&self) -> bool {
        self.verified.as_ref().is_some_and(|verified| !verified.met)
    }

    pub fn human(&self, text: &mut Text) {
        let steps = self.plan.steps.len();
        match (self.dry_run, steps) {
            (_, 0) => {
                self.plan.human(text);
                text.line(format_args!("nothing to do"));
            }
            (true, _) => {
                self.plan.human(text);
                let changes = self.changes.as_ref().map_or(0, Vec::len);
                text.line(format_args!(
                    "dry run: {}, {} would change; nothing was written",
                    count(steps, "step"),
                    count(changes, "object")
                ));
            }
            (false, _) => {
                let done = text.styled(Style::Good, "done");
                text.line(format_args!(
                    "{done}: {}, {} written",
                    count(steps, "step"),
                    count(self.written.len(), "object")
                ));
            }
        }
        if let Some(verified) = &self.verified {
            verified.human(text);
        }
        if let Some(why) = &self.not_verified {
            text.line(format_args!("not verified: {why}"));
        }
    }
}
