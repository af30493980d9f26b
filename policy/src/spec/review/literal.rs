//! `*` and `{…}` that look like wildcards and are compared as they stand.

use serde_json::Value;

use crate::spec::read::shown;
use crate::spec::{ConfigError, Problems};

/// A field whose texts are compared.
struct Field {
    /// Under `spec`; `[]` is each item of a list.
    path: &'static str,
    stars: Stars,
    hint: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stars {
    /// Each stands for itself.
    None,
    /// A last one matches any rest.
    Last,
    /// The reader of the field refuses those that are no wildcards.
    Read,
}

const WHOLE: &str = "it is compared as a whole: name each that is meant";
const HEADER: &str = "a header is named as a whole";
const CLAIM: &str = "a claim is named as a whole; a list of names is the way to one in an object";
const PATH: &str = "braces stand for themselves here, and no path holds them unescaped (RFC 3986 section 3.3): `/tree/*` is all below `/tree`; write `%7B` and `%7D` for braces that are meant";

const FIELDS: [Field; 18] = [
    field(
        "jwt.providers[].issuer",
        Stars::None,
        "`iss` is compared as a whole: each issuer is a provider of its own",
    ),
    field("jwt.providers[].audiences[]", Stars::None, WHOLE),
    field(
        "jwt.providers[].subjects[]",
        Stars::Last,
        "only a last `*` is a wildcard",
    ),
    field("jwt.providers[].types[]", Stars::None, WHOLE),
    field("jwt.providers[].fromHeaders[].name", Stars::None, HEADER),
    field(
        "jwt.providers[].fromHeaders[].prefix",
        Stars::None,
        "a prefix is what stands before each token",
    ),
    field(
        "jwt.providers[].fromCookies[]",
        Stars::None,
        "a cookie is named as a whole",
    ),
    field(
        "jwt.providers[].fromParams[]",
        Stars::None,
        "a parameter is named as a whole",
    ),
    field(
        "jwt.providers[].claimsToHeaders[].claim",
        Stars::None,
        CLAIM,
    ),
    field(
        "jwt.providers[].claimsToHeaders[].header",
        Stars::None,
        HEADER,
    ),
    field("jwt.providers[].payloadHeader", Stars::None, HEADER),
    field("jwt.rules[].paths[]", Stars::Read, PATH),
    field("jwt.rules[].claims[].claim", Stars::None, CLAIM),
    field("forwarded.exempt.paths[]", Stars::Read, PATH),
    field(
        "forwarded.companions.keep[]",
        Stars::None,
        "each header that stays is named; `also` takes prefixes",
    ),
    field("forwarded.clientIpHeader", Stars::None, HEADER),
    field("replies.reasonHeader", Stars::None, HEADER),
    field(
        "forwarded.trust.identities[]",
        Stars::Last,
        "a SPIFFE id has no braces; only a last `*` is a wildcard",
    ),
];

/// Scopes such as `read:*` exist, so these can be meant.
const VALUES: [&str; 2] = [
    "jwt.rules[].claims[].equals",
    "jwt.rules[].claims[].contains",
];

const fn field(path: &'static str, stars: Stars, hint: &'static str) -> Field {
    Field { path, stars, hint }
}

pub fn review(spec: &Value, findings: &mut Problems, warnings: &mut Problems) {
    for Field { path, stars, hint } in FIELDS {
        texts(spec, path, "spec".to_owned(), &mut |place, text| {
            let compared = match (stars, text.strip_suffix('*')) {
                (Stars::Last, Some(rest)) => rest,
                _ => text,
            };
            let marks: &[char] = match stars {
                Stars::Read => &['{', '}'],
                Stars::None | Stars::Last => &['*', '{', '}'],
            };
            if let Some(mark) = compared.chars().find(|c| marks.contains(c)) {
                let found = format!("`{}`, where `{mark}` stands for itself", shown(text));
                findings.push(ConfigError::new(place, found, "no wildcard here").hint(hint));
            }
        });
    }
    for path in VALUES {
        texts(spec, path, "spec".to_owned(), &mut |place, text| {
            if text.contains('*') {
                let found = format!("`{}`, where `*` stands for itself", shown(text));
                let warning = ConfigError::new(place, found, "the value as tokens have it");
                warnings.push(warning.hint("fine if tokens hold exactly that"));
            }
        });
    }
}

/// Each text at a path, with its place. A list at the end of a path is all of its items.
fn texts(value: &Value, path: &str, place: String, each: &mut impl FnMut(String, &str)) {
    if let Some(rest) = path.strip_prefix("[]") {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            texts(item, rest, format!("{place}[{index}]"), each);
        }
    } else if let Some((name, rest)) = next(path) {
        if let Some(value) = value.get(name) {
            texts(value, rest, format!("{place}.{name}"), each);
        }
    } else if let Some(text) = value.as_str() {
        each(place, text);
    } else if value.is_array() {
        texts(value, "[]", place, each);
    }
}

/// The next name of a path, and what is behind it.
fn next(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('.').unwrap_or(path);
    let end = path.find(['.', '[']).unwrap_or(path.len());
    path.split_at_checked(end)
        .filter(|(name, _)| !name.is_empty())
}
