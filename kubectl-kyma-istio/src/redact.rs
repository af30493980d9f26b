//! Tokens never reach our output: header values that may hold one are replaced.

use std::ffi::OsString;

use serde_json::Value;

/// The value as it may be shown.
pub fn header(name: &str, value: &str) -> String {
    if is_secret(name) {
        return hide(value);
    }
    if name.eq_ignore_ascii_case(":path") {
        query(value)
    } else {
        anything(value)
    }
}

/// A text that may hold a token anywhere, as a log line or an error.
pub fn anything(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // The separators stay where they were.
    for piece in text.split_inclusive(|c: char| {
        !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '='))
    }) {
        let end = piece
            .trim_end_matches(|c: char| {
                !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '='))
            })
            .len();
        let (word, separator) = piece.split_at(end);
        match token(word) {
            Some(start) => {
                shown.push_str(word.get(..start).unwrap_or_default());
                shown.push_str(REDACTED);
            }
            None => shown.push_str(word),
        }
        shown.push_str(separator);
    }
    shown
}

/// Wrong usage as it may be shown: without tokens, and without `secrets` whatever their form.
pub fn usage(text: &str, secrets: &[String]) -> String {
    let shown = secrets
        .iter()
        .filter(|secret| secret.len() >= 4)
        .fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), REDACTED)
        });
    anything(&shown)
}

/// The values of `--token` on a command line, understood or not.
pub fn token_flags(arguments: &[OsString]) -> Vec<String> {
    let text = |argument: &OsString| argument.to_string_lossy().into_owned();
    let behind = arguments
        .iter()
        .zip(arguments.iter().skip(1))
        .filter(|(flag, _)| *flag == "--token")
        .map(|(_, value)| text(value));
    let joined = arguments
        .iter()
        .filter_map(|argument| Some(text(argument).strip_prefix("--token=")?.to_owned()));
    behind
        .chain(joined)
        .filter(|value| !value.starts_with("--"))
        .collect()
}

/// A value with every text in it made fit to be shown.
pub fn json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(anything(&text)),
        Value::Array(elements) => elements.into_iter().map(json).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (anything(&name), json(member)))
            .collect(),
        other => other,
    }
}

const REDACTED: &str = "<redacted>";

fn is_secret(name: &str) -> bool {
    const SECRET: [&str; 4] = [
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
    ];
    SECRET
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
        || name.to_ascii_lowercase().contains("token")
}

fn hide(value: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphabetic()) => {
            format!("{scheme} {REDACTED}")
        }
        _ => REDACTED.to_owned(),
    }
}

/// A query's parameters may hold a token under any name.
fn query(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else {
        return anything(path);
    };
    let names: Vec<String> = query
        .split('&')
        .map(|pair| {
            pair.split_once('=')
                .map_or(pair.to_owned(), |(name, _)| format!("{name}={REDACTED}"))
        })
        .collect();
    format!("{}?{}", anything(path), names.join("&"))
}

/// Where a token begins: at the word's start, or behind what joins it to a path or a flag (`spec.eyJ…`, `--now=eyJ…`).
/// `eyJ` is looked for anywhere: an escape may touch it (`%20eyJ…`).
/// A JSON object in base64url begins with `eyJ`, with a space after the brace with `eyA`…, with a line's end with `ew`; two dots make it a JWS.
fn token(word: &str) -> Option<usize> {
    const BRACE: [&str; 4] = ["ey", "ewo", "ew0", "ewk"];
    let starts = std::iter::once(0).chain(
        word.match_indices(|c: char| !c.is_ascii_alphanumeric())
            .map(|(joint, _)| joint + 1),
    );
    let escaped = word.match_indices("eyJ").map(|(start, _)| start);
    starts.chain(escaped).find(|start| {
        let rest = word.get(*start..).unwrap_or_default();
        rest.len() >= 20 && rest.contains('.') && BRACE.iter().any(|brace| rest.starts_with(brace))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl";

    #[test]
    fn a_token_is_shown_nowhere() {
        assert_eq!(
            header("Authorization", &format!("Bearer {TOKEN}")),
            "Bearer <redacted>"
        );
        assert_eq!(header("cookie", "a=b; c=d"), "<redacted>");
        assert_eq!(
            header(":path", &format!("/x?access_token={TOKEN}&b")),
            "/x?access_token=<redacted>&b"
        );
        assert_eq!(
            anything(&format!("bad value `{TOKEN}`, sorry")),
            "bad value `<redacted>`, sorry"
        );
        assert_eq!(
            anything(&format!("spec.{TOKEN}: --now={TOKEN}")),
            "spec.<redacted>: --now=<redacted>"
        );
        assert_eq!(header("x-client-ip", "2001:db8::1"), "2001:db8::1");
    }
}
