//! The walk through two values side by side. Elements of lists are matched by what names them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Change;

/// Fields that name an element among its neighbours, first fit: containers, env, volumes, webhooks by name; ports without
/// names by number; mounts by path; conditions by type.
const KEYS: [&str; 7] = [
    "name",
    "mountPath",
    "containerPort",
    "port",
    "type",
    "key",
    "topologyKey",
];

/// Every field that differs. Texts in ConfigMaps that are YAML are compared as what they say.
pub(super) fn differences(from: &Value, to: &Value, kind: &str) -> Vec<Change> {
    let mut found = Vec::new();
    let read_texts = kind == "ConfigMap";
    Walk {
        read_texts,
        found: &mut found,
    }
    .values("", from, to);
    found
}

struct Walk<'a> {
    read_texts: bool,
    found: &'a mut Vec<Change>,
}

impl Walk<'_> {
    fn values(&mut self, path: &str, from: &Value, to: &Value) {
        match (from, to) {
            _ if from == to => {}
            (Value::Object(from), Value::Object(to)) => self.objects(path, from, to),
            (Value::Array(from), Value::Array(to)) => self.lists(path, from, to),
            (Value::String(before), Value::String(after))
                if self.read_texts && path.starts_with("data") =>
            {
                match (yaml(before), yaml(after)) {
                    // Texts may differ in form only, by the order of their keys.
                    (Some(before), Some(after)) => self.values(path, &before, &after),
                    _ => self.changed(path, Some(from), Some(to)),
                }
            }
            _ => self.changed(path, Some(from), Some(to)),
        }
    }

    fn objects(&mut self, path: &str, from: &Map<String, Value>, to: &Map<String, Value>) {
        let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        for key in keys {
            let path = below(path, key);
            self.sides(&path, from.get(key), to.get(key));
        }
    }

    fn lists(&mut self, path: &str, from: &[Value], to: &[Value]) {
        if let Some((before, after)) = KEYS
            .iter()
            .find_map(|key| Some((keyed(from, key)?, keyed(to, key)?)))
        {
            let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for name in names {
                self.sides(
                    &format!("{path}[{name}]"),
                    before.get(name).copied(),
                    after.get(name).copied(),
                );
            }
        } else if from.len() == to.len() {
            for (index, (from, to)) in from.iter().zip(to).enumerate() {
                self.values(&format!("{path}[{index}]"), from, to);
            }
        } else {
            let list = |values: &[Value]| Value::Array(values.to_vec());
            self.changed(path, Some(&list(from)), Some(&list(to)));
        }
    }

    fn sides(&mut self, path: &str, from: Option<&Value>, to: Option<&Value>) {
        match (from, to) {
            (Some(from), Some(to)) => self.values(path, from, to),
            // A missing field and an empty one are the same to Kubernetes.
            (Some(only), None) | (None, Some(only)) if is_nothing(only) => {}
            (from, to) => self.changed(path, from, to),
        }
    }

    fn changed(&mut self, path: &str, from: Option<&Value>, to: Option<&Value>) {
        self.found.push(Change {
            path: path.to_owned(),
            from: from.cloned(),
            to: to.cloned(),
        });
    }
}

/// `spec.template`, and `metadata.labels[app.kubernetes.io/name]` where the key has dots of its own.
fn below(path: &str, key: &str) -> String {
    match (path.is_empty(), key.contains(['.', '/', '['])) {
        (true, _) => key.to_owned(),
        (false, true) => format!("{path}[{key}]"),
        (false, false) => format!("{path}.{key}"),
    }
}

/// The elements by what `key` says; None when an element lacks it or two say the same.
fn keyed<'v>(list: &'v [Value], key: &str) -> Option<BTreeMap<String, &'v Value>> {
    let mut elements = BTreeMap::new();
    for element in list {
        let name = match element.get(key)? {
            Value::String(name) => name.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        if elements.insert(name, element).is_some() {
            return None;
        }
    }
    Some(elements)
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}

/// A text that is YAML with fields, as the mesh config is.
fn yaml(text: &str) -> Option<Value> {
    serde_saphyr::from_str::<Value>(text)
        .ok()
        .filter(Value::is_object)
}
