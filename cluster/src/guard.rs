//! The layer below every request: in a dry run it refuses what could write, always it keeps the list of requests.
//! Nothing above it can go around it, so "the dry run wrote nothing" doesn't depend on the code that runs.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use tower::{BoxError, Layer, Service};

/// May a connection write?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Yes.
    Write,
    /// No: a request that could change anything is refused, if it isn't `dryRun=All`.
    DryRun,
}

/// Marks a session with a pod (`exec`, `portforward`) that only reads, such as asking a proxy for its statistics. An
/// extension of the request; a dry run refuses sessions without it.
#[derive(Debug, Clone, Copy)]
pub struct ReadOnly;

/// One request that was made, or refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// What it could do.
    pub effect: Effect,
    /// The answer's status; None: refused here, or no answer came.
    pub status: Option<u16>,
}

/// What a request can do to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// It reads.
    Reads,
    /// It asks a question by a create that stores nothing: access reviews.
    Asks,
    /// It would write, but says `dryRun=All`.
    Rehearses,
    /// It writes, or opens a session with a pod.
    Writes,
}

/// The requests of a connection, in their order.
#[derive(Debug, Clone, Default)]
pub struct Audit(Arc<Mutex<Vec<Call>>>);

/// The error of a refused request.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path}")]
pub(crate) struct Refused {
    method: String,
    path: String,
}

/// The layer.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    mode: Mode,
    audit: Audit,
}

/// A service behind the guard.
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl Audit {
    /// Every request so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests could write and were sent.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.calls()
            .iter()
            .filter(|call| call.effect == Effect::Writes && call.status.is_some())
            .count()
    }

    fn add(&self, call: Call) -> usize {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call);
        calls.len() - 1
    }

    fn answered(&self, index: usize, status: u16) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.get_mut(index) {
            call.status = Some(status);
        }
    }
}

impl Guard {
    pub(crate) fn new(mode: Mode, audit: Audit) -> Self {
        Self { mode, audit }
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded {
            inner,
            guard: self.clone(),
        }
    }
}

impl<S, A, B> Service<Request<A>> for Guarded<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let effect = effect(&request);
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let call = Call {
            method: method.clone(),
            path: path.clone(),
            effect,
            status: None,
        };
        let audit = self.guard.audit.clone();
        let index = audit.add(call);
        if self.guard.mode == Mode::DryRun && effect == Effect::Writes {
            return Box::pin(async { Err(Refused { method, path }.into()) });
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await.map_err(Into::into)?;
            audit.answered(index, response.status().as_u16());
            Ok(response)
        })
    }
}

/// What a request can do. Whatever isn't known to be harmless writes.
fn effect<A>(request: &Request<A>) -> Effect {
    let path = request.uri().path();
    if is_session(path) {
        let reads = request.extensions().get::<ReadOnly>().is_some();
        return if reads { Effect::Reads } else { Effect::Writes };
    }
    match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => Effect::Reads,
        Method::POST if REVIEWS.contains(&path) => Effect::Asks,
        _ if is_rehearsal(request.uri().query().unwrap_or_default()) => Effect::Rehearses,
        _ => Effect::Writes,
    }
}

/// Creates that the API server answers and forgets.
const REVIEWS: [&str; 4] = [
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    "/apis/authentication.k8s.io/v1/tokenreviews",
];

/// Subresources behind which anything may happen, whatever the method: `…/pods/NAME/exec`, `…/services/NAME/proxy/PATH`.
fn is_session(path: &str) -> bool {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let below_version = match segments.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => return false,
    };
    let in_namespace = match below_version {
        ["namespaces", _, rest @ ..] if rest.len() > 1 => rest,
        whole => whole,
    };
    matches!(
        in_namespace,
        [_, _, "exec" | "attach" | "portforward" | "proxy", ..]
    )
}

/// `dryRun=All`, spelled plainly, and no other `dryRun`.
fn is_rehearsal(query: &str) -> bool {
    let values: Vec<&str> = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("dryRun="))
        .collect();
    !values.is_empty() && values.iter().all(|value| *value == "All")
}

#[cfg(test)]
mod tests;
