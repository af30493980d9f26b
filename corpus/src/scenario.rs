//! A request as a person writes it, and what Envoy makes of it before any filter runs. Shared by `filter simulate`, the corpus and the browser; no part of the filter.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use policy::{HeaderList, Headers, Peer, Position, Request};

/// A request as the client sends it, and the proxy that it meets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Anything; answers carry it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<serde_json::Value>,
    /// Where the proxy stands. Default: a gateway; `null`: its host can't tell.
    #[serde(default = "gateway")]
    pub position: Option<Position>,
    /// The address of the connection's peer. At a gateway Envoy appends it to `x-forwarded-for`; without it the headers are taken as the filter sees them, the last element being the
    /// peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// The SPIFFE id of an mTLS peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_identity: Option<String>,
    /// Whether the connection is TLS; an identity implies it.
    #[serde(default)]
    pub tls: bool,
    /// The method. Default: `GET`.
    #[serde(default = "get")]
    pub method: String,
    /// The path and query. Default: `/`.
    #[serde(default = "root")]
    pub path: String,
    /// Name and value, in order.
    #[serde(default)]
    pub headers: Vec<(String, HeaderValue)>,
    /// Seconds since 1970. Whoever runs the scenario fills it in when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<f64>,
}

/// A header's value: text, or bytes that are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderValue {
    /// As it stands.
    Text(String),
    /// Hexadecimal digits.
    Bytes {
        /// Two for each byte.
        hex: String,
    },
}

impl HeaderValue {
    /// The bytes; a broken `hex` has none.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Bytes { hex } => {
                let digit = |b: &u8| char::from(*b).to_digit(16);
                let pairs = hex.as_bytes().chunks(2).map(|pair| match pair {
                    [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
                    _ => None,
                });
                pairs.collect::<Option<_>>().unwrap_or_default()
            }
        }
    }
}

fn gateway() -> Option<Position> {
    Some(Position::Gateway)
}

fn get() -> String {
    "GET".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            id: None,
            position: gateway(),
            peer: None,
            peer_identity: None,
            tls: false,
            method: get(),
            path: root(),
            headers: Vec::new(),
            now: None,
        }
    }
}

/// A scenario as it reaches a filter.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// All headers, pseudo headers first, names in lower case.
    pub headers: HeaderList,
    /// Where the proxy stands.
    pub position: Option<Position>,
    /// The peer's address where Envoy would show it: a connection without `x-forwarded-for`, or a policy that emulates Envoy and was told.
    pub peer: Option<IpAddr>,
    /// The peer's SPIFFE id.
    pub peer_identity: Option<String>,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The time since 1970.
    pub now: Duration,
}

impl Scenario {
    /// What Envoy hands to its filters: lower-case names, pseudo headers, joined `x-forwarded-for` lines with the peer appended at a gateway, `x-forwarded-proto` where it is missing.
    pub fn arrive(&self) -> Arrived {
        let mut headers: HeaderList = vec![
            (b":method".to_vec(), self.method.clone().into_bytes()),
            (b":path".to_vec(), self.path.clone().into_bytes()),
            (b":authority".to_vec(), b"localhost".to_vec()),
            (
                b":scheme".to_vec(),
                if self.tls || self.peer_identity.is_some() {
                    b"https".to_vec()
                } else {
                    b"http".to_vec()
                },
            ),
        ];
        let mut chain: Option<Vec<u8>> = None;
        for (name, value) in &self.headers {
            let (name, value) = (name.to_ascii_lowercase().into_bytes(), value.bytes());
            match name.as_slice() {
                b"x-forwarded-for" => join(&mut chain, &value),
                b"host" | b":authority" => replace(&mut headers, b":authority", value),
                b":method" | b":path" | b":scheme" => replace(&mut headers, &name, value),
                _ => headers.push((name, value)),
            }
        }
        if let (Some(Position::Gateway), Some(peer)) = (self.position, self.peer) {
            join(&mut chain, peer.to_string().as_bytes());
        }
        headers.extend(chain.map(|chain| (b"x-forwarded-for".to_vec(), chain)));
        if !headers.iter().any(|(name, _)| name == b"x-forwarded-proto") {
            let scheme = headers
                .iter()
                .find(|(name, _)| name == b":scheme")
                .map(|(_, scheme)| scheme.clone());
            headers.push((b"x-forwarded-proto".to_vec(), scheme.unwrap_or_default()));
        }
        Arrived {
            headers,
            position: self.position,
            peer: self.peer,
            peer_identity: self.peer_identity.clone(),
            tls: self.tls || self.peer_identity.is_some(),
            now: Duration::try_from_secs_f64(self.now.unwrap_or(0.0)).unwrap_or_default(),
        }
    }
}

fn join(chain: &mut Option<Vec<u8>>, line: &[u8]) {
    match chain {
        Some(chain) if !line.is_empty() && !chain.is_empty() => {
            chain.push(b',');
            chain.extend_from_slice(line);
        }
        Some(chain) if chain.is_empty() => chain.extend_from_slice(line),
        Some(_) => {}
        None => *chain = Some(line.to_vec()),
    }
}

fn replace(headers: &mut HeaderList, name: &[u8], value: Vec<u8>) {
    if let Some(header) = headers.iter_mut().find(|(header, _)| header == name) {
        header.1 = value;
    }
}

impl Arrived {
    /// Borrowed pairs, as a request holds them.
    pub fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
            .collect()
    }

    /// The request; `pairs` come from [`Arrived::pairs`].
    pub fn request<'a>(&'a self, pairs: &'a [(&'a [u8], &'a [u8])]) -> Request<'a> {
        Request {
            headers: Headers::new(pairs),
            peer: Peer {
                address: self.peer,
                identity: self.peer_identity.as_deref().map(str::as_bytes),
            },
            position: self.position,
            tls: self.tls,
            now: self.now,
        }
    }
}
