//! Back to what was: removed objects come back, changed fields get their old values, what was made goes. What somebody changed
//! since stays as it is, and is told; what it was before stays in the record.

use serde_json::{Value, json};

use super::live::{self, State};
use super::record::{self, Record};
use super::{Change, Patchable, Patched, gates, step};
use crate::object::{Id, Object, apply_order};
use crate::observed::Observed;
use crate::plan::{Action, Gate, Plan, Skip, Step};

/// Makes the plan of the way back. It is empty where nothing was patched.
///
/// # Errors
/// Every gate that holds.
pub fn undo(observed: &Observed, found: &Patchable) -> Result<Patched, Vec<Gate>> {
    gates(observed, found)?;
    let record = record::find(&found.root).map_err(|error| vec![error.gate()])?;
    let record = record.unwrap_or_default();
    let mut way = Way::default();
    for change in record.changes().iter().rev() {
        way.back(change, observed, found);
    }
    let mut plan = Plan {
        skips: way.skips,
        ..Plan::default()
    };
    apply_order(&mut way.back);
    if !way.back.is_empty() {
        let title = "bring back what was removed";
        plan.steps
            .push(step("undo-addons", title, Action::Apply(way.back)));
    }
    plan.steps.extend(way.steps);
    if !way.made.is_empty() {
        let title = "remove what was made";
        plan.steps
            .push(step("undo-made", title, Action::Delete(way.made)));
    }
    // As `patch` made the changes, so that the next way back takes them in the same order.
    way.left.reverse();
    plan.steps
        .extend(forget(&record, Record::of(way.left), found));
    Ok(Patched {
        plan,
        kept: way.kept,
        unlimited: Vec::new(),
        leftovers: Vec::new(),
    })
}

/// What is being put together.
#[derive(Default)]
struct Way {
    back: Vec<Object>,
    steps: Vec<Step>,
    made: Vec<(Id, String)>,
    kept: Vec<Object>,
    skips: Vec<Skip>,
    /// Changes that can't be undone now, and whose first values only the record knows.
    left: Vec<Change>,
}

impl Way {
    fn back(&mut self, change: &Change, observed: &Observed, found: &Patchable) {
        match change {
            Change::Removed { object } => self.back.extend(missing(object, found)),
            Change::Created { id, made } => match live::made(id, made, observed, found) {
                State::Ours(live) => {
                    let uid = live.uid().map(str::to_owned);
                    self.made.extend(uid.map(|uid| (id.clone(), uid)));
                    self.kept.push(live);
                }
                State::Back => {}
                State::Other(why) => self.skip(id, why),
            },
            Change::Changed { id, before, after } => {
                match live::changed(id, before, after, observed) {
                    State::Ours(live) => self.set_back(id, before, live),
                    State::Back => {}
                    State::Other(why) => {
                        self.skip(id, why);
                        self.left.push(change.clone());
                    }
                }
            }
        }
    }

    fn set_back(&mut self, id: &Id, before: &Value, live: Object) {
        let mut patch = before.clone();
        let version = live.string("/metadata/resourceVersion").unwrap_or_default();
        patch["metadata"] = json!({ "resourceVersion": version });
        let title = format!("set {id} back");
        let action = Action::Merge {
            id: id.clone(),
            patch,
        };
        self.steps.push(step(step_name(id), &title, action));
        self.kept.push(live);
    }

    fn skip(&mut self, id: &Id, why: &str) {
        self.skips.push(Skip {
            what: format!("`{id}` stays as it is"),
            why: why.to_owned(),
        });
    }
}

/// The record goes, or keeps what was not undone.
fn forget(record: &Record, left: Record, found: &Patchable) -> Option<Step> {
    let secret = record::secret(&found.root)?;
    if left.changes().is_empty() {
        let doomed = (secret.id(), secret.uid()?.to_owned());
        let action = Action::Delete(vec![doomed]);
        return Some(step("undo-backup", "forget the record", action));
    }
    let title = "keep the record of what stays, for another `--undo`";
    let action = Action::Apply(vec![left.secret()]);
    (left != *record).then(|| step("undo-backup", title, action))
}

fn missing(object: &Value, found: &Patchable) -> Option<Object> {
    let object = Object::new(object.clone()).ok()?;
    let id = object.id();
    let mut there = found.root.iter();
    (!there.any(|one| one.id().is_same_object(&id))).then_some(object)
}

fn step_name(id: &Id) -> &'static str {
    match (id.kind.as_str(), id.name.as_str()) {
        ("ConfigMap", "istio") => "undo-tracing",
        ("ConfigMap", _) => "undo-limits",
        ("MutatingWebhookConfiguration", name) if name.contains("default") => {
            "undo-default-injector-webhook"
        }
        ("MutatingWebhookConfiguration", _) => "undo-injector-webhook",
        (_, name) if name.contains("default") => "undo-default-validator-webhook",
        _ => "undo-validator-webhook",
    }
}
