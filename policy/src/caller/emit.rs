//! Verified claims as header values.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;

use super::json::Json;
use super::token::Claims;
use crate::headers::Edit;
use crate::spec::{Encoding, Provider};

/// A longer value is left out: the next hop would refuse the whole request for it.
const MOST_BYTES: usize = 8192;

/// The edits that publish what the provider's configuration names. A claim that is absent or can't be written in its encoding gives no header.
pub(crate) fn edits(provider: &Provider, claims: &Claims) -> Vec<Edit> {
    let mut edits = Vec::new();
    for emitted in &provider.claims_to_headers {
        let value = claims
            .at(&emitted.claim.0)
            .and_then(|claim| encode(claim, emitted.encoding));
        if let Some(value) = value.filter(|value| value.len() <= MOST_BYTES) {
            edits.push(Edit::set(emitted.header.as_str(), value));
        }
    }
    if let Some(header) = &provider.payload_header {
        edits.push(Edit::set(header.as_str(), claims.payload.clone()));
    }
    edits
}

fn encode(claim: &Json, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Text => plain(claim)
            .filter(|text| is_header_value(text))
            .map(String::into_bytes),
        Encoding::Json => ascii_json(claim).map(String::into_bytes),
        Encoding::Base64Url => {
            let bytes = match claim {
                Json::Text(text) => text.clone().into_bytes(),
                other => serde_json::to_vec(other).ok()?,
            };
            Some(BASE64URL.encode(bytes).into_bytes())
        }
    }
}

/// A scalar as text, or a list of scalars with commas; a comma inside an item would make two of it.
fn plain(claim: &Json) -> Option<String> {
    match claim {
        Json::Text(text) => Some(text.clone()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::List(items) => {
            let items = items.iter().map(|item| match item {
                Json::List(_) | Json::Object(_) => None,
                scalar => plain(scalar).filter(|text| !text.contains(',') && is_header_value(text)),
            });
            items
                .collect::<Option<Vec<_>>>()
                .map(|items| items.join(","))
        }
        Json::Null | Json::Object(_) => None,
    }
}

/// Printable ASCII without spaces at the ends (RFC 9110 section 5.5 without its obsolete part).
fn is_header_value(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b)) && text.trim_ascii() == text && !text.is_empty()
}

/// JSON with everything beyond ASCII escaped.
fn ascii_json(claim: &Json) -> Option<String> {
    let json = serde_json::to_string(claim).ok()?;
    if json.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Some(json);
    }
    let mut ascii = String::with_capacity(json.len() * 2);
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
    Some(ascii)
}
