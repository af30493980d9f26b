//! JSON that refuses to guess: an object with the same name twice is an error (RFC 8259 section 4 leaves its meaning open; RFC 7515 section 4 lets us refuse).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::spec::sorted;

/// A JSON value. Names and texts without escapes are borrowed from the text that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'t> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'t, str>),
    List(Vec<Json<'t>>),
    Object(Vec<(Cow<'t, str>, Json<'t>)>),
}

impl<'t> Json<'t> {
    /// Parses a whole text. Serde limits the depth to 128.
    pub fn parse(text: &'t str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// A member of an object.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find(|(member, _)| member == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value at the end of a path of names.
    pub fn at(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.member(name))
    }

    /// The text, when it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de: 't, 't> Deserialize<'de> for Json<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strict<'t>(PhantomData<&'t ()>);
        impl<'de: 't, 't> Visitor<'de> for Strict<'t> {
            type Value = Json<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Json<'t>, E> {
                Ok(Json::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json<'t>, E> {
                Ok(Json::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json<'t>, E> {
                Ok(Json::Number(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json<'t>, E> {
                Ok(Json::Number(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Json<'t>, E> {
                Number::from_f64(value)
                    .map(Json::Number)
                    .ok_or_else(|| E::custom("a number out of range"))
            }

            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'t>, E> {
                Ok(Json::Text(Cow::Borrowed(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json<'t>, E> {
                Ok(Json::Text(Cow::Owned(value.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'t>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'t>, A::Error> {
                let mut members = Vec::new();
                // A name is read as any text is.
                while let Some((name, value)) = map.next_entry::<Json<'t>, Json<'t>>()? {
                    let Json::Text(name) = name else {
                        return Err(A::Error::custom("a name that is no text"));
                    };
                    members.push((name, value));
                }
                if twice(&members) {
                    return Err(A::Error::custom("a name twice"));
                }
                Ok(Json::Object(members))
            }
        }
        deserializer.deserialize_any(Strict(PhantomData))
    }
}

/// Whether a name stands twice. Up to 16 names are compared in pairs; more are sorted, since a token may have thousands.
fn twice(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    const COMPARED_IN_PAIRS: usize = 16;
    if members.len() <= COMPARED_IN_PAIRS {
        return members
            .iter()
            .enumerate()
            .any(|(index, (name, _))| members.iter().take(index).any(|(other, _)| other == name));
    }
    let names = sorted(
        members
            .iter()
            .enumerate()
            .map(|(index, (name, _))| (&**name, index))
            .collect(),
    );
    names
        .windows(2)
        .any(|pair| matches!(pair, [(left, _), (right, _)] if left == right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_name_twice_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"[{"a":1,"\u0061":2}]"#,
        ] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
        let many: String = (0..100).map(|i| format!("\"n{i}\":0,")).collect();
        assert!(Json::parse(&format!("{{{many}\"x\":1}}")).is_some());
        assert!(Json::parse(&format!("{{{many}\"n7\":1}}")).is_none());
    }

    #[test]
    fn refuses_what_is_too_deep_or_goes_on() {
        assert_eq!(Json::parse(&"[".repeat(10_000)), None);
        assert_eq!(Json::parse("{} x"), None);
    }
}
