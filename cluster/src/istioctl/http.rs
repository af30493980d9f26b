//! Requests to the place that archives come from: TLS, redirects, which failures pass by themselves.

use std::sync::Arc;
use std::time::Duration;

use ureq::http::header::{self, HeaderName};
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use super::{Address, IstioctlError};
use crate::error::first_line;

const CONNECT: Duration = Duration::from_secs(10);
/// Until the first byte.
const ANSWER: Duration = Duration::from_secs(30);
/// Between two pieces; the next try resumes.
const SILENCE: Duration = Duration::from_secs(30);
/// GitHub has one.
const REDIRECTS: usize = 5;

/// Why a try ended.
pub(super) enum Attempt {
    /// Another try may bring more.
    Passing(IstioctlError),
    /// None will.
    Final(IstioctlError),
}

/// Asks. `$HTTPS_PROXY` is ureq's job, which is why it is here; a server of this machine is asked directly, as Go's
/// `ProxyFromEnvironment` does. The system's trust store knows a company's CA.
pub(super) struct Client(Agent);

impl Client {
    pub fn new() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // Each step is looked at here.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_per_read(Some(SILENCE))
            .build();
        Self(config.into())
    }

    /// Asks and follows redirects. Credentials stand in the first URL, so they go to its host alone. What is no success is
    /// an answer too, but for those that a later try may not get again.
    pub fn ask(
        &self,
        method: &Method,
        address: &Address,
        headers: &[(HeaderName, &str)],
    ) -> Result<Response<Body>, Attempt> {
        let mut at = address.clone();
        for _ in 0..=REDIRECTS {
            let response = self.exchange(method, &at, headers)?;
            let status = response.status();
            if status.is_server_error() || TRY_AGAIN.contains(&status) {
                return Err(Attempt::Passing(answers(&at, status)));
            }
            let location = response.headers().get(header::LOCATION);
            let Some(location) = location.filter(|_| status.is_redirection()) else {
                return match is_page(&response) && status.is_success() {
                    true => Err(Attempt::Final(failed(
                        &at,
                        "the server answers with an HTML page, expected a file; a proxy may ask for a login",
                    ))),
                    false => Ok(response),
                };
            };
            let next = location
                .to_str()
                .ok()
                .and_then(|location| at.join(location));
            let next =
                next.ok_or_else(|| Attempt::Final(failed(&at, "its redirect names no URL")))?;
            if !at.may_redirect_to(&next) {
                return Err(Attempt::Final(IstioctlError::Redirect {
                    from: at.to_string(),
                    to: next.to_string(),
                }));
            }
            at = next;
        }
        let cause = format!("it redirects more than {REDIRECTS} times");
        Err(Attempt::Final(failed(address, cause)))
    }

    fn exchange(
        &self,
        method: &Method,
        at: &Address,
        headers: &[(HeaderName, &str)],
    ) -> Result<Response<Body>, Attempt> {
        let mut request = Request::builder().method(method).uri(at.uri());
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        // `http`'s own error could quote the URL.
        let request = request
            .body(())
            .map_err(|_| Attempt::Final(failed(at, "the request can't be written")))?;
        let request = match at.is_loopback() {
            true => self.0.configure_request(request).proxy(None).build(),
            false => request,
        };
        self.0.run(request).map_err(|error| {
            let failure = failed(at, first_line(&error.to_string()));
            match may_pass(&error) {
                true => Attempt::Passing(failure),
                false => Attempt::Final(failure),
            }
        })
    }
}

const TRY_AGAIN: [StatusCode; 2] = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];

/// A name that nobody knows and a certificate that nobody signed stay what they are.
fn may_pass(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => true,
        ureq::Error::Io(error) => {
            let inner = error.get_ref();
            !inner.is_some_and(|inner| inner.is::<rustls::Error>())
        }
        _ => false,
    }
}

fn is_page(response: &Response<Body>) -> bool {
    let kind = response.body().mime_type();
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
}

/// No success, in the server's words.
pub(super) fn answers(at: &Address, status: StatusCode) -> IstioctlError {
    failed(at, format!("the server answers {status}"))
}

pub(super) fn failed(at: &Address, cause: impl Into<String>) -> IstioctlError {
    IstioctlError::Download {
        url: at.to_string(),
        cause: cause.into(),
    }
}
