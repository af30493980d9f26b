//! What `filter deploy`, `rollback` and `remove` answer.

use cluster::connect::Connection;
use delivery::Checked;
use mesh::filter::{FINGERPRINT, Finding, PREVIOUS};
use mesh::object::Object;
use serde::Serialize;

use super::{Diff, ObjectDiff, PolicyStatus};
use crate::error::exit;
use crate::printer::{Style, Text};
use crate::report::Problem;

/// A roll-out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployed {
    pub context: String,
    pub dry_run: bool,
    pub policy: String,
    pub fingerprint: Option<String>,
    pub image: Option<String>,
    /// What changes on the API server; empty: all stands there already.
    pub changes: Vec<ObjectDiff>,
    /// What the policy's file may not mean, and was no reason to stop.
    pub policy_warnings: Vec<Problem>,
    /// What is known to be odd about the mesh and the image, and was no reason to stop.
    pub warnings: Vec<Finding>,
    /// How a pull goes by istio-agent's rules; none if it wasn't tried.
    pub rehearsal: Option<Checked>,
    pub written: bool,
    /// Nobody knew in time whether it runs; it stays deployed.
    pub timed_out: bool,
    /// The wait was ended by the user; what is deployed stays.
    pub interrupted: bool,
    /// `rollback` has something to go back to.
    pub can_go_back: bool,
    /// Why the last look at the proxies found nothing.
    pub not_asked: Option<String>,
    /// What each proxy makes of it; none in a dry run.
    pub status: Option<PolicyStatus>,
    /// It didn't come to run, and what was there before was written again.
    pub written_back: bool,
    /// What each proxy makes of what was written again; none if nobody could be asked.
    pub brought_back: Option<PolicyStatus>,
    /// It didn't come to run, and nothing was there before: it was taken away again.
    pub taken_away: bool,
    /// It didn't come to run, and what was there before can't be brought back: why.
    pub not_brought_back: Option<String>,
    /// It runs, and the canary that it replaces is still there: why.
    pub canary_left: Option<String>,
}

impl Deployed {
    pub fn new(
        connection: &Connection,
        object: &Object,
        changes: Vec<ObjectDiff>,
        dry_run: bool,
    ) -> Self {
        Self {
            context: connection.context.clone(),
            dry_run,
            policy: format!(
                "{}/{}",
                object.namespace().unwrap_or_default(),
                object.name()
            ),
            fingerprint: object.annotation(FINGERPRINT).map(str::to_owned),
            image: object.string("/spec/url").map(str::to_owned),
            changes,
            policy_warnings: Vec::new(),
            warnings: Vec::new(),
            rehearsal: None,
            written: false,
            timed_out: false,
            interrupted: false,
            can_go_back: false,
            not_asked: None,
            status: None,
            written_back: false,
            brought_back: None,
            taken_away: false,
            not_brought_back: None,
            canary_left: None,
        }
    }

    /// The same, with what was found before it began.
    pub fn with(mut self, (warnings, rehearsal): (Vec<Finding>, Option<Checked>)) -> Self {
        self.warnings = warnings;
        self.rehearsal = rehearsal;
        self
    }

    fn is_enforced(&self) -> bool {
        self.status.as_ref().is_some_and(PolicyStatus::is_enforced)
    }

    /// What was there before runs again.
    fn is_back(&self) -> bool {
        let before = self.brought_back.as_ref();
        before.is_some_and(PolicyStatus::is_enforced)
    }

    pub fn exit_code(&self) -> u8 {
        match () {
            () if self.canary_left.is_some() => exit::PARTLY,
            () if self.dry_run || self.is_enforced() => exit::DONE,
            () if self.interrupted || self.not_brought_back.is_some() => exit::PARTLY,
            () if self.timed_out => exit::TIMED_OUT,
            () if self.written_back && !self.is_back() => exit::PARTLY,
            () => exit::NEGATIVE,
        }
    }

    /// What is about to be done.
    pub fn plan(&self, text: &mut Text) {
        let name = text.styled(Style::Strong, &self.policy);
        text.line(format_args!("policy {name}"));
        for (what, value) in [("fingerprint", &self.fingerprint), ("image", &self.image)] {
            text.line(format_args!(
                "  {what:<12}{}",
                value.as_deref().unwrap_or("none")
            ));
        }
        let diff = Diff {
            context: self.context.clone(),
            objects: self.changes.iter().map(without_record).collect(),
            consequences: Vec::new(),
            skips: Vec::new(),
            warnings: Vec::new(),
            external: None,
        };
        diff.human(text);
    }

    pub fn human(&self, text: &mut Text) {
        if self.dry_run {
            self.plan(text);
            return text.line(format_args!("dry run: nothing was written"));
        }
        if !self.written {
            text.line(format_args!("nothing to write: the cluster has it already"));
        }
        if let Some(status) = &self.status {
            status.human(text);
            status.proxies(text);
        }
        let verdict = match () {
            () if self.is_enforced() => {
                text.styled(Style::Good, "running: every selected proxy says so itself")
            }
            () if self.timed_out => text.styled(
                Style::Bad,
                "timed out: not every selected proxy says that it runs it",
            ),
            () if self.interrupted && !self.written_back => text.styled(Style::Bad, "interrupted"),
            () => text.styled(Style::Bad, "not running"),
        };
        text.line(format_args!("{verdict}"));
        self.afterwards(text);
    }

    fn last_look(&self, text: &mut Text) {
        if let Some(why) = &self.not_asked {
            text.line(format_args!("  the last look at the proxies failed: {why}"));
        }
    }

    /// What stands there now, where it doesn't run.
    fn afterwards(&self, text: &mut Text) {
        if self.written_back {
            let but = match self.is_back() {
                true => "",
                false => ", but not every selected proxy says that it runs it",
            };
            text.line(format_args!("what was there before is back{but}:"));
            if let Some(before) = &self.brought_back {
                before.proxies(text);
            }
            return self.last_look(text);
        }
        self.last_look(text);
        if self.taken_away {
            return text.line(format_args!(
                "it was taken away again: nothing was there before"
            ));
        }
        if let Some(why) = &self.canary_left {
            let bad = text.styled(Style::Bad, "the canary is still there:");
            text.line(format_args!("{bad} {why}"));
        }
        if self.is_enforced() {
            return;
        }
        if let Some(why) = &self.not_brought_back {
            let bad = text.styled(Style::Bad, "what was there before is not back:");
            text.line(format_args!("{bad} {why}"));
        }
        text.line(format_args!("it stays deployed"));
        let (verb, does) = match self.can_go_back {
            true => ("rollback", "goes back to what was there before"),
            false => ("remove", "takes it away"),
        };
        let policy = &self.policy;
        text.hint(&format!(
            "`kubectl kyma-istio filter status {policy}` tells what becomes of it, `kubectl kyma-istio filter {verb} {policy}` {does}"
        ));
    }
}

/// The change without our own record of the one before: it is as long as a policy and says nothing new.
fn without_record(change: &ObjectDiff) -> ObjectDiff {
    let mut change = change.copy();
    change.fields.retain(|field| !field.path.contains(PREVIOUS));
    change
}

/// A policy that was taken away.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    pub policy: String,
    /// Shadows of it, which go with it.
    pub canaries: Vec<String>,
    pub dry_run: bool,
    /// Proxies that had it.
    pub proxies: Vec<String>,
    /// Proxies that still have it.
    pub left: Vec<String>,
}

impl Removed {
    pub fn exit_code(&self) -> u8 {
        match self.left.is_empty() {
            true => exit::DONE,
            false => exit::TIMED_OUT,
        }
    }

    pub fn plan(&self, text: &mut Text) {
        let verb = text.styled(Style::Bad, "remove");
        text.line(format_args!("{verb}  policy {}", self.policy));
        for canary in &self.canaries {
            text.line(format_args!("{verb}  its canary {canary}"));
        }
        for proxy in &self.proxies {
            text.line(format_args!("        => requests of {proxy} pass unjudged"));
        }
    }

    pub fn human(&self, text: &mut Text) {
        match (self.dry_run, self.left.as_slice()) {
            (true, _) => {
                self.plan(text);
                text.line(format_args!("dry run: nothing was written"));
            }
            (false, []) => text.line(format_args!(
                "removed {}: no proxy has it any more",
                self.all()
            )),
            (false, left) => text.line(format_args!(
                "removed {}, but still in {}",
                self.all(),
                left.join(", ")
            )),
        }
    }

    /// `a/b and its canary a/b-canary`.
    fn all(&self) -> String {
        let canaries = self.canaries.iter();
        canaries.fold(self.policy.clone(), |all, canary| {
            format!("{all} and its canary {canary}")
        })
    }
}

#[cfg(test)]
mod tests;
