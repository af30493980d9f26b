//! What a person agreed to, so that a plan that was made anew in the meantime does nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::{Action, Plan};
use crate::diff::ObjectChange;
use crate::object::Id;
use crate::observed::Observed;

/// The deletes, writes and consequences of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consent {
    /// With their uids: another object of the same name is another delete.
    deletes: BTreeSet<(Id, String)>,
    writes: BTreeMap<Id, Write>,
    /// What it does to what runs, and what was warned of; without numbers, which change by themselves on a mesh that is in use.
    told: BTreeMap<String, String>,
}

/// What a write does to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Write {
    /// It is new.
    Makes,
    /// Nobody knows: it couldn't be rehearsed.
    Unknown,
    /// These fields, each from and to.
    Changes(BTreeSet<String>),
}

/// Something in a later plan that nobody agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Novelty {
    /// A delete.
    Delete(Id),
    /// A write of an object, or of other fields of it.
    Write(Id),
    /// What it does to what runs.
    Consequence(String),
}

impl Consent {
    /// Of a plan that was shown; `changes` as its rehearsal found them.
    #[must_use]
    pub fn of(plan: &Plan, changes: &[ObjectChange], observed: &Observed) -> Self {
        let mut consent = Self::default();
        for step in &plan.steps {
            match &step.action {
                Action::Delete(doomed) => consent.deletes.extend(doomed.iter().cloned()),
                Action::Apply(objects) => {
                    let ids = objects.iter().map(|object| (object.id(), Write::Unknown));
                    consent.writes.extend(ids);
                }
                Action::Merge { id, patch } => {
                    let patch = BTreeSet::from([without_version(patch).to_string()]);
                    consent.writes.insert(id.clone(), Write::Changes(patch));
                }
                Action::WaitReady(_)
                | Action::WaitGone(_)
                | Action::LastLook(_)
                | Action::WaitCondition { .. } => {}
            }
        }
        for change in changes {
            let Some(write) = consent.writes.get_mut(&change.id) else {
                continue;
            };
            match (write, &change.live) {
                (write @ Write::Unknown, None) => *write = Write::Makes,
                (write @ Write::Unknown, Some(_)) => {
                    *write = Write::Changes(fields(change, observed));
                }
                (Write::Changes(known), _) => known.extend(fields(change, observed)),
                (Write::Makes, _) => {}
            }
        }
        let consequences = plan.consequences.iter().map(|one| one.what.clone());
        let warnings = plan
            .warnings
            .iter()
            .map(|one| format!("{}: {}", one.code, one.what));
        let told = consequences.chain(warnings);
        consent.told.extend(told.map(|what| (plain(&what), what)));
        consent
    }

    /// What a later plan does beyond this one. Less is fine.
    #[must_use]
    pub fn beyond(&self, later: &Self) -> Vec<Novelty> {
        let deletes = later.deletes.difference(&self.deletes);
        let deletes = deletes.map(|(id, _)| Novelty::Delete(id.clone()));
        let is_new = |id: &Id, later: &Write| match (self.writes.get(id), later) {
            (None, _) => true,
            // Whatever it does was agreed to.
            (Some(Write::Unknown), _) => false,
            (Some(Write::Makes), Write::Changes(_)) => true,
            (Some(Write::Makes), Write::Makes | Write::Unknown) => false,
            // It was there, and isn't any more.
            (Some(Write::Changes(_)), Write::Makes) => true,
            (Some(Write::Changes(_)), Write::Unknown) => false,
            (Some(Write::Changes(agreed)), Write::Changes(later)) => !later.is_subset(agreed),
        };
        let writes = later.writes.iter().filter(|(id, later)| is_new(id, later));
        let writes = writes.map(|(id, _)| Novelty::Write(id.clone()));
        let told = later.told.iter();
        let told = told.filter(|(plain, _)| !self.told.contains_key(*plain));
        let told = told.map(|(_, what)| Novelty::Consequence(what.clone()));
        deletes.chain(writes).chain(told).collect()
    }
}

/// What a change does to each field. Of a Secret it is hidden, so its data is told apart by a hash.
fn fields(change: &ObjectChange, observed: &Observed) -> BTreeSet<String> {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let all = change.changes(observed);
    let mut fields: BTreeSet<String> = all
        .iter()
        .map(|field| format!("{}: {:?} {:?}", field.path, field.from, field.to))
        .collect();
    if change.id.kind == "Secret" {
        let mut hasher = DefaultHasher::new();
        for object in [&change.live, &change.would_be].into_iter().flatten() {
            let data = object.pointer("/data").map(Value::to_string);
            data.hash(&mut hasher);
        }
        fields.insert(format!("data {:x}", hasher.finish()));
    }
    fields
}

/// A merge patch may name the version that it was made for.
fn without_version(patch: &Value) -> Value {
    let mut patch = patch.clone();
    if let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
    }
    patch
}

/// A sentence without its counts: numbers that stand alone, as in `(2 pods)`. Those in names stay.
fn plain(sentence: &str) -> String {
    let words = sentence.split(' ').map(|word| {
        let number = word.trim_start_matches('(');
        let is_count = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_count { "#" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Novelty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delete(id) => write!(f, "deletes {id}"),
            Self::Write(id) => write!(f, "writes {id}"),
            Self::Consequence(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diff::{Consequence, Impact};
    use crate::object::Object;
    use crate::plan::Step;

    fn object(name: &str, data: &Value) -> Object {
        Object::new(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "a"}, "data": data,
        }))
        .unwrap()
    }

    fn step(action: Action) -> Step {
        Step {
            name: "a",
            title: "a".to_owned(),
            action,
        }
    }

    fn plan(actions: Vec<Action>) -> Plan {
        Plan {
            steps: actions.into_iter().map(step).collect(),
            ..Plan::default()
        }
    }

    fn consent(plan: &Plan, changes: &[ObjectChange]) -> Consent {
        Consent::of(plan, changes, &Observed::default())
    }

    fn change(name: &str, from: Option<&Value>, to: &Value) -> ObjectChange {
        let live = from.map(|data| object(name, data));
        ObjectChange::of(live, Some(object(name, to))).unwrap()
    }

    fn id(name: &str) -> Id {
        object(name, &json!({})).id()
    }

    #[test]
    fn less_than_was_agreed_is_no_question() {
        let both = vec![object("a", &json!({})), object("b", &json!({}))];
        let doomed = vec![(id("c"), "1".to_owned()), (id("d"), "2".to_owned())];
        let agreed = consent(
            &plan(vec![
                Action::Apply(both.clone()),
                Action::Delete(doomed.clone()),
            ]),
            &[],
        );
        assert_eq!(agreed.beyond(&agreed), []);
        let less = plan(vec![
            Action::Apply(both[..1].to_vec()),
            Action::Delete(doomed[1..].to_vec()),
        ]);
        let less = consent(&less, &[]);
        assert_eq!(agreed.beyond(&less), []);
        assert_eq!(
            less.beyond(&agreed),
            [Novelty::Delete(id("c")), Novelty::Write(id("b"))]
        );
    }

    #[test]
    fn another_uid_is_another_delete() {
        let one = |uid: &str| {
            let doomed = vec![(id("a"), uid.to_owned())];
            consent(&plan(vec![Action::Delete(doomed)]), &[])
        };
        assert_eq!(one("1").beyond(&one("2")), [Novelty::Delete(id("a"))]);
    }

    #[test]
    fn other_fields_of_an_object_are_another_write() {
        let (one, two) = (json!({"k": "1"}), json!({"k": "2"}));
        let whole = plan(vec![Action::Apply(vec![object("a", &two)])]);
        let agreed = consent(&whole, &[change("a", Some(&one), &two)]);
        assert_eq!(agreed.beyond(&agreed), []);
        let other = json!({"k": "3"});
        let later = consent(&whole, &[change("a", Some(&other), &two)]);
        assert_eq!(agreed.beyond(&later), [Novelty::Write(id("a"))]);
        // It was deleted meanwhile, and would be made anew; or somebody made it meanwhile.
        let new = consent(&whole, &[change("a", None, &two)]);
        assert_eq!(agreed.beyond(&new), [Novelty::Write(id("a"))]);
        assert_eq!(new.beyond(&later), [Novelty::Write(id("a"))]);
        assert_eq!(new.beyond(&new), []);
        // What couldn't be rehearsed was agreed to as a whole.
        let unknown = consent(&whole, &[]);
        assert_eq!(unknown.beyond(&later), []);
        assert_eq!(later.beyond(&unknown), []);
    }

    /// Values of Secrets are never shown, and compared all the same.
    #[test]
    fn another_value_of_a_secret_is_another_write() {
        let secret = |value: &str| {
            Object::new(json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "a"}, "data": {"tls.key": value},
            }))
            .unwrap()
        };
        let agreed = |from: &str| {
            let change = ObjectChange::of(Some(secret(from)), Some(secret("bmV3"))).unwrap();
            consent(&plan(vec![Action::Apply(vec![secret("bmV3")])]), &[change])
        };
        assert_eq!(agreed("b25l").beyond(&agreed("b25l")), []);
        assert_eq!(agreed("b25l").beyond(&agreed("dHdv")).len(), 1);
    }

    #[test]
    fn another_merge_and_a_new_consequence_ask_again() {
        let merge = |patch: Value, from: &str| {
            let id = id("a");
            let changes = [change("a", Some(&json!({"k": from})), &json!({"k": "9"}))];
            consent(&plan(vec![Action::Merge { id, patch }]), &changes)
        };
        let one = merge(json!({"a": 1}), "1");
        assert_eq!(one.beyond(&one), []);
        assert_eq!(one.beyond(&merge(json!({"a": 2}), "1")).len(), 1);
        // From another value to the same.
        assert_eq!(one.beyond(&merge(json!({"a": 1}), "5")).len(), 1);
        let versioned = |version: &str| {
            merge(
                json!({"metadata": {"resourceVersion": version}, "a": 1}),
                "1",
            )
        };
        assert_eq!(versioned("7").beyond(&versioned("8")), []);
        let mut worse = plan(vec![]);
        worse.consequences = vec![Consequence {
            impact: Impact::Stops,
            what: "stops the shop (2 pods)".to_owned(),
            because: vec![],
        }];
        assert_eq!(
            Consent::default().beyond(&consent(&worse, &[])),
            [Novelty::Consequence("stops the shop (2 pods)".to_owned())]
        );
        // Counts change by themselves.
        let mut fewer = worse.clone();
        fewer.consequences[0].what = "stops the shop (11 pods)".to_owned();
        assert_eq!(consent(&worse, &[]).beyond(&consent(&fewer, &[])), []);
        // Names don't.
        let mut other = worse.clone();
        other.consequences[0].what = "stops the shop2 (2 pods)".to_owned();
        assert_eq!(consent(&worse, &[]).beyond(&consent(&other, &[])).len(), 1);
        assert_eq!(consent(&worse, &[]).beyond(&Consent::default()), []);
    }
}
