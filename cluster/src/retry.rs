//! Which failed requests are sent again, and when. Not here: conflicts, which need another look at the object.

use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header::RETRY_AFTER};
use kube::client::Body;
use tokio::time::Sleep;
use tower::BoxError;
use tower::retry::Policy;

use crate::guard::Refused;

/// How long a failing server is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often a request is sent at most.
    pub tries: u32,
    /// The wait after the first failure; it doubles with each.
    pub first_wait: Duration,
    /// The longest wait, also when the server asks for a longer one.
    pub longest_wait: Duration,
}

impl Patience {
    /// Six tries in about six seconds: an API server that restarts behind a load balancer is gone for less.
    pub const USUAL: Self = Self {
        tries: 6,
        first_wait: Duration::from_millis(200),
        longest_wait: Duration::from_secs(30),
    };

    /// The wait after this many failures.
    pub(crate) fn wait(&self, failures: u32) -> Duration {
        let doubled = self.first_wait.saturating_mul(
            1_u32
                .checked_shl(failures.saturating_sub(1))
                .unwrap_or(u32::MAX),
        );
        doubled.min(self.longest_wait)
    }
}

/// Marks a request that is sent once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Once;

/// One request's way through its tries.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    patience: Patience,
    failures: u32,
}

impl Retry {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            failures: 0,
        }
    }
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Retry {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Sleep> {
        let asked = match result {
            Ok(response) if !is_passing(response.status(), request) => return None,
            Ok(response) => retry_after(response),
            Err(error) if error.is::<Refused>() || !may_repeat(request) => return None,
            Err(_) => None,
        };
        self.failures += 1;
        if self.failures >= self.patience.tries || request.extensions().get::<Once>().is_some() {
            return None;
        }
        let wait = self
            .patience
            .wait(self.failures)
            .max(asked.unwrap_or_default());
        Some(tokio::time::sleep(wait.min(self.patience.longest_wait)))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(request.body().try_clone()?);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        Some(copy)
    }
}

/// A failure that may pass. After 429 the server did nothing, so anything may be sent again.
pub(crate) fn is_passing_status(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

fn is_passing(status: StatusCode, request: &Request<Body>) -> bool {
    is_passing_status(status) && (status == StatusCode::TOO_MANY_REQUESTS || may_repeat(request))
}

/// Sent twice, the same as sent once: applies, merge patches, deletes that name a uid. A create is not, unless it only
/// rehearses; who creates looks at a conflict himself.
fn may_repeat(request: &Request<Body>) -> bool {
    request.method() != Method::POST
        || request
            .uri()
            .query()
            .is_some_and(|query| query.contains("dryRun=All"))
}

/// In seconds; the API server never writes the other form, a date.
fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
