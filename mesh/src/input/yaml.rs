//! YAML as a tree that remembers where everything stood. JSON is read as the YAML it is.
//! Not here: what the values mean.

use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Options, Spanned};

use super::raw::Raw;
use crate::problem::{Place, Problem};

/// A value and where it stood.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub place: Place,
    /// The value.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing, `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object, its fields in their order, each name once.
    Object(Vec<Field>),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// Its value.
    pub node: Node,
}

/// Reads every document of a text; empty ones are left out. A name that stands twice in one object is a problem.
pub fn documents(text: &str) -> Result<Vec<Node>, Problem> {
    let read: Vec<Spanned<Raw>> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|e| not_yaml(&e))?;
    let lines: Vec<&str> = text.split('\n').collect();
    let mut documents = Vec::with_capacity(read.len());
    for raw in read {
        let node = place_all(raw, &lines)?;
        if node.kind != Kind::Null {
            documents.push(node);
        }
    }
    Ok(documents)
}

impl Node {
    /// A field of an object; `None` when this is no object, or has no such field, or the field says nothing (`null`).
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields()
            .iter()
            .find(|field| field.name == name && field.node.kind != Kind::Null)
    }

    /// The fields, when this is an object.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Object(fields) => fields,
            _ => &[],
        }
    }

    /// The text, when this is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same without places.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Object(fields) => {
                let named = fields
                    .iter()
                    .map(|field| (field.name.clone(), field.node.to_json()));
                Value::Object(named.collect::<Map<_, _>>())
            }
        }
    }

    /// What this is, for a message: its kind, and its text where that is short.
    #[must_use]
    pub fn describe(&self) -> String {
        const LONGEST: usize = 60;
        match &self.kind {
            Kind::Null => "nothing (null)".to_owned(),
            Kind::Bool(value) => format!("`{value}`"),
            Kind::Number(number) => format!("`{number}`"),
            Kind::Text(text) if text.is_empty() => "an empty text".to_owned(),
            Kind::Text(text) => {
                let mut shown: String = text.chars().take(LONGEST).collect();
                if shown.len() < text.len() {
                    shown.push('…');
                }
                format!("`{}`", shown.replace(char::is_control, "\u{fffd}"))
            }
            Kind::List(_) => "a list".to_owned(),
            Kind::Object(_) => "an object".to_owned(),
        }
    }
}

fn options() -> Options {
    // A snippet would copy the user's text into an error.
    serde_saphyr::options! { with_snippet: false }
}

fn not_yaml(error: &serde_saphyr::Error) -> Problem {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let message = first
        .split_once(": ")
        .filter(|(place, _)| place.contains("line "))
        .map_or(first, |(_, message)| message);
    let problem = Problem::new(
        "",
        format!("text that is no YAML ({message})"),
        "YAML or JSON",
    );
    match error.location() {
        Some(location) => problem.at(location.into()),
        None => problem,
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

fn place_all(raw: Spanned<Raw>, lines: &[&str]) -> Result<Node, Problem> {
    let place = Place::from(raw.referenced);
    let kind = match raw.value {
        Raw::Scalar(Kind::Number(number)) => {
            plain_number(lines, place)?;
            Kind::Number(number)
        }
        Raw::Scalar(kind) => kind,
        Raw::List(items) => Kind::List(
            items
                .into_iter()
                .map(|item| place_all(item, lines))
                .collect::<Result<_, _>>()?,
        ),
        Raw::Object(entries) => {
            let mut fields: Vec<Field> = Vec::with_capacity(entries.len());
            for (name, value) in entries {
                let place = Place::from(name.referenced);
                if fields.iter().any(|field| field.name == name.value) {
                    // `1` and `"1"` are two keys in YAML and one in JSON.
                    return Err(
                        Problem::new("", format!("key `{}` twice", name.value), "it once")
                            .at(place),
                    );
                }
                fields.push(Field {
                    name: name.value,
                    place,
                    node: place_all(value, lines)?,
                });
            }
            Kind::Object(fields)
        }
    };
    Ok(Node { place, kind })
}

/// Refuses numbers that YAML 1.1, which Kubernetes reads, takes for other ones: `010` is 8 there, `1_0` is 10.
fn plain_number(lines: &[&str], place: Place) -> Result<(), Problem> {
    let at = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let rest: String = lines.get(at(place.line)).map_or_else(String::new, |line| {
        line.chars().skip(at(place.column)).collect()
    });
    let number = rest
        .split([' ', '\t', '\r', ',', ']', '}'])
        .next()
        .unwrap_or_default();
    let digits = number.trim_start_matches(['+', '-']);
    let octal =
        digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    if octal || digits.contains('_') {
        let expected = "a number without leading zeros and underscores";
        return Err(Problem::new(
            "",
            format!("number `{number}`, which Kubernetes reads otherwise"),
            expected,
        )
        .at(place));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_value_knows_its_line() {
        let documents = documents("a: 1\nb:\n  - c: x\n---\n---\n{\"f\": null}").unwrap();
        assert_eq!(documents.len(), 2, "the empty one is left out");
        let b = documents[0].field("b").unwrap();
        assert_eq!(
            (b.place.line, b.node.place),
            (2, Place { line: 3, column: 3 })
        );
        assert_eq!(documents[0].to_json(), json!({"a": 1, "b": [{"c": "x"}]}));
        assert_eq!(documents[1].field("f"), None);
    }

    #[test]
    fn text_that_can_be_read_in_two_ways_is_refused() {
        for (text, line) in [
            ("a: 1\nb: 2\na: 3", 3),
            ("1: a\n\"1\": b", 2),
            ("a:\n  - 010", 2),
            ("a: 1_0", 1),
            ("a: [", 1),
        ] {
            let problem = documents(text).expect_err(text);
            assert_eq!(
                problem.place.map(|place| place.line),
                Some(line),
                "{text:?}: {problem}"
            );
        }
        for text in [
            "a: 0",
            "a: '010'",
            "a: 010 Main Street",
            "a: 0.5",
            "a: 10.0.0.1",
        ] {
            documents(text).expect(text);
        }
    }
}
