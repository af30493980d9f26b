//! What `render` answers.

use std::io;

use mesh::compose::Composed;
use serde::Serialize;
use serde_json::{Value, json};

use crate::printer::Text;

/// Manifests, or the IstioOperator alone.
#[derive(Debug)]
pub struct Rendered {
    /// What istioctl printed, unchanged; it stands between the objects before and behind it.
    pub manifests: String,
    /// What others need, such as namespaces.
    pub before: Vec<Value>,
    /// What needs Istio's CRDs.
    pub behind: Vec<Value>,
}

impl Rendered {
    /// The IstioOperator alone.
    pub fn operator(operator: Value) -> Self {
        Self {
            manifests: String::new(),
            before: vec![operator],
            behind: Vec::new(),
        }
    }

    /// One text of several documents.
    pub fn yaml(&self) -> io::Result<String> {
        let mut text = String::new();
        for object in &self.before {
            add(object, &mut text)?;
        }
        if !self.manifests.is_empty() {
            separate(&mut text);
            text.push_str(&self.manifests);
        }
        for object in &self.behind {
            add(object, &mut text)?;
        }
        Ok(text)
    }
}

fn add(object: &Value, text: &mut String) -> io::Result<()> {
    separate(text);
    text.push_str(&corpus::yaml::write(object).map_err(io::Error::other)?);
    Ok(())
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        if !text.ends_with("\n---\n") {
            text.push_str("---\n");
        }
    }
}

/// As JSON it is one object, or a List. What istioctl printed was read once before, so it is YAML.
impl Serialize for Rendered {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rendered = mesh::object::read_manifests(&self.manifests)
            .map_err(serde::ser::Error::custom)?
            .into_iter()
            .map(mesh::object::Object::into_value);
        let before = self.before.iter().cloned();
        let mut items: Vec<Value> = before
            .chain(rendered)
            .chain(self.behind.iter().cloned())
            .collect();
        match items.len() {
            1 => items.remove(0).serialize(serializer),
            _ => {
                json!({ "apiVersion": "v1", "kind": "List", "items": items }).serialize(serializer)
            }
        }
    }
}

/// Every value of the IstioOperator, and who set it.
#[derive(Debug, Serialize)]
pub struct Origins {
    pub profile: String,
    pub values: Vec<Origin>,
}

/// One value.
#[derive(Debug, Serialize)]
pub struct Origin {
    pub path: String,
    pub value: Value,
    /// Who set it last.
    pub source: String,
}

impl Origins {
    pub fn of(composed: &Composed) -> Self {
        let values = composed.why.iter().map(|origin| Origin {
            path: origin.path.to_string(),
            value: origin.value.clone(),
            source: origin.source.to_string(),
        });
        Self {
            profile: composed.profile.to_string(),
            values: values.collect(),
        }
    }

    pub fn human(&self, text: &mut Text) {
        let width = |of: fn(&Origin) -> usize| self.values.iter().map(of).max().unwrap_or(0);
        let source = width(|origin| origin.source.chars().count());
        for origin in &self.values {
            text.line(format_args!(
                "{:<source$}  {} = {}",
                origin.source, origin.path, origin.value
            ));
        }
    }
}
