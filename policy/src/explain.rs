//! A decision in words: what `filter simulate` prints, the filter logs at trace level and the browser shows.

use serde::Serialize;

use crate::chain::{Client, How, Unknown};
use crate::decision::{Decision, Edit, Outcome};
use crate::policy::Policy;

/// A decision as data for people and programs. The field names are API. No token ever stands here.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// `allow` or `deny`.
    pub outcome: &'static str,
    /// The status of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Why a shadowed policy or rule would have refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<&'static str>,
    /// The client's address, or `unknown`; absent when the chain was not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// How the client was found, or why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_from: Option<String>,
    /// The chain, when it was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<ExplainedChain>,
    /// The rule that decided about tokens: its name, its place in the list, `otherwise` or `preflight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The provider whose token was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Where the proxy stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<&'static str>,
    /// What happens to the request's headers, in order.
    pub edits: Vec<ExplainedEdit>,
}

/// What was found in a chain. Elements are counted from the right, from 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedChain {
    /// How many elements it has.
    pub elements: u32,
    /// How many from the right are trusted proxies.
    pub trusted: u32,
    /// Where the client stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_index: Option<u32>,
    /// Whether the peer may speak for others.
    pub peer_trusted: bool,
    /// What is odd.
    pub anomalies: Vec<&'static str>,
}

/// An edit: `{"remove": name}` or `{"set": [name, value]}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ExplainedEdit {
    /// Every header with this name goes.
    Remove(String),
    /// This becomes the only header with this name. The value of a header that carries credentials is left out.
    Set(String, String),
}

impl Decision {
    /// Puts the decision of this policy in words.
    pub fn explain(&self, policy: &Policy) -> Explanation {
        let (outcome, status, reason) = match &self.verdict {
            Outcome::Allow => ("allow", None, None),
            Outcome::Deny(reason, reply) => ("deny", Some(reply.status), Some(reason.label())),
        };
        let (client, client_from) = match self.client {
            Client::Known(address, how) => {
                (Some(address.to_string()), Some(how_found(how).to_owned()))
            }
            Client::Unknown(Unknown::NotJudged) => (None, None),
            Client::Unknown(Unknown::NoChain) => {
                (Some("unknown".to_owned()), Some("noChain".to_owned()))
            }
            Client::Unknown(Unknown::Anomaly(anomaly)) => {
                (Some("unknown".to_owned()), Some(anomaly.name().to_owned()))
            }
        };
        Explanation {
            outcome,
            status,
            reason,
            shadow: self.shadow.map(|reason| reason.label()),
            client,
            client_from,
            chain: self.trace.finding.map(|finding| ExplainedChain {
                elements: finding.elements,
                trusted: finding.trusted,
                client_index: finding.client_index,
                peer_trusted: finding.peer_trusted,
                anomalies: finding
                    .anomalies
                    .iter()
                    .map(|anomaly| anomaly.name())
                    .collect(),
            }),
            rule: self
                .trace
                .rule
                .map(|rule| match (policy.rule_name(rule), rule) {
                    (Some(name), _) => name.to_owned(),
                    (None, crate::RuleRef::Rule(index)) => format!("rules[{index}]"),
                    (None, other) => format!("{other:?}"),
                }),
            provider: self
                .trace
                .provider
                .and_then(|index| policy.provider_name(index))
                .map(str::to_owned),
            position: self.trace.position.map(|position| match position {
                crate::Position::Gateway => "Gateway",
                crate::Position::SidecarInbound => "SidecarInbound",
                crate::Position::SidecarOutbound => "SidecarOutbound",
            }),
            edits: self
                .edits
                .iter()
                .map(|edit| explain_edit(edit, policy))
                .collect(),
        }
    }
}

const fn how_found(how: How) -> &'static str {
    match how {
        How::Chain => "chain",
        How::Peer => "peer",
        How::Vouched => "vouched",
        How::AllTrusted => "allTrusted",
        How::Canonical => "canonical",
    }
}

fn explain_edit(edit: &Edit, policy: &Policy) -> ExplainedEdit {
    match edit {
        Edit::Remove(name) => ExplainedEdit::Remove(name.to_string()),
        // What is left after a token was taken out may hold other secrets.
        Edit::Set(name, _) if matches!(&**name, "cookie" | ":path") => {
            ExplainedEdit::Set(name.to_string(), "<without the token>".to_owned())
        }
        Edit::Set(name, _) if policy.hides(name) => {
            ExplainedEdit::Set(name.to_string(), "<the token's payload>".to_owned())
        }
        Edit::Set(name, value) => ExplainedEdit::Set(
            name.to_string(),
            String::from_utf8_lossy(value).into_owned(),
        ),
    }
}
