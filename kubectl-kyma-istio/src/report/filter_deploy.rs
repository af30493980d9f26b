//! What `filter deploy`, `rollback` and `remove` answer.

use cluster::connect::Connection;
use delivery::Checked;
use mesh::filter::{FINGERPRINT, Finding, PREVIOUS};
use mesh::object::Object;
use serde::Serialize;

use super::{Diff, ObjectDiff, PolicyStatus};
use crate::error::exit;
use crate::printer::{Style, Text};

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
    /// What is known to be odd, and was no reason to stop.
    pub warnings: Vec<Finding>,
    /// How a pull goes by istio-agent's rules; none if it wasn't tried.
    pub rehearsal: Option<Checked>,
    pub written: bool,
    pub timed_out: bool,
    /// What each proxy makes of it; none in a dry run.
    pub status: Option<PolicyStatus>,
    /// It didn't come to run, and what was there before was brought back: what each proxy makes of that.
    pub brought_back: Option<PolicyStatus>,
    /// It didn't come to run, and nothing was there before: it was taken away again.
    pub taken_away: bool,
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
            warnings: Vec::new(),
            rehearsal: None,
            written: false,
            timed_out: false,
            status: None,
            brought_back: None,
            taken_away: false,
        }
    }

    pub fn exit_code(&self) -> u8 {
        match &self.status {
            None => exit::DONE,
            Some(status) if status.is_enforced() => exit::DONE,
            Some(_) if self.timed_out => exit::TIMED_OUT,
            Some(_) => exit::NEGATIVE,
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
        let Some(status) = &self.status else {
            self.plan(text);
            return text.line(format_args!("dry run: nothing was written"));
        };
        if !self.written {
            text.line(format_args!("nothing to write: the cluster has it already"));
        }
        status.human(text);
        status.proxies(text);
        let verdict = match (status.is_enforced(), self.timed_out) {
            (true, _) => text.styled(Style::Good, "running: every selected proxy says so itself"),
            (false, true) => text.styled(
                Style::Bad,
                "timed out: not every selected proxy runs it yet; it stays deployed",
            ),
            (false, false) => text.styled(Style::Bad, "not running"),
        };
        text.line(format_args!("{verdict}"));
        if let Some(before) = &self.brought_back {
            text.line(format_args!("what was there before is back:"));
            before.proxies(text);
        }
        if self.taken_away {
            text.line(format_args!(
                "it was taken away again: nothing was there before"
            ));
        }
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
                self.policy
            )),
            (false, left) => text.line(format_args!(
                "removed {}, but still in {}",
                self.policy,
                left.join(", ")
            )),
        }
    }
}
