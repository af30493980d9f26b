//! YAML and JSON as values that remember where they stood. JSON is read as the YAML it is.
//! Not here: what the values mean.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Options, Spanned};

/// A line and a column, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line, from one.
    pub line: u64,
    /// Column in characters, from one.
    pub column: u64,
}

/// One document of a file.
#[derive(Debug, Clone)]
pub struct Document {
    /// What the document says.
    pub value: Value,
    places: BTreeMap<String, Place>,
}

/// Text that is no YAML.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// Where, when it is known.
    pub place: Option<Place>,
    /// What is wrong, one line.
    pub message: String,
}

/// Reads every document of a text. Duplicate keys are refused.
pub fn read(text: &str) -> Result<Vec<Document>, YamlError> {
    let nodes: Vec<Spanned<Node>> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|e| YamlError::of(&e))?;
    nodes.into_iter().map(Document::of).collect()
}

/// Reads one typed document.
pub fn read_as<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|e| YamlError::of(&e))
}

/// Writes a value as YAML.
pub fn write<T: serde::Serialize>(value: &T) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|e| YamlError {
        place: None,
        message: e.to_string(),
    })
}

fn options() -> Options {
    // A snippet would copy the user's configuration into an error.
    serde_saphyr::options! { with_snippet: false }
}

impl Document {
    /// Where the value at `path` (`spec.jwt.providers[0].jwks`) stands, or else the closest thing around it.
    #[must_use]
    pub fn place(&self, path: &str) -> Place {
        let mut end = path.len();
        loop {
            let candidate = path.get(..end).unwrap_or_default();
            if let Some(place) = self.places.get(candidate) {
                return *place;
            }
            if end == 0 {
                return Place { line: 1, column: 1 };
            }
            end = candidate.rfind(['.', '[']).unwrap_or(0);
        }
    }

    fn of(node: Spanned<Node>) -> Result<Self, YamlError> {
        let mut places = BTreeMap::new();
        let value = node.value.into_value("", &mut places)?;
        places.insert(String::new(), node.referenced.into());
        Ok(Self { value, places })
    }
}

impl YamlError {
    fn of(error: &serde_saphyr::Error) -> Self {
        let place = error.location().map(Place::from);
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let message = match first
            .strip_prefix("error: line ")
            .and_then(|rest| rest.split_once(": "))
        {
            Some((_, message)) => message.to_owned(),
            None => first.trim_start_matches("error: ").to_owned(),
        };
        // serde's errors say it once more at their end.
        let end = place
            .map(|place| format!(" at line {}, column {}", place.line, place.column))
            .unwrap_or_default();
        let message = message
            .strip_suffix(&end)
            .map_or(message.clone(), str::to_owned);
        Self { place, message }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self {
            line: location.line(),
            column: location.column(),
        }
    }
}

enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Mapping(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    fn into_value(
        self,
        path: &str,
        places: &mut BTreeMap<String, Place>,
    ) -> Result<Value, YamlError> {
        match self {
            Self::Scalar(value) => Ok(value),
            Self::List(elements) => {
                let mut values = Vec::with_capacity(elements.len());
                for (index, element) in elements.into_iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    places.insert(path.clone(), element.referenced.into());
                    values.push(element.value.into_value(&path, places)?);
                }
                Ok(Value::Array(values))
            }
            Self::Mapping(entries) => {
                let mut object = Map::new();
                for (key, node) in entries {
                    let path = if path.is_empty() {
                        key.value.clone()
                    } else {
                        format!("{path}.{}", key.value)
                    };
                    places.insert(path.clone(), key.referenced.into());
                    let value = node.value.into_value(&path, places)?;
                    if object.insert(key.value, value).is_some() {
                        // `1` and `"1"` are two keys in YAML and one in JSON.
                        return Err(YamlError {
                            place: Some(key.referenced.into()),
                            message: format!("duplicate key `{path}`"),
                        });
                    }
                }
                Ok(Value::Object(object))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        let number = Number::from_f64(value)
            .ok_or_else(|| E::custom(format_args!("`{value}` is no number that JSON has")))?;
        Ok(Node::Scalar(Value::Number(number)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Value::String(value.to_owned())))
    }
    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Node, E> {
        Err(E::custom("`!!binary` has no JSON form"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = access.next_element()? {
            elements.push(element);
        }
        Ok(Node::List(elements))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(Spanned<String>, Spanned<Node>)> = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
            if entries.len() > 1_000_000 {
                return Err(A::Error::custom("more than a million keys"));
            }
        }
        Ok(Node::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_line() {
        let documents = read("a: 1\nb:\n  - c: x\n    d: {e: 2}\n---\n{\"f\": null}").unwrap();
        let place = |path: &str| documents[0].place(path).line;
        assert_eq!(
            (
                place("a"),
                place("b[0].c"),
                place("b[0].d.e"),
                place("b[0].missing.deeper")
            ),
            (1, 3, 4, 3)
        );
        assert_eq!(
            documents[0].value,
            serde_json::json!({"a": 1, "b": [{"c": "x", "d": {"e": 2}}]})
        );
        assert_eq!(documents[1].place("f"), Place { line: 6, column: 2 });
    }

    #[test]
    fn duplicate_keys_are_refused_with_their_line() {
        let error = read("a: 1\nb: 2\na: 3").unwrap_err();
        assert_eq!(error.place.map(|p| p.line), Some(3));
        assert!(error.message.starts_with("duplicate"), "{}", error.message);
        assert!(read("1: a\n\"1\": b").is_err());
    }

    #[test]
    fn errors_copy_nothing_of_the_text() {
        let error = read("token: eyJhbGciOi\nkey: [1").unwrap_err();
        assert!(
            !error.message.contains("eyJ") && !error.message.contains('\n'),
            "{}",
            error.message
        );
    }
}
