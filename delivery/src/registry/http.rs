//! One exchange over HTTP: timeouts, redirects, TLS, and which plain HTTP is allowed. Not here: what is exchanged.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, AsSendBody, Body};

use super::RegistryError;
use crate::credentials::Secret;
use crate::error::first_line;

const REDIRECTS: usize = 5;

/// How registries are talked to.
#[derive(Debug, Clone)]
pub struct Options {
    /// Plain HTTP for any host that has no HTTPS. Loopback may always.
    pub plain_http: bool,
    /// PEM certificates to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// For a connection, and for each answer to begin; between two pieces of a body too.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            plain_http: false,
            ca: None,
            timeout: Duration::from_secs(30),
        }
    }
}

/// Our own rules, or those of istio-agent, for a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Ours,
    Agent { insecure: bool },
}

pub(crate) struct Http {
    agent: Agent,
    plain_http: bool,
    timeout: Duration,
    manner: Manner,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Where it came from in the end.
    pub(crate) uri: Uri,
}

pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a [(header::HeaderName, &'a str)],
    pub(crate) authorization: Option<&'a Secret>,
    pub(crate) body: Option<&'a [u8]>,
}

impl Http {
    pub(crate) fn new(options: &Options, manner: Manner) -> Result<Self, RegistryError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = match &options.ca {
            Some(path) => certificates(path)?,
            None => RootCerts::PlatformVerifier,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .disable_verification(manner == Manner::Agent { insecure: true })
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(options.timeout))
            .timeout_recv_response(Some(options.timeout))
            .timeout_per_read(Some(options.timeout))
            .timeout_per_write(Some(options.timeout))
            .user_agent(concat!("kyma-istio/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: config.into(),
            plain_http: options.plain_http,
            timeout: options.timeout,
            manner,
        })
    }

    /// Whether this host may be talked to without TLS. The agent falls back to it wherever it is offered.
    pub(crate) fn may_be_plain(&self, host: &str) -> bool {
        self.plain_http || self.manner != Manner::Ours || is_loopback(host)
    }

    /// Sends, and follows redirects of reads. Credentials don't follow to another host.
    pub(crate) fn send(&self, ask: &Ask<'_>) -> Result<Answer, RegistryError> {
        let mut uri = ask.uri.clone();
        for _ in 0..=REDIRECTS {
            let answer = self.exchange(ask, &uri)?;
            let is_read = ask.method == Method::GET || ask.method == Method::HEAD;
            if !(is_read && answer.status.is_redirection()) {
                return Ok(answer);
            }
            uri = self.next(&answer)?;
        }
        Err(wrong(
            ask.uri,
            &format!("it redirects more than {REDIRECTS} times"),
        ))
    }

    /// Where an answer's `Location` points to, if we may go there.
    pub(crate) fn next(&self, answer: &Answer) -> Result<Uri, RegistryError> {
        let location = answer
            .headers
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok());
        let next = location.and_then(|location| join(&answer.uri, location));
        let next = next.ok_or_else(|| wrong(&answer.uri, "its redirect names no address"))?;
        if names_a_user(&next) {
            return Err(wrong(&answer.uri, "its redirect names a user"));
        }
        self.check_plain(&answer.uri, &next)?;
        Ok(next)
    }

    /// Refuses a step from HTTPS to plain HTTP, and one to plain HTTP where it isn't allowed.
    pub(crate) fn check_plain(&self, from: &Uri, to: &Uri) -> Result<(), RegistryError> {
        let downgrade = is_plain(to) && (!is_plain(from) || !self.may_be_plain(&host(to)));
        match downgrade && self.manner == Manner::Ours {
            true => Err(RegistryError::RedirectToPlainHttp {
                from: host(from),
                to: format!("{}://{}", to.scheme_str().unwrap_or_default(), host(to)),
            }),
            false => Ok(()),
        }
    }

    /// Refuses an address to which credentials would go in the open: without TLS and on another machine, where nobody asked for plain HTTP. That istio-agent would show them
    /// all the same is for a rehearsal to say, and no reason to do it.
    pub(crate) fn check_credentials(&self, to: &Uri) -> Result<(), RegistryError> {
        let host = host(to);
        if is_plain(to) && !self.plain_http && !is_loopback(&host) {
            return Err(RegistryError::CredentialsInTheOpen { host });
        }
        Ok(())
    }

    fn exchange(&self, ask: &Ask<'_>, uri: &Uri) -> Result<Answer, RegistryError> {
        let mut request = http::Request::builder().method(&ask.method).uri(uri);
        for (name, value) in ask.headers {
            request = request.header(name, *value);
        }
        let same_host = uri.authority() == ask.uri.authority() && uri.scheme() == ask.uri.scheme();
        if let Some(authorization) = ask.authorization.filter(|_| same_host) {
            request = request.header(header::AUTHORIZATION, authorization.reveal());
        }
        // `http`'s own error could quote a header.
        let bad = |_| wrong(uri, "the request can't be written");
        let sent = match ask.body {
            Some(body) => self.run(request.body(body).map_err(bad)?),
            None => self.run(request.body(()).map_err(bad)?),
        };
        let (parts, body) = sent.map_err(|error| self.failed(uri, error))?.into_parts();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            uri: uri.clone(),
        })
    }

    /// A registry of this machine is asked directly, as Go's `ProxyFromEnvironment` does, which istio-agent uses.
    fn run<S: AsSendBody>(
        &self,
        request: http::Request<S>,
    ) -> Result<http::Response<Body>, ureq::Error> {
        let request = match is_loopback(&host(request.uri())) {
            true => self.agent.configure_request(request).proxy(None).build(),
            false => request,
        };
        self.agent.run(request)
    }

    fn failed(&self, uri: &Uri, error: ureq::Error) -> RegistryError {
        let host = host(uri);
        let unreachable = |cause: String| RegistryError::Unreachable {
            host: host.clone(),
            cause: first_line(&cause),
        };
        match error {
            ureq::Error::HostNotFound => RegistryError::UnknownHost { host },
            ureq::Error::Timeout(_) => RegistryError::TimedOut {
                host,
                after: self.timeout,
            },
            ureq::Error::Rustls(error) => tls(host, &error),
            ureq::Error::Io(error) => {
                match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                    Some(error) => tls(host, error),
                    None if is_unknown_host(&error) => RegistryError::UnknownHost { host },
                    None => unreachable(error.to_string()),
                }
            }
            other => unreachable(other.to_string()),
        }
    }
}

/// What getaddrinfo says; `io::Error` has no kind for it.
fn is_unknown_host(error: &io::Error) -> bool {
    error.to_string().contains("failed to lookup address")
}

fn tls(host: String, error: &rustls::Error) -> RegistryError {
    match error {
        // What isn't TLS at all.
        rustls::Error::InvalidMessage(_) => RegistryError::PlainHttp { host },
        error => RegistryError::Tls {
            host,
            cause: first_line(&error.to_string()),
        },
    }
}

fn certificates(path: &Path) -> Result<RootCerts, RegistryError> {
    let failed = |cause: String| RegistryError::Certificates {
        path: path.to_owned(),
        cause,
    };
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| failed(first_line(&error.to_string())))?
        {
            found.push(certificate);
        }
    }
    match found.is_empty() {
        true => Err(failed("found no PEM certificate".to_owned())),
        false => Ok(RootCerts::new_with_certs(&found)),
    }
}

pub(crate) fn is_plain(uri: &Uri) -> bool {
    uri.scheme() != Some(&Scheme::HTTPS)
}

/// Host and port, as they are connected to: without the user that may stand before them.
pub(crate) fn host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match uri.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether a user stands before the host, as in `http://localhost@example.com`: no registry needs that, and readers take the one for the other.
pub(crate) fn names_a_user(uri: &Uri) -> bool {
    let authority = uri.authority();
    authority.is_some_and(|authority| authority.as_str().contains('@'))
}

/// Without its port, and without the brackets of IPv6.
pub(crate) fn bare_host(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let name = bare_host(host);
    let address: Result<std::net::IpAddr, _> = name.parse();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A `Location`: an address, or a path of the same host.
fn join(base: &Uri, location: &str) -> Option<Uri> {
    if !location.starts_with('/') || location.starts_with("//") {
        let next: Uri = location.parse().ok()?;
        let known = next.scheme() == Some(&Scheme::HTTPS) || next.scheme() == Some(&Scheme::HTTP);
        return known.then_some(next);
    }
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(location.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

pub(crate) fn wrong(uri: &Uri, cause: &str) -> RegistryError {
    RegistryError::Answer {
        host: host(uri),
        doing: format!("get {}", uri.path()),
        cause: cause.to_owned(),
    }
}
