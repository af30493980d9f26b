//! Verified claims as header values.

use std::cell::OnceCell;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;

use super::json::Json;
use super::token::Claims;
use crate::headers::Edit;
use crate::spec::tape::Raw;
use crate::spec::{Encoding, Provider};

/// A longer value is left out: the next hop would refuse the whole request for it.
const MOST_BYTES: usize = 8192;

/// The edits that publish what the provider's configuration names. A claim that is absent or can't be written in its encoding gives no header.
pub(crate) fn edits(provider: &Provider, claims: &Claims<'_>) -> Vec<Edit> {
    let mut edits = Vec::new();
    // Most claims are texts and lists of texts, which need no second look into the token.
    let values = OnceCell::new();
    for emitted in &provider.claims_to_headers {
        let path = &emitted.claim.0;
        let value = claims.at(path).and_then(|claim| match claim {
            Json::Text(text) => write_text(text, emitted.encoding),
            Json::List(items) if emitted.encoding == Encoding::Text && are_texts(items) => {
                joined(items.iter().map(|item| item.text().map(str::to_owned)))
                    .map(String::into_bytes)
            }
            Json::Bool(_) | Json::Null | Json::Number(_) | Json::List(_) | Json::Object(_) => {
                let values = values.get_or_init(|| claims.values()).as_ref()?;
                write_other(claim, values.root().at(path)?, emitted.encoding)
            }
        });
        if let Some(value) = value.filter(|value| value.len() <= MOST_BYTES) {
            edits.push(Edit::set(emitted.header.as_str(), value));
        }
    }
    if let Some(header) = &provider.payload_header {
        edits.push(Edit::set(header.as_str(), claims.payload));
    }
    edits
}

fn write_text(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Text => is_header_value(text).then(|| text.as_bytes().to_vec()),
        Encoding::Json => Some(ascii(&serde_json::to_string(text).ok()?).into_bytes()),
        Encoding::Base64Url => Some(BASE64URL.encode(text).into_bytes()),
    }
}

/// What is no text keeps the spelling that the token has: a number read into a double and written again would lose digits.
fn write_other(claim: &Json<'_>, raw: Raw<'_>, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Text => plain(claim, raw).map(String::into_bytes),
        Encoding::Json => Some(ascii(&compact(raw)).into_bytes()),
        Encoding::Base64Url => Some(BASE64URL.encode(compact(raw)).into_bytes()),
    }
}

/// A scalar as text, or a list of scalars with commas.
fn plain(claim: &Json<'_>, raw: Raw<'_>) -> Option<String> {
    match claim {
        Json::Text(text) => Some(text.as_ref().to_owned()),
        Json::Bool(_) | Json::Number(_) => Some(raw.get().to_owned()),
        Json::List(items) => {
            let items = items.iter().zip(raw.elements()?);
            joined(items.map(|(item, raw)| match item {
                Json::List(_) | Json::Object(_) => None,
                scalar => plain(scalar, raw),
            }))
        }
        Json::Null | Json::Object(_) => None,
    }
}

fn are_texts(items: &[Json<'_>]) -> bool {
    items.iter().all(|item| item.text().is_some())
}

/// Items with commas between them; a comma inside an item would make two of it.
fn joined(items: impl Iterator<Item = Option<String>>) -> Option<String> {
    let items = items.map(|item| item.filter(|item| is_header_value(item) && !item.contains(',')));
    let joined = items.collect::<Option<Vec<_>>>()?.join(",");
    (!joined.is_empty()).then_some(joined)
}

/// Printable ASCII without spaces at the ends (RFC 9110 section 5.5 without its obsolete part).
fn is_header_value(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b)) && text.trim_ascii() == text && !text.is_empty()
}

/// JSON without the blanks between its tokens.
fn compact(raw: Raw<'_>) -> String {
    let mut text = String::with_capacity(raw.get().len());
    let (mut quoted, mut escaped) = (false, false);
    for character in raw.get().chars() {
        if quoted || !matches!(character, ' ' | '\t' | '\n' | '\r') {
            text.push(character);
        }
        quoted ^= character == '"' && !escaped;
        escaped = quoted && character == '\\' && !escaped;
    }
    text
}

/// JSON with everything beyond printable ASCII escaped; that can stand in strings only.
fn ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if (' '..='~').contains(&character) {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tape::Tape;

    #[test]
    fn blanks_go_and_strings_stay() {
        for (json, expected) in [
            (
                "{ \"a b\" : [ 1.10 ,\t\"x \\\" y\" ] }",
                "{\"a b\":[1.10,\"x \\\" y\"]}",
            ),
            ("[ \"\\\\\" , \"a , b\" ]", "[\"\\\\\",\"a , b\"]"),
            (" 1e6 ", "1e6"),
        ] {
            let tape = Tape::of(json).unwrap();
            assert_eq!(compact(tape.root()), expected);
        }
    }

    #[test]
    fn a_header_value_is_printable_and_has_no_space_at_its_ends() {
        for (text, good) in [
            ("a", true),
            ("a b~", true),
            ("", false),
            (" ", false),
            (" a", false),
            ("a ", false),
            ("a\u{1f}b", false),
            ("a\u{7f}b", false),
            ("a\tb", false),
            ("é", false),
        ] {
            assert_eq!(is_header_value(text), good, "{text:?}");
        }
    }

    #[test]
    fn what_is_beyond_ascii_is_escaped() {
        assert_eq!(
            ascii("\"é\u{1f600}\u{7f}~\""),
            r#""\u00e9\ud83d\ude00\u007f~""#
        );
    }
}
