//! Reads a YAML tree by a JSON Schema and reports every problem at once, each with its line and path.
//!
//! Only what schemars makes of our own types is understood, besides two words of ours: `x-expected` says in a message what was
//! expected, `x-check` names a check of [`super::format`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::format;
use super::yaml::{Field, Kind, Node};
use crate::problem::{Place, Problem, list, nearest};

/// What a document said, as far as it could be read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Everything that is wrong so far.
    pub problems: Vec<Problem>,
    /// Where each value stood, by its path.
    pub places: BTreeMap<String, Place>,
}

impl Reader {
    /// Reads one value; `None` means that a problem was reported.
    pub fn read(&mut self, node: &Node, schema: &Value, path: &str) -> Option<Value> {
        self.places.entry(path.to_owned()).or_insert(node.place);
        let schema = branch(schema, node);
        let read = match (schema["type"].as_str(), &node.kind) {
            (Some("object"), Kind::Object(fields)) => self.object(node, fields, schema, path),
            (Some("array"), Kind::List(items)) => self.list(items, schema, path),
            (Some("boolean"), Kind::Bool(value)) => Some(Value::Bool(*value)),
            (Some("integer"), Kind::Number(_)) if in_range(node, schema) => Some(node.to_json()),
            (Some("string"), Kind::Text(text)) if allowed_text(text, schema) => {
                Some(node.to_json())
            }
            _ => self.refuse(node, schema, path),
        }?;
        match schema["x-check"]
            .as_str()
            .map(|name| format::check(name, &read))
        {
            Some(Err(wrong)) => {
                let inner = format!("{path}{}", wrong.below);
                let place = if wrong.below.is_empty() {
                    node.place
                } else {
                    self.place(&inner)
                };
                let mut problem = Problem::new(inner, wrong.found, wrong.expected).at(place);
                problem.hint = wrong.hint;
                self.problems.push(problem);
                None
            }
            _ => Some(read),
        }
    }

    /// Where the value at `path` stands, or else the closest thing around it.
    pub fn place(&self, path: &str) -> Place {
        place(&self.places, path)
    }

    fn list(&mut self, items: &[Node], schema: &Value, path: &str) -> Option<Value> {
        let read: Vec<Option<Value>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.read(item, &schema["items"], &format!("{path}[{index}]")))
            .collect();
        read.into_iter().collect()
    }

    fn object(
        &mut self,
        node: &Node,
        fields: &[Field],
        schema: &Value,
        path: &str,
    ) -> Option<Value> {
        let Some(known) = schema["properties"].as_object() else {
            return self.map(fields, &schema["additionalProperties"], path);
        };
        let mut whole = true;
        let mut read = Map::new();
        for field in fields {
            let below = format!("{path}.{}", field.name);
            self.places.insert(below.clone(), field.place);
            match known.get(&field.name) {
                None => {
                    self.unknown(field, known, &below);
                    whole = false;
                }
                // Kubernetes drops a `null` where a field may be absent.
                Some(_) if field.node.kind == Kind::Null => {}
                Some(schema) => match self.read(&field.node, schema, &below) {
                    Some(value) => drop(read.insert(field.name.clone(), value)),
                    None => whole = false,
                },
            }
        }
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if node.field(name).is_none() {
                let expected = expected(&known[name]);
                self.problems.push(
                    Problem::new(format!("{path}.{name}"), "nothing", expected).at(node.place),
                );
                whole = false;
            }
        }
        whole.then_some(Value::Object(read))
    }

    /// An object with names that the user chooses.
    fn map(&mut self, fields: &[Field], schema: &Value, path: &str) -> Option<Value> {
        let mut read = Map::new();
        for field in fields {
            let below = format!("{path}.{}", field.name);
            self.places.insert(below.clone(), field.place);
            let value = match schema {
                Value::Object(_) => self.read(&field.node, schema, &below)?,
                _ => {
                    self.note_places(&field.node, &below);
                    field.node.to_json()
                }
            };
            read.insert(field.name.clone(), value);
        }
        Some(Value::Object(read))
    }

    /// Notes the places of what another type of ours reads later.
    fn note_places(&mut self, node: &Node, path: &str) {
        for field in node.fields() {
            let below = format!("{path}.{}", field.name);
            self.places.insert(below.clone(), field.place);
            self.note_places(&field.node, &below);
        }
        if let Kind::List(items) = &node.kind {
            for (index, item) in items.iter().enumerate() {
                let below = format!("{path}[{index}]");
                self.places.insert(below.clone(), item.place);
                self.note_places(item, &below);
            }
        }
    }

    fn refuse(&mut self, node: &Node, schema: &Value, path: &str) -> Option<Value> {
        let mut problem = Problem::new(path, node.describe(), expected(schema)).at(node.place);
        let wants_text = schema["type"] == "string";
        problem.hint = match &node.kind {
            Kind::Number(number) if wants_text => Some(format!("write it as a text: \"{number}\"")),
            Kind::Bool(value) if wants_text => Some(format!("write it as a text: \"{value}\"")),
            Kind::Text(text)
                if schema["type"] == "boolean" && ["true", "false"].contains(&text.as_str()) =>
            {
                Some("write it without quotes".to_owned())
            }
            Kind::Text(text) if schema["type"] == "integer" && text.parse::<i64>().is_ok() => {
                Some("write it without quotes".to_owned())
            }
            Kind::Text(text) => {
                nearest(text, &choices(schema)).map(|near| format!("did you mean `{near}`?"))
            }
            _ => None,
        };
        self.problems.push(problem);
        None
    }

    fn unknown(&mut self, field: &Field, known: &Map<String, Value>, path: &str) {
        let names: Vec<&String> = known.keys().collect();
        let mut problem =
            Problem::new(path, "an unknown field", format!("one of {}", list(&names)))
                .at(field.place);
        problem.hint = nearest(&field.name, &names).map(|near| format!("did you mean `{near}`?"));
        self.problems.push(problem);
    }
}

/// The leaf paths of a schema: what a user can set. A list's items are written `[]`.
pub(crate) fn leaves(schema: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(fields) = schema["properties"].as_object() {
        for (name, below) in fields {
            leaves(below, &format!("{path}.{name}"), found);
        }
    } else if schema["items"]["properties"].is_object() {
        leaves(&schema["items"], &format!("{path}[]"), found);
    } else {
        found.push(path.to_owned());
    }
}

/// Where `path` stands, or else the closest thing around it.
pub(crate) fn place(places: &BTreeMap<String, Place>, path: &str) -> Place {
    let mut end = path.len();
    loop {
        let around = path.get(..end).unwrap_or_default();
        if let Some(place) = places.get(around) {
            return *place;
        }
        if end == 0 {
            return Place { line: 1, column: 1 };
        }
        end = around.rfind(['.', '[']).unwrap_or(0);
    }
}

/// The alternative of an `anyOf` that is meant: the one of the value's type, or else the first.
fn branch<'s>(schema: &'s Value, node: &Node) -> &'s Value {
    let Some(alternatives) = schema["anyOf"].as_array() else {
        return schema;
    };
    let name = match node.kind {
        Kind::Number(_) => "integer",
        _ => "string",
    };
    let fits = alternatives
        .iter()
        .find(|alternative| alternative["type"] == name);
    fits.or(alternatives.first()).unwrap_or(schema)
}

fn in_range(node: &Node, schema: &Value) -> bool {
    let Kind::Number(number) = &node.kind else {
        return false;
    };
    let bound = |name: &str, open: i64| schema[name].as_i64().unwrap_or(open);
    let range = bound("minimum", i64::MIN)..=bound("maximum", i64::MAX);
    number
        .as_i64()
        .is_some_and(|number| range.contains(&number))
}

fn allowed_text(text: &str, schema: &Value) -> bool {
    let length = text.chars().count() as u64;
    let pattern = schema["pattern"].as_str();
    schema["minLength"].as_u64().is_none_or(|least| length >= least)
        && schema["maxLength"].as_u64().is_none_or(|most| length <= most)
        && (!schema["enum"].is_array() || choices(schema).contains(&text))
        // The patterns are ours, and a test compiles each of them.
        && pattern.is_none_or(|pattern| regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text)))
}

fn choices(schema: &Value) -> Vec<&str> {
    schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// What a schema expects, in words.
fn expected(schema: &Value) -> String {
    if let Some(words) = schema["x-expected"].as_str() {
        return words.to_owned();
    }
    if schema["enum"].is_array() {
        return format!("one of {}", list(&choices(schema)));
    }
    match (
        schema["type"].as_str(),
        schema["minimum"].as_i64(),
        schema["maximum"].as_i64(),
    ) {
        (Some("integer"), Some(least), Some(most)) => {
            format!("a whole number from {least} to {most}")
        }
        (Some("integer"), ..) => "a whole number".to_owned(),
        (Some("boolean"), ..) => "`true` or `false`".to_owned(),
        (Some("array"), ..) => "a list".to_owned(),
        (Some("object"), ..) => "an object".to_owned(),
        _ => "a text".to_owned(),
    }
}
