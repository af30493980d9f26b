//! Everything that stands in a cluster, so that a write by the plugin shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Cluster;

/// The field manager and the Lease of the plugin.
const MANAGER: &str = "kubectl-kyma-istio";
const LEASE: &str = "kyma-istio";

/// Every object by its name: what controllers keep writing (status, elections, events) is left out, what the plugin's field
/// manager wrote stays in with its time.
#[derive(Debug, PartialEq)]
pub struct Snapshot(BTreeMap<String, Value>);

impl Snapshot {
    pub fn of(cluster: &Cluster) -> Self {
        let kinds = cluster.kubectl(&["api-resources", "--verbs=list", "--output=name"]);
        let kinds: Vec<&str> = kinds
            .lines()
            .filter(|kind| !kind.starts_with("events") && !kind.starts_with("componentstatuses"))
            .collect();
        let list = cluster.get(&[
            &kinds.join(","),
            "--all-namespaces",
            "--show-managed-fields",
        ]);
        let objects = list["items"].as_array().expect("items");
        Self(objects.iter().filter_map(kept).collect())
    }

    /// The names of objects that are new.
    pub fn new_in<'a>(&self, after: &'a Self) -> Vec<&'a str> {
        let names = after.0.keys().filter(|name| !self.0.contains_key(*name));
        names.map(String::as_str).collect()
    }

    /// The names of all.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Each field that differs, but for those that `left_out` says: by the object's name and the field's JSON pointer.
    pub fn differences(&self, after: &Self, left_out: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.keys().chain(after.0.keys()).collect();
        let mut found = Vec::new();
        for name in names {
            let null = Value::Null;
            let (old, new) = (
                self.0.get(name).unwrap_or(&null),
                after.0.get(name).unwrap_or(&null),
            );
            let mut fields = Vec::new();
            compare(old, new, "", &mut fields);
            let kept = fields.iter().filter(|field| !left_out(name, field));
            found.extend(kept.map(|field| {
                format!(
                    "{name} {field}: {:?} -> {:?}",
                    old.pointer(field),
                    new.pointer(field)
                )
            }));
        }
        found
    }

    /// Stops the test when objects differ, and names them.
    #[track_caller]
    pub fn assert_same(&self, after: &Self, what: &str) {
        let names: BTreeSet<&String> = self.0.keys().chain(after.0.keys()).collect();
        let different: Vec<String> = names
            .into_iter()
            .filter(|name| self.0.get(*name) != after.0.get(*name))
            .map(|name| format!("{name}: {:?} -> {:?}", self.0.get(name), after.0.get(name)))
            .collect();
        assert!(different.is_empty(), "{what} wrote: {different:#?}");
        assert!(self.0.len() > 20, "only {} objects seen", self.0.len());
    }
}

/// JSON pointers of what differs, the deepest that both sides have.
fn compare(old: &Value, new: &Value, path: &str, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                let null = Value::Null;
                let (old, new) = (old.get(key).unwrap_or(&null), new.get(key).unwrap_or(&null));
                compare(old, new, &path, found);
            }
        }
        _ if old == new => {}
        _ => found.push(path.to_owned()),
    }
}

fn kept(object: &Value) -> Option<(String, Value)> {
    let mut object = object.clone();
    let name = format!(
        "{} {} {}/{}",
        object["apiVersion"].as_str()?,
        object["kind"].as_str()?,
        object["metadata"]["namespace"].as_str().unwrap_or_default(),
        object["metadata"]["name"].as_str()?,
    );
    let is_election = object["kind"] == "Lease" && object["metadata"]["name"] != LEASE
        || !object["metadata"]["annotations"]["control-plane.alpha.kubernetes.io/leader"].is_null();
    if is_election {
        return None;
    }
    let fields = object.as_object_mut()?;
    fields.remove("status");
    let metadata = fields.get_mut("metadata")?.as_object_mut()?;
    metadata.remove("resourceVersion");
    if let Some(managers) = metadata.get_mut("managedFields") {
        managers
            .as_array_mut()?
            .retain(|entry| entry["manager"] == MANAGER);
    }
    Some((name, object))
}
