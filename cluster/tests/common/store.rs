//! The little of an API server that a script builds on: objects by path, versions, uids.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Seen;

#[derive(Default)]
pub struct Store {
    pub objects: BTreeMap<String, Value>,
    writes: u64,
}

impl Store {
    pub fn answer(&mut self, seen: &Seen) -> (u16, Value) {
        if let Some(found) = discovery(&seen.path) {
            return (200, found);
        }
        let stored = self.objects.get(&seen.path).cloned();
        match (seen.method.as_str(), stored) {
            ("GET", Some(object)) => (200, object),
            ("GET", None) if is_collection(&seen.path) => (200, self.list(&seen.path)),
            ("PATCH", stored) => self.patch(seen, stored),
            ("POST", _) => self.create(seen),
            ("PUT", Some(object)) => {
                let version = "/metadata/resourceVersion";
                if seen.body.pointer(version) != object.pointer(version) {
                    return status(409, "Conflict", "the object has been modified");
                }
                (200, self.keep(&seen.path, seen.body.clone()))
            }
            ("DELETE", Some(object)) => {
                for field in ["uid", "resourceVersion"] {
                    let wanted = seen.body.pointer(&format!("/preconditions/{field}"));
                    let found = object.pointer(&format!("/metadata/{field}"));
                    if wanted.is_some_and(|wanted| Some(wanted) != found) {
                        return status(409, "Conflict", "a precondition does not match");
                    }
                }
                self.objects.remove(&seen.path);
                (200, object)
            }
            _ => status(404, "NotFound", "not found"),
        }
    }

    fn create(&mut self, seen: &Seen) -> (u16, Value) {
        let name = seen.body.pointer("/metadata/name").and_then(Value::as_str);
        let path = format!("{}/{}", seen.path, name.unwrap_or_default());
        if self.objects.contains_key(&path) {
            return status(409, "AlreadyExists", "already exists");
        }
        let mut object = seen.body.clone();
        object["metadata"]["uid"] = json!(format!("uid-{}", self.writes));
        (201, self.keep(&path, object))
    }

    fn keep(&mut self, path: &str, mut object: Value) -> Value {
        self.writes += 1;
        object["metadata"]["resourceVersion"] = json!(self.writes.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn patch(&mut self, seen: &Seen, stored: Option<Value>) -> (u16, Value) {
        let is_apply = seen
            .headers
            .get("content-type")
            .is_some_and(|media| media.contains("apply-patch"));
        if stored.is_none() && !is_apply {
            return status(404, "NotFound", "not found");
        }
        let is_new = stored.is_none();
        let mut next = stored
            .clone()
            .unwrap_or_else(|| json!({ "metadata": { "uid": format!("uid-{}", seen.path) } }));
        merge(&mut next, &seen.body);
        let is_other = stored.as_ref() != Some(&next);
        if is_other && !seen.query.contains("dryRun=All") {
            self.writes += 1;
            next["metadata"]["resourceVersion"] = json!(self.writes.to_string());
            self.objects.insert(seen.path.clone(), next.clone());
        }
        (if is_new { 201 } else { 200 }, next)
    }

    fn list(&self, path: &str) -> Value {
        let below = format!("{path}/");
        let items: Vec<&Value> = self
            .objects
            .range(below.clone()..)
            .take_while(|(key, _)| key.starts_with(&below))
            .map(|(_, value)| value)
            .collect();
        json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": items })
    }
}

pub fn status(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let value = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message });
    (code, value)
}

fn is_collection(path: &str) -> bool {
    ["pods", "events", "replicasets", "namespaces", "leases"]
        .iter()
        .any(|plural| path.ends_with(&format!("/{plural}")))
}

fn discovery(path: &str) -> Option<Value> {
    let resource = |name: &str, kind: &str, namespaced: bool| json!({ "name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": [] });
    let resources = match path {
        "/version" => {
            return Some(json!({ "major": "1", "minor": "33+", "gitVersion": "v1.33.0" }));
        }
        "/api/v1" => vec![
            resource("configmaps", "ConfigMap", true),
            resource("namespaces", "Namespace", false),
            resource("namespaces/status", "Namespace", false),
            resource("services", "Service", true),
        ],
        "/apis/apps/v1" => vec![resource("deployments", "Deployment", true)],
        _ => return None,
    };
    Some(json!({ "kind": "APIResourceList", "groupVersion": "", "resources": resources }))
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
