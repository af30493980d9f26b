//! The smallest values of a policy: header names, durations, realms.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use crate::headers::same_header;
use crate::spec::describe::{Definitions, Described};
use crate::spec::kind::Kind;
use crate::spec::read::Node;

/// The lower-case name of a header that a policy may emit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HeaderName(String);

impl HeaderName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names that others own: hop-by-hop (RFC 9110 section 7.6.1), message framing, credentials, and what `forwarded` or Envoy writes itself.
const OTHERS: [&str; 19] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "location",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];
const OTHERS_PREFIXES: [&str; 2] = ["x-envoy-", "x-forwarded-"];

impl Kind for HeaderName {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        let expected = "the name of a header that a policy may set";
        let hint = "pseudo, hop-by-hop, framing and credential headers, `forwarded`, `x-forwarded-*` and `x-envoy-*` can't be set";
        node.parsed(expected, Some(hint), |text| {
            header_name(text).filter(|name| may_set(name)).map(Self)
        })
    }

    fn describe(definitions: &mut Definitions) -> Described {
        definitions.named(
            "HeaderName",
            "The name of a header (RFC 9110 section 5.1). Pseudo, hop-by-hop, framing and credential headers, `forwarded`, `x-forwarded-*` and `x-envoy-*` can't be set.",
            json!({"type": "string", "pattern": header_pattern()}),
            "header name",
        )
    }
}

/// Bytes. The longest name in IANA's registry of headers has fewer than half of them.
const LONGEST_HEADER_NAME: usize = 128;

/// A header's name (RFC 9110 section 5.1) as a pattern of the JSON Schema.
fn header_pattern() -> String {
    format!("^[!#$%&'*+.^_`|~0-9A-Za-z-]{{1,{LONGEST_HEADER_NAME}}}$")
}

/// Whether a header in lower case, in any spelling, is nobody else's.
pub(crate) fn may_set(name: &str) -> bool {
    let starts = |prefix: &&str| {
        name.as_bytes()
            .get(..prefix.len())
            .is_some_and(|start| same_header(start, prefix))
    };
    !OTHERS
        .iter()
        .any(|other| same_header(name.as_bytes(), other))
        && !OTHERS_PREFIXES.iter().any(starts)
}

/// A header's name (RFC 9110 section 5.1), any, in lower case.
fn header_name(text: &str) -> Option<String> {
    (text.len() <= LONGEST_HEADER_NAME && is_token(text)).then(|| text.to_ascii_lowercase())
}

/// The name of a header that is only looked at, in lower case.
pub(crate) struct SourceHeader;

impl Kind for SourceHeader {
    type Value = String;

    fn read(node: Node<'_, '_>) -> Option<String> {
        node.parsed("the name of a header", None, header_name)
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(
            json!({"type": "string", "pattern": header_pattern()}),
            "header name",
        )
    }
}

/// Reads a duration such as `90s`, `5m` or `1h`, from `least` to `most` seconds.
pub(crate) fn duration(node: Node<'_, '_>, least: u64, most: u64) -> Option<Duration> {
    let parsed = node.text().and_then(|text| {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        // Not `+5`, which Rust would read.
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let unit = match text.strip_prefix(digits)? {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => return None,
        };
        digits.parse::<u64>().ok()?.checked_mul(unit)
    });
    match parsed.filter(|seconds| (least..=most).contains(seconds)) {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => node.refuse(format!(
            "a duration as in `90s`, `5m` or `1h`, from `{least}s` to `{most}s`"
        )),
    }
}

/// The realm of a challenge: text that needs no escapes in a quoted string (RFC 9110 section 5.6.4).
pub(crate) struct Realm;

impl Kind for Realm {
    type Value = String;

    fn read(node: Node<'_, '_>) -> Option<String> {
        let plain = |b: u8| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\';
        let expected = "1 to 128 printable ASCII characters without quotes and backslashes";
        node.parsed(expected, None, |text| {
            let good = !text.is_empty() && text.len() <= 128 && text.bytes().all(plain);
            good.then(|| text.to_owned())
        })
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(
            json!({"type": "string", "pattern": r"^[ !#-\[\]-~]{1,128}$"}),
            "text",
        )
    }
}

/// Whether a text is a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(token)
}
