//! What is to be done with a request, as data. The adapter carries it out.

use std::sync::Arc;

use crate::chain::{Client, Finding, Unknown};
use crate::config::{Body, Replies};
use crate::reason::{Challenge, Reason};
use crate::request::Position;

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

/// A change to a request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Every header with this name goes.
    Remove(Arc<str>),
    /// This becomes the only header with this name.
    Set(Arc<str>, Arc<[u8]>),
}

impl Edit {
    pub(crate) fn remove(name: impl Into<Arc<str>>) -> Self {
        Self::Remove(name.into())
    }

    pub(crate) fn set(name: impl Into<Arc<str>>, value: impl Into<Arc<[u8]>>) -> Self {
        Self::Set(name.into(), value.into())
    }

    /// The header's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Remove(name) | Self::Set(name, _) => name,
        }
    }
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

    /// The reason of a refusal.
    pub fn reason(&self) -> Option<Reason> {
        match &self.verdict {
            Outcome::Allow => None,
            Outcome::Deny(reason, _) => Some(*reason),
        }
    }
}

/// The reply to a refusal. It tells a client what it can act on (RFC 6750 section 3) and nothing about the policy.
pub(crate) fn reply(replies: &Replies, reason: Reason) -> Reply {
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
        Body::ProblemJson => (Some("application/problem+json"), problem),
        Body::Plain => (Some("text/plain"), phrase),
        Body::Empty => (None, ""),
    };
    let mut headers = Vec::with_capacity(3);
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
