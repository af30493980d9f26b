//! Tokens never reach our output: header values that may hold one are replaced.

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
        shown.push_str(if looks_like_token(word) {
            REDACTED
        } else {
            word
        });
        shown.push_str(separator);
    }
    shown
}

/// A value with every text in it made fit to be shown.
pub fn json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(anything(&text)),
        Value::Array(elements) => elements.into_iter().map(json).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name, json(member)))
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

/// A JSON object in base64url begins with `eyJ` or, with a space after the brace, `eyA`…; two dots make it a JWS.
fn looks_like_token(word: &str) -> bool {
    word.starts_with("ey") && word.len() >= 20 && word.contains('.')
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
        assert_eq!(header("x-client-ip", "2001:db8::1"), "2001:db8::1");
    }
}
