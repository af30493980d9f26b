//! What a case says; the format is testdata/README.md.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::scenario::{HeaderValue, Scenario};
use policy::Position;
use serde::Deserialize;
use serde_json::Value;

use crate::fault::{HostFault, Verification};
use crate::token::Token;

/// One request, the policy that judges it, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// A sentence, unique.
    pub name: String,
    /// Who says that the expected result is right. Every case of ours says it; the user's may.
    pub source: Option<String>,
    /// A name of the file's `policies`, or a `spec` in place.
    pub policy: PolicyChoice,
    /// Where the proxy stands; `null`: its host can't tell. Every case of ours says which; else it is a gateway.
    #[serde(default = "gateway")]
    pub position: Option<Position>,
    /// The connection's peer.
    pub peer: Option<IpAddr>,
    /// The peer's mTLS identity.
    pub peer_identity: Option<String>,
    /// Whether the connection is TLS; it is with a peer identity.
    pub tls: Option<bool>,
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// The path.
    #[serde(default = "root")]
    pub path: String,
    /// The authority.
    #[serde(default = "shop")]
    pub host: String,
    /// As the client sends them.
    #[serde(default)]
    pub headers: Vec<(String, CaseValue)>,
    /// Put where `{{name}}` stands.
    #[serde(default)]
    pub tokens: BTreeMap<String, Token>,
    /// Where it runs; by default everywhere.
    pub depths: Option<Vec<Depth>>,
    /// Why not everywhere.
    pub why: Option<String>,
    /// The status with which Envoy answers before any filter.
    pub envoy_refuses: Option<u16>,
    /// The reference vector that the case is.
    pub vector: Option<String>,
    /// The anomaly that the case shows, and the policy's action for it: `[tooLong, Strip]`.
    pub anomaly: Option<(String, String)>,
    /// Host calls that fail or lie from the first request on; at the depth `wasmtime` only.
    #[serde(default)]
    pub host_faults: BTreeMap<String, HostFault>,
    /// What comes of checking a signature; at the depth `native` only. By default it is checked.
    pub verify: Option<Verification>,
    /// What must come of it.
    pub expect: Expect,
}

/// A name of the file's `policies`, or a `spec` in place.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum PolicyChoice {
    /// A name.
    Named(String),
    /// A spec.
    Spec(Value),
}

/// Where a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Depth {
    /// The engine.
    Native,
    /// The module in our host.
    Wasmtime,
    /// The module in Envoy.
    Envoy,
    /// The browser's build.
    Playground,
}

/// What must come of a case.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expect {
    /// Does the request go on?
    pub outcome: Outcome,
    /// The reply's status.
    pub status: Option<u16>,
    /// The refusal's reason, or the shadowed reason of an allow.
    pub reason: Option<String>,
    /// The client's address, or `unknown`.
    pub client: Option<String>,
    /// The rule's name, or `otherwise`.
    pub rule: Option<String>,
    /// Headers that differ from what Envoy hands to the filter.
    #[serde(default)]
    pub headers: BTreeMap<String, ExpectedHeader>,
    /// Headers of the reply.
    #[serde(default)]
    pub reply: BTreeMap<String, Option<String>>,
}

/// Does the request go on?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It goes on.
    Allow,
    /// It is answered.
    Deny,
}

/// What a header must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum ExpectedHeader {
    /// Absent.
    Absent(()),
    /// Once.
    Once(CaseValue),
    /// As often as listed, in order.
    Several(Vec<CaseValue>),
}

impl Case {
    /// Whether the case runs at `depth`, and comes to a filter there.
    #[must_use]
    pub fn runs_at(&self, depth: Depth) -> bool {
        self.depths
            .as_ref()
            .is_none_or(|depths| depths.contains(&depth))
    }

    /// What the case says about depths, and can't be.
    pub(crate) fn check(&self) -> Result<(), String> {
        let only = |field: &str, depth: &str| {
            format!(
                "{}: `{field}` runs at the depth {depth} only, expected `depths: [{depth}]` and `why`",
                self.name
            )
        };
        let depths = self.depths.as_deref();
        if !self.host_faults.is_empty() && depths != Some(&[Depth::Wasmtime]) {
            return Err(only("hostFaults", "wasmtime"));
        }
        if self.position.is_none() && self.runs_at(Depth::Envoy) {
            return Err(format!(
                "{}: `position: null` can't run in Envoy, which always tells; expected `depths` without `envoy`",
                self.name
            ));
        }
        if self.verify.is_some() && depths != Some(&[Depth::Native]) {
            return Err(only("verify", "native"));
        }
        Ok(())
    }

    /// The request, with `tokens` put in place.
    #[must_use]
    pub fn scenario(&self, tokens: &BTreeMap<String, String>, now: f64) -> Scenario {
        let position = self.position;
        let default_peer =
            (position == Some(Position::Gateway)).then(|| IpAddr::from([192, 0, 2, 1]));
        let mut headers = vec![("host".to_owned(), HeaderValue::Text(self.host.clone()))];
        headers.extend(
            self.headers
                .iter()
                .map(|(name, value)| (name.clone(), value.fill(tokens))),
        );
        Scenario {
            id: None,
            position,
            peer: self.peer.or(default_peer),
            peer_identity: self.peer_identity.clone(),
            tls: self.tls.unwrap_or(self.peer_identity.is_some()),
            method: self.method.clone(),
            path: fill(&self.path, tokens),
            headers,
            now: Some(now),
        }
    }
}

/// A header's value as a case writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum CaseValue {
    /// A long text.
    Repeated {
        /// What is repeated.
        repeat: String,
        /// How often.
        times: usize,
        /// What stands behind it.
        #[serde(default)]
        end: String,
    },
    /// Text or bytes.
    Plain(HeaderValue),
}

impl CaseValue {
    /// The bytes, as they are expected.
    #[must_use]
    pub fn bytes(&self, tokens: &BTreeMap<String, String>) -> Vec<u8> {
        self.fill(tokens).bytes()
    }

    fn fill(&self, tokens: &BTreeMap<String, String>) -> HeaderValue {
        match self {
            Self::Repeated { repeat, times, end } => {
                HeaderValue::Text(fill(&repeat.repeat(*times), tokens) + &fill(end, tokens))
            }
            Self::Plain(HeaderValue::Text(text)) => HeaderValue::Text(fill(text, tokens)),
            Self::Plain(bytes) => bytes.clone(),
        }
    }
}

fn fill(text: &str, tokens: &BTreeMap<String, String>) -> String {
    tokens.iter().fold(text.to_owned(), |text, (name, token)| {
        text.replace(&format!("{{{{{name}}}}}"), token)
    })
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

fn shop() -> String {
    "shop.example.com".to_owned()
}
