//! One request: take it from the wire, let the filter judge it, answer it or pass it on.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use corpus::{by_name, text};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use wasm_host::{LocalReply, Pairs};

use super::arrive::{self, Refusal};
use super::judge::{Judge, Judgement, Verdict};
use super::line::{Line, Note, Word};
use super::upstream::Upstream;
use crate::redact;

/// What all connections share.
pub struct Server {
    pub judge: Mutex<Judge>,
    upstream: Option<Upstream>,
    /// The SPIFFE id that every peer is said to have.
    identity: Option<String>,
    notes: mpsc::Sender<Note>,
}

/// An answer of ours, or an upstream's as it comes.
type Answer = Response<Either<Full<Bytes>, Incoming>>;

/// An answer, and what is told of it.
struct Answered {
    response: Answer,
    verdict: Word,
    reason: Option<String>,
    client: Option<String>,
    trouble: Option<String>,
}

impl Server {
    pub fn new(
        judge: Judge,
        upstream: Option<Upstream>,
        identity: Option<String>,
        notes: mpsc::Sender<Note>,
    ) -> Self {
        let judge = Mutex::new(judge);
        Self {
            judge,
            upstream,
            identity,
            notes,
        }
    }

    /// Tells something. When nobody listens any more the server ends.
    pub async fn note(&self, note: Note) {
        let _ = self.notes.send(note).await;
    }

    /// Answers a request.
    pub async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Result<Answer, Infallible> {
        let (mut head, body) = request.into_parts();
        let answered = self.clone().handle(peer, &mut head, body).await;
        let line = Line {
            method: head.method.to_string(),
            path: head
                .uri
                .path_and_query()
                .map_or_else(|| head.uri.to_string(), ToString::to_string),
            verdict: answered.verdict,
            status: answered.response.status().as_u16(),
            reason: answered.reason,
            client: answered.client,
            trouble: answered.trouble,
        };
        self.note(Note::Request(line)).await;
        Ok(answered.response)
    }

    async fn handle(self: Arc<Self>, peer: IpAddr, head: &mut Parts, body: Incoming) -> Answered {
        let scenario = match arrive::scenario(head, peer, self.identity.as_deref()) {
            Ok(scenario) => scenario,
            Err(Refusal { status, why }) => {
                return Answered::told(Word::Refuse, status, why.to_owned());
            }
        };
        // The VM is no async code, and a bad token costs it milliseconds.
        let judging = self.clone();
        let judged =
            tokio::task::spawn_blocking(move || super::lock(&judging.judge).judge(scenario)).await;
        let Ok(Judgement {
            verdict,
            reason,
            client,
        }) = judged
        else {
            let why = "the filter's host stopped".to_owned();
            return Answered::told(Word::Fail, StatusCode::INTERNAL_SERVER_ERROR, why);
        };
        let answered = match verdict {
            Verdict::Allow(headers) => match &self.upstream {
                Some(upstream) => passed_on(upstream, headers, body).await,
                None => shown(&headers, body, reason.as_deref(), client.as_deref()).await,
            },
            Verdict::Deny(reply) => denied(*reply),
            Verdict::Failed(why) => {
                Answered::told(Word::Fail, StatusCode::INTERNAL_SERVER_ERROR, why)
            }
        };
        Answered {
            reason,
            client,
            ..answered
        }
    }
}

impl Answered {
    fn new(verdict: Word, response: Answer) -> Self {
        Self {
            response,
            verdict,
            reason: None,
            client: None,
            trouble: None,
        }
    }

    /// An answer that the server gives itself: one line for the client, the same for the log.
    fn told(verdict: Word, status: StatusCode, why: String) -> Self {
        let mut response = plain(status, format!("{why}\n"));
        let text = HeaderValue::from_static("text/plain");
        response.headers_mut().insert(CONTENT_TYPE, text);
        Self {
            trouble: Some(why),
            ..Self::new(verdict, response)
        }
    }
}

async fn passed_on(upstream: &Upstream, headers: Pairs, body: Incoming) -> Answered {
    match upstream.forward(headers, body).await {
        Ok(response) => Answered::new(Word::Allow, response.map(Either::Right)),
        Err(why) => Answered::told(
            Word::Allow,
            StatusCode::BAD_GATEWAY,
            format!("upstream {upstream}: {why}"),
        ),
    }
}

/// What an upstream would see.
async fn shown(
    headers: &Pairs,
    mut body: Incoming,
    reason: Option<&str>,
    client: Option<&str>,
) -> Answered {
    let mut bytes = 0_usize;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes += frame.data_ref().map_or(0, Bytes::len),
            Err(error) => {
                let why = format!("the request's body broke off: {error}");
                return Answered::told(Word::Allow, StatusCode::BAD_REQUEST, why);
            }
        }
    }
    // People paste such answers into tickets: credentials are hidden here too.
    let value = |name: &str, values: &[Vec<u8>]| {
        let values = values
            .iter()
            .map(|value| redact::header(name, &text(value)));
        Value::from(values.collect::<Vec<_>>().join(", "))
    };
    let (pseudo, headers): (Vec<_>, Vec<_>) = by_name(headers)
        .into_iter()
        .map(|(name, values)| (name.clone(), value(&name, &values)))
        .partition(|(name, _)| name.starts_with(':'));
    let pseudo = |wanted: &str| {
        let found = pseudo.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    let answer = json!({
        "outcome": "allow",
        "reason": reason,
        "client": client,
        "request": {
            "method": pseudo(":method"),
            "path": pseudo(":path"),
            "host": pseudo(":authority"),
            "headers": Value::from_iter(headers),
            "bodyBytes": bytes,
        },
    });
    let mut response = plain(StatusCode::OK, format!("{answer:#}\n"));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Answered::new(Word::Allow, response)
}

/// The filter's own answer, as it is.
fn denied(reply: LocalReply) -> Answered {
    let unfit = |what: &str| {
        let why = format!("the filter's reply has {what} that can't be sent");
        Answered::told(Word::Fail, StatusCode::INTERNAL_SERVER_ERROR, why)
    };
    let status = u16::try_from(reply.status).ok();
    let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) else {
        return unfit("a status");
    };
    let has_body = !reply.body.is_empty();
    let mut response = plain(status, reply.body);
    for (name, value) in &reply.headers {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        else {
            return unfit("a header");
        };
        response.headers_mut().append(name, value);
    }
    // As Envoy does.
    if has_body {
        let entry = response.headers_mut().entry(CONTENT_TYPE);
        entry.or_insert(HeaderValue::from_static("text/plain"));
    }
    Answered::new(Word::Deny, response)
}

fn plain(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    response
}
