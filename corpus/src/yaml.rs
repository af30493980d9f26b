//! YAML and JSON as values that remember where they stood. JSON is read as the YAML it is.
//! Not here: what the values mean.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::budget::BudgetBreach;
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
    nodes
        .into_iter()
        .map(|node| Document::of(node, text))
        .collect()
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

    fn of(node: Spanned<Node>, text: &str) -> Result<Self, YamlError> {
        let lines: Vec<&str> = text.split('\n').collect();
        let mut places = BTreeMap::new();
        let place = node.referenced.into();
        let value = node.value.into_value("", place, &lines, &mut places)?;
        places.insert(String::new(), place);
        Ok(Self { value, places })
    }
}

impl YamlError {
    fn of(error: &serde_saphyr::Error) -> Self {
        let place = error.location().map(Place::from);
        let ours = match error {
            serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
                Some(format!("duplicate key `{key}`"))
            }
            serde_saphyr::Error::DuplicateMappingKey { key: None, .. } => {
                Some("duplicate key".to_owned())
            }
            serde_saphyr::Error::Budget { breach, .. } => Some(over_limit(breach)),
            _ => None,
        };
        if let Some(message) = ours {
            return Self { place, message };
        }
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

/// A plain scalar at `place` that YAML 1.1, which Kubernetes reads, takes for another number: `010` is 8 there, `1_0` is 10.
fn odd_number<'t>(lines: &[&'t str], place: Place) -> Option<&'t str> {
    let number = usize::try_from(place.line.checked_sub(1)?).ok()?;
    let line = lines.get(number)?;
    // A block scalar stands below its `|` or `>`.
    let above = lines
        .get(..number)?
        .iter()
        .rev()
        .find(|line| !line.trim().is_empty());
    let header = above.and_then(|line| line.split_whitespace().next_back());
    if header.is_some_and(|header| header.starts_with(['|', '>'])) {
        return None;
    }
    let column = usize::try_from(place.column.checked_sub(1)?).ok()?;
    let (start, _) = line.char_indices().nth(column)?;
    let rest = line.get(start..)?;
    let end = rest
        .find([' ', '\t', '\r', ',', ']', '}'])
        .unwrap_or(rest.len());
    let (scalar, behind) = rest.split_at(end);
    // Words go on behind a space: `010 Main Street` is text.
    let behind = behind.trim_start();
    if !(behind.is_empty() || behind.starts_with(['#', ',', ']', '}'])) {
        return None;
    }
    let digits = scalar.strip_prefix(['+', '-']).unwrap_or(scalar);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit())
        && [whole, fraction]
            .iter()
            .all(|part| part.bytes().all(|b| b.is_ascii_digit() || b == b'_'));
    let odd = digits.contains('_')
        || (whole.len() > 1 && whole.starts_with('0') && !digits.contains('.'));
    (is_number && odd).then_some(scalar)
}

/// What is over a limit of ours, and the limit.
fn over_limit(breach: &BudgetBreach) -> String {
    let budget = options().budget.unwrap_or_default();
    let over = |what: &str, limit: usize| format!("more than {limit} {what}");
    match breach {
        BudgetBreach::Depth { .. } => {
            format!(
                "lists and mappings nested more than {} deep",
                budget.max_depth
            )
        }
        BudgetBreach::Nodes { .. } => over("values", budget.max_nodes),
        BudgetBreach::Events { .. } => over("pieces of YAML", budget.max_events),
        BudgetBreach::Aliases { .. } => over("aliases", budget.max_aliases),
        BudgetBreach::Anchors { .. } => over("anchors", budget.max_anchors),
        BudgetBreach::Documents { .. } => over("documents", budget.max_documents),
        BudgetBreach::ScalarBytes { .. } => over("bytes of values", budget.max_total_scalar_bytes),
        BudgetBreach::MergeKeys { .. } => over("merge keys", budget.max_merge_keys),
        BudgetBreach::AliasAnchorRatio { .. } => format!(
            "more than {} aliases for each anchor",
            budget.alias_anchor_ratio_multiplier
        ),
        _ => "more than the limits of this reader".to_owned(),
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
        place: Place,
        lines: &[&str],
        places: &mut BTreeMap<String, Place>,
    ) -> Result<Value, YamlError> {
        match self {
            Self::Scalar(value) => match odd_number(lines, place) {
                Some(number) => Err(YamlError {
                    place: Some(place),
                    message: format!(
                        "number `{number}`, which Kubernetes reads otherwise; write it without leading zeros and underscores, or in quotes"
                    ),
                }),
                None => Ok(value),
            },
            Self::List(elements) => {
                let mut values = Vec::with_capacity(elements.len());
                for (index, element) in elements.into_iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    let place = element.referenced.into();
                    places.insert(path.clone(), place);
                    values.push(element.value.into_value(&path, place, lines, places)?);
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
                    let value =
                        node.value
                            .into_value(&path, node.referenced.into(), lines, places)?;
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
    fn limits_are_told_in_our_words() {
        let deep = format!("a: {}{}", "[".repeat(70), "]".repeat(70));
        let message = read(&deep).unwrap_err().message;
        assert_eq!(message, "lists and mappings nested more than 64 deep");
        let many = format!("[{}]", "1,".repeat(250_001));
        let message = read(&many).unwrap_err().message;
        assert_eq!(message, "more than 250000 values");
    }

    #[test]
    fn numbers_that_kubernetes_reads_otherwise_are_refused() {
        for odd in [
            "a: 010",
            "a: [1, 1_0]",
            "- -007 # seven",
            "{a: 1_0.5}",
            "a:\n  - 00",
        ] {
            let error = read(odd).expect_err(odd);
            assert!(error.message.starts_with("number `"), "{}", error.message);
        }
        for fine in [
            "a: 0",
            "a: 10",
            "a: '010'",
            "a: 0.5",
            "a: 010 Main Street",
            "a: 10.0.0.1",
            "a: |\n  010\n",
            "a: 2001:db8::/32",
        ] {
            assert!(read(fine).is_ok(), "{fine}");
        }
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
