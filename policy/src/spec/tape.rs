//! JSON as it stands in a text: found valid once, then each value's place written down in one pass.
//!
//! A document's levels are read one after the other, and again for the fingerprint. Were each level cut out of the text by itself, a key deep in a key set would be scanned
//! once for every level above it.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::caller::Json;
use crate::headers::bytes::find;

/// A valid JSON text with the places of its values.
#[derive(Debug)]
pub(crate) struct Tape<'t> {
    text: &'t str,
    /// In the order of the text: a value before its parts, and a member's name before its value.
    entries: Vec<Entry>,
}

/// A value, or the name of a member.
#[derive(Debug)]
struct Entry {
    /// From this byte of the text up to `end`.
    start: usize,
    end: usize,
    /// The entry behind this one and its parts.
    next: usize,
}

/// One value of a [`Tape`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'t> {
    tape: &'t Tape<'t>,
    place: usize,
}

impl<'t> Tape<'t> {
    /// Reads a whole text.
    ///
    /// # Errors
    /// The first place where it is no JSON.
    #[inline(never)]
    pub fn of(text: &'t str) -> serde_json::Result<Self> {
        serde_json::from_str::<IgnoredAny>(text)?;
        let entries = entries(text.as_bytes());
        Ok(Self { text, entries })
    }

    /// The value that the text is.
    pub fn root(&self) -> Raw<'_> {
        Raw {
            tape: self,
            place: 0,
        }
    }
}

/// The values of a valid text.
fn entries(text: &[u8]) -> Vec<Entry> {
    // Key sets have about so many bytes for each of their values.
    let mut entries: Vec<Entry> = Vec::with_capacity(text.len() / 32);
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(first) = text.get(at) {
        let start = at;
        at += 1;
        match first {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => continue,
            b'{' | b'[' => open.push(entries.len()),
            b'}' | b']' => {
                let next = entries.len();
                if let Some(entry) = open.pop().and_then(|place| entries.get_mut(place)) {
                    (entry.end, entry.next) = (at, next);
                }
                continue;
            }
            b'"' => at = end_of_text(text, at),
            _ => {
                let rest = text.get(at..).unwrap_or_default().iter();
                at += rest
                    .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                    .count();
            }
        }
        entries.push(Entry {
            start,
            end: at,
            next: entries.len() + 1,
        });
    }
    entries
}

/// The place behind the quote that ends a text which begins before `at`.
#[inline(never)]
fn end_of_text(text: &[u8], mut at: usize) -> usize {
    let next_quote = |from: usize| {
        let length = text.get(from..).and_then(|rest| find(rest, b'"'));
        length.map_or(text.len(), |length| from + length)
    };
    let mut quote = next_quote(at);
    // An escape is two bytes, of which the second is no quote that ends the text. The next quote is searched for once it is passed, and not at each escape.
    while let Some(escape) = text.get(at..quote).and_then(|inside| find(inside, b'\\')) {
        at += escape + 2;
        if at > quote {
            quote = next_quote(at);
        }
    }
    quote + 1
}

impl<'t> Raw<'t> {
    /// The value as it stands.
    pub fn get(self) -> &'t str {
        let entry = self.tape.entries.get(self.place);
        entry
            .and_then(|entry| self.tape.text.get(entry.start..entry.end))
            .unwrap_or_default()
    }

    /// Its first byte, which tells the kinds of values apart.
    fn first(self) -> Option<u8> {
        self.get().bytes().next()
    }

    /// The names and values of an object, or the items of a list.
    fn parts(self) -> impl Iterator<Item = Self> {
        let entries = &self.tape.entries;
        let end = entries.get(self.place).map_or(0, |entry| entry.next);
        let first = Some(self.place + 1).filter(|place| *place < end);
        let places = std::iter::successors(first, move |place| {
            let next = entries.get(*place)?.next;
            (next < end).then_some(next)
        });
        places.map(move |place| Self { place, ..self })
    }

    /// The items of a list.
    #[inline(never)]
    pub fn elements(self) -> Option<Vec<Self>> {
        (self.first() == Some(b'[')).then(|| self.parts().collect())
    }

    /// The fields of an object in their order, those that stand there twice included.
    #[inline(never)]
    pub fn members(self) -> Option<Vec<(Cow<'t, str>, Self)>> {
        if self.first() != Some(b'{') {
            return None;
        }
        let mut parts = self.parts();
        let mut members = Vec::new();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            members.push((name.text()?, value));
        }
        Some(members)
    }

    /// The value at the end of a path of names, of which none may stand twice in one object.
    pub fn at(self, path: &[String]) -> Option<Self> {
        path.iter().try_fold(self, |value, name| {
            let mut members = value.members()?.into_iter();
            members.find_map(|(member, value)| (member == *name).then_some(value))
        })
    }

    /// A text; `None` for half of a surrogate pair too, which no Rust text holds.
    #[inline(never)]
    pub fn text(self) -> Option<Cow<'t, str>> {
        if let Some(plain) = self.plain() {
            return Some(Cow::Borrowed(plain));
        }
        if self.first() != Some(b'"') {
            return None;
        }
        match Json::parse(self.get())? {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What stands between the quotes of a text without escapes.
    #[inline(never)]
    pub fn plain(self) -> Option<&'t str> {
        let inside = self.get().strip_prefix('"')?.strip_suffix('"')?;
        find(inside.as_bytes(), b'\\').is_none().then_some(inside)
    }

    /// A number, as a double.
    #[inline(never)]
    pub fn number(self) -> Option<f64> {
        if let Some(b'[' | b'{' | b'"') = self.first() {
            return None;
        }
        match Json::parse(self.get())? {
            Json::Number(number) => number.as_f64(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;
    use serde_json::Value;

    fn read(raw: Raw<'_>) -> Value {
        if let Some(items) = raw.elements() {
            return items.into_iter().map(read).collect();
        }
        if let Some(members) = raw.members() {
            let members = members.into_iter();
            return members
                .map(|(name, value)| (name.into_owned(), read(value)))
                .collect();
        }
        if let Some(text) = raw.text() {
            return text.into();
        }
        if let Some(number) = raw.number() {
            return number.into();
        }
        serde_json::from_str(raw.get()).unwrap()
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            // What every reader of doubles reads exactly.
            (any::<i32>(), 0_u8..8)
                .prop_map(|(number, bits)| Value::from(f64::from(number) / f64::from(1 << bits))),
            "[a\"\\\\\n\u{0}é\u{1f600}\\[{,:} ]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a\"\\\\é{ ]{0,3}", inner, 0..5)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_json_reads(value in any_json()) {
            let plain = serde_json::to_string(&value).unwrap();
            let escaped = plain.replace('é', "\\u00e9");
            for text in [plain, escaped, serde_json::to_string_pretty(&value).unwrap()] {
                let text = format!(" {text}\n");
                let tape = Tape::of(&text).unwrap();
                prop_assert_eq!(read(tape.root()), value.clone(), "{}", text);
                prop_assert_eq!(tape.root().get(), text.trim_ascii());
            }
        }
    }

    /// Each escape once: a text of 400 KB in a moment, where a search for its end at each of them would take a minute.
    #[test]
    fn a_text_of_escapes_ends_where_it_ends() {
        for escape in ["\\n", "\\\"", "\\\\", "\\/", "\\u0022"] {
            for times in [0, 1, 2, 3, 8, 9, 1 << 16] {
                let text = format!("[\"{}\",\"b\"]", escape.repeat(times));
                let tape = Tape::of(&text).unwrap();
                let items = tape.root().elements().unwrap();
                let lengths: Vec<usize> = items.iter().map(|item| item.get().len()).collect();
                assert_eq!(lengths, [escape.len() * times + 2, 3], "{escape} {times}");
            }
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "\"\u{1}\"",
            "01",
            "[] x",
            "'a'",
            "nul",
        ] {
            assert!(Tape::of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_of_one_kind() {
        let text = r#"[{}, [], "a", 1.50, true, "\ud800", "\u0061"]"#;
        let tape = Tape::of(text).unwrap();
        let items = tape.root().elements().unwrap();
        let spelled: Vec<&str> = items.iter().map(|item| item.get()).collect();
        assert_eq!(
            spelled,
            [
                "{}",
                "[]",
                "\"a\"",
                "1.50",
                "true",
                "\"\\ud800\"",
                "\"\\u0061\""
            ]
        );
        let kinds =
            |of: fn(Raw<'_>) -> bool| items.iter().map(|item| of(*item)).collect::<Vec<_>>();
        let only = |places: &[usize]| {
            (0..7)
                .map(|place| places.contains(&place))
                .collect::<Vec<_>>()
        };
        assert_eq!(kinds(|raw| raw.members().is_some()), only(&[0]));
        assert_eq!(kinds(|raw| raw.elements().is_some()), only(&[1]));
        assert_eq!(kinds(|raw| raw.text().is_some()), only(&[2, 6]));
        assert_eq!(kinds(|raw| raw.plain().is_some()), only(&[2]));
        assert_eq!(kinds(|raw| raw.number().is_some()), only(&[3]));
        assert_eq!(
            items.last().and_then(|raw| raw.text()).as_deref(),
            Some("a")
        );
    }

    #[test]
    fn a_value_at_a_path_is_the_text_as_it_stands() {
        let text = r#"{"a": {"b" : [1.10, 1e6], "\u0063": 36893488147419103232}, "d": null}"#;
        let tape = Tape::of(text).unwrap();
        let at = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            tape.root().at(&path).map(Raw::get)
        };
        assert_eq!(at(&["a", "b"]), Some("[1.10, 1e6]"));
        assert_eq!(at(&["a", "c"]), Some("36893488147419103232"));
        assert_eq!(at(&["d"]), Some("null"));
        for absent in [&["b"][..], &["a", "x"], &["d", "e"], &["a", "b", "c"]] {
            assert_eq!(at(absent), None, "{absent:?}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_told_twice() {
        let tape = Tape::of(r#"{"a": {"b": 1}, "\u0061": 2}"#).unwrap();
        let members = tape.root().members().unwrap();
        let names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a", "a"]);
    }
}
