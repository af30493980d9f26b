//! What is to be done with a request, as data, and the same in words. The adapter carries it out.

use std::sync::Arc;

use serde::Serialize;

use crate::client::{Client, Finding, How, Unknown};
use crate::headers::{Edit, HeaderList, apply};
use crate::policy::Policy;
use crate::reason::{Challenge, Reason};
use crate::request::{Position, Request};
use crate::spec::{Body, Replies};

/// The verdict on one request and what follows from it.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Go on, or answer at once.
    pub verdict: Outcome,
    /// Changes to the request's headers, in order. On a refusal these are the strips only.
    pub edits: Vec<Edit>,
    /// What a shadowed policy or rule would have refused the request for.
    pub shadow: Option<Reason>,
    /// Who the client is.
    pub client: Client,
    /// How it came to this.
    pub trace: Trace,
}

/// Allow or deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request goes on, with the edits.
    Allow,
    /// The request ends here.
    Deny(Reason, Reply),
}

/// An answer in place of the upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The gRPC status, for callers that speak gRPC.
    pub grpc_status: u8,
    /// The reply's headers.
    pub headers: Vec<(String, String)>,
    /// The reply's body: a neutral phrase.
    pub body: &'static str,
}

/// How a decision came about: indices and flags only, so that it costs nothing. [`Decision::explain`](crate::Explanation) puts it in words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace {
    /// Where the proxy stands.
    pub position: Option<Position>,
    /// What the chain told.
    pub finding: Option<Finding>,
    /// Which rule decided.
    pub rule: Option<RuleRef>,
    /// Index of the provider whose token was verified.
    pub provider: Option<usize>,
    /// Whether the token was known from before.
    pub cached: bool,
    /// Whether the request was left alone: a sidecar's outbound traffic.
    pub passed: bool,
}

/// A decision on its way. What is stripped holds whatever the verdict; effects belong to a request that goes on.
#[derive(Debug)]
pub(crate) struct Draft {
    pub strips: Vec<Edit>,
    pub effects: Vec<Edit>,
    pub client: Client,
    pub trace: Trace,
}

impl Draft {
    /// Notes that a header goes, once.
    pub fn strip(&mut self, name: Arc<str>) {
        if !self.strips.iter().any(|edit| edit.name() == &*name) {
            self.strips.push(Edit::Remove(name));
        }
    }
}

/// The rule that decided about tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleRef {
    /// Index under `spec.jwt.rules`.
    Rule(usize),
    /// `spec.jwt.otherwise`.
    Otherwise,
    /// A CORS preflight that a rule, or `otherwise`, would have asked for a token.
    Preflight,
}

impl Decision {
    pub(crate) fn allow(client: Client, trace: Trace) -> Self {
        Self {
            verdict: Outcome::Allow,
            edits: Vec::new(),
            shadow: None,
            client,
            trace,
        }
    }

    /// A refusal for a reason that lies outside the engine, such as a host that did not hand over the request. It has no edits.
    pub fn refuse(reason: Reason, reply: Reply) -> Self {
        Self {
            verdict: Outcome::Deny(reason, reply),
            ..Self::allow(Client::Unknown(Unknown::NotJudged), Trace::default())
        }
    }

    /// Carries the edits out on a request's headers.
    pub fn apply_to(&self, headers: &mut HeaderList) {
        apply(&self.edits, headers);
    }

    /// The reason of a refusal.
    pub fn reason(&self) -> Option<Reason> {
        match &self.verdict {
            Outcome::Allow => None,
            Outcome::Deny(reason, _) => Some(*reason),
        }
    }
}

/// The reply to a refusal. It tells a client what it can act on (RFC 6750 section 3) and nothing about the policy. For a gRPC request the proxy makes the body a
/// `grpc-message`, which is text for people.
pub(crate) fn reply(replies: &Replies, reason: Reason, request: Option<&Request<'_>>) -> Reply {
    let grpc = request.is_some_and(Request::is_grpc);
    let status = reason.status();
    let (grpc_status, phrase, problem) = match status {
        400 => (
            3,
            "Bad Request",
            r#"{"type":"about:blank","title":"Bad Request","status":400}"#,
        ),
        401 => (
            16,
            "Unauthorized",
            r#"{"type":"about:blank","title":"Unauthorized","status":401}"#,
        ),
        _ => (
            7,
            "Forbidden",
            r#"{"type":"about:blank","title":"Forbidden","status":403}"#,
        ),
    };
    let (content_type, body) = match replies.body {
        Body::ProblemJson | Body::Plain if grpc => (None, phrase),
        Body::ProblemJson => (Some("application/problem+json"), problem),
        Body::Plain => (Some("text/plain"), phrase),
        Body::Empty => (None, ""),
    };
    let mut headers = Vec::new();
    headers.extend(content_type.map(|value| ("content-type".to_owned(), value.to_owned())));
    // A challenge has at least one parameter (RFC 6750 section 3), so there always is a realm.
    let realm = replies.realm.as_deref().unwrap_or("protected");
    match reason.challenge() {
        Challenge::None => {}
        Challenge::Plain => headers.push((
            "www-authenticate".to_owned(),
            format!("Bearer realm=\"{realm}\""),
        )),
        Challenge::Error(error) => headers.push((
            "www-authenticate".to_owned(),
            format!("Bearer realm=\"{realm}\", error=\"{error}\""),
        )),
    }
    headers.extend(
        replies
            .reason_header
            .as_ref()
            .map(|name| (name.to_string(), reason.label().to_owned())),
    );
    Reply {
        status,
        grpc_status,
        headers,
        body,
    }
}

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
                    (None, RuleRef::Rule(index)) => format!("rules[{index}]"),
                    (None, other) => format!("{other:?}"),
                }),
            provider: self
                .trace
                .provider
                .and_then(|index| policy.provider_name(index))
                .map(str::to_owned),
            position: self.trace.position.map(|position| match position {
                Position::Gateway => "Gateway",
                Position::SidecarInbound => "SidecarInbound",
                Position::SidecarOutbound => "SidecarOutbound",
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

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::{Value, json};

    fn replies(body: Body, realm: Option<&str>) -> Replies {
        Replies {
            body,
            reason_header: None,
            realm: realm.map(str::to_owned),
        }
    }

    /// RFC 9110 section 15.5, RFC 9457 section 4.2.1 (`about:blank`), and google.rpc.Code's own table of HTTP statuses.
    #[test]
    fn a_reply_says_one_thing_in_three_ways() {
        let mut statuses = Vec::new();
        for reason in Reason::ALL.iter().copied() {
            let (phrase, grpc) = match reason.status() {
                400 => ("Bad Request", 3),
                401 => ("Unauthorized", 16),
                403 => ("Forbidden", 7),
                other => panic!("{reason:?}: {other}"),
            };
            statuses.push(reason.status());
            let told = reply(&replies(Body::ProblemJson, None), reason, None);
            let body: Value = serde_json::from_str(told.body).unwrap();
            let expected =
                json!({"type": "about:blank", "title": phrase, "status": reason.status()});
            assert_eq!(
                (told.status, told.grpc_status, body),
                (reason.status(), grpc, expected)
            );
            let plain = reply(&replies(Body::Plain, None), reason, None);
            assert_eq!((plain.grpc_status, plain.body), (grpc, phrase));
            let empty = reply(&replies(Body::Empty, None), reason, None);
            assert_eq!((empty.grpc_status, empty.body), (grpc, ""));
            // RFC 9110 section 11.6.1: a 401 has a challenge.
            let challenge = |reply: &Reply| {
                let named = reply
                    .headers
                    .iter()
                    .find(|(name, _)| name == "www-authenticate");
                named.map(|(_, value)| value.clone())
            };
            let (without, with) = (
                challenge(&told),
                reply(&replies(Body::Empty, Some("shop")), reason, None),
            );
            assert!(reason.status() != 401 || without.is_some(), "{reason:?}");
            let with = challenge(&with);
            assert_eq!(
                without.map(|value| value.replace("protected", "shop")),
                with
            );
        }
        for status in [400, 401, 403] {
            assert!(statuses.contains(&status));
        }
    }
}
