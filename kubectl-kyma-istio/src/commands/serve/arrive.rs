//! A request from the wire as a scenario: what the client sent, and who it is. What Envoy makes of it before a filter runs is `Scenario::arrive`.

use std::net::IpAddr;

use corpus::{HeaderValue, Scenario};
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Version};

use super::hop;

/// A request that no filter would see.
pub struct Refusal {
    pub status: StatusCode,
    /// What was found, and what was expected.
    pub why: &'static str,
}

/// The request without the headers of its connection, or why a proxy would not take it.
pub fn scenario(
    head: &mut Parts,
    peer: IpAddr,
    identity: Option<&str>,
) -> Result<Scenario, Refusal> {
    let refuse = |status, why| Err(Refusal { status, why });
    if head.version != Version::HTTP_11 {
        return refuse(
            StatusCode::UPGRADE_REQUIRED,
            "an older HTTP, expected HTTP/1.1",
        );
    }
    if head.method == Method::CONNECT {
        return refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            "CONNECT, expected a request that is no tunnel",
        );
    }
    // RFC 9112 section 3.2.
    if head.headers.get_all(HOST).iter().count() != 1 {
        return refuse(
            StatusCode::BAD_REQUEST,
            "no or several `host` headers, expected one",
        );
    }
    hop::strip(&mut head.headers);
    let mut headers: Vec<(String, HeaderValue)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), bytes(value.as_bytes())))
        .collect();
    // `GET http://shop.example/ HTTP/1.1` names the host itself and wins (RFC 9112 section 3.2.2).
    if let Some(authority) = head.uri.authority() {
        headers.retain(|(name, _)| name != HOST.as_str());
        headers.push((HOST.to_string(), bytes(authority.as_str().as_bytes())));
    }
    let path = head
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    Ok(Scenario {
        peer: Some(peer),
        peer_identity: identity.map(str::to_owned),
        method: head.method.to_string(),
        path,
        headers,
        ..Scenario::default()
    })
}

fn bytes(value: &[u8]) -> HeaderValue {
    match std::str::from_utf8(value) {
        Ok(text) => HeaderValue::Text(text.to_owned()),
        Err(_) => HeaderValue::Bytes {
            hex: value.iter().map(|byte| format!("{byte:02x}")).collect(),
        },
    }
}
