//! One marked request after the other, each on a connection of its own.

use std::net::{IpAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Uri, header};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::error::{Error, MeshError};

/// An echo of a request is shorter.
const LARGEST: u64 = 1024 * 1024;

/// Sends.
pub(super) struct Sender {
    agent: Agent,
    url: Uri,
    host: Option<String>,
    run: u128,
}

/// What came back.
pub(super) struct Answer {
    /// What we called ourselves: it stands in access logs and echoes.
    pub(super) mark: String,
    pub(super) chain: Option<String>,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Sender {
    pub(super) fn new(url: &Uri, host: Option<&str>, timeout: Duration) -> Result<Self, Error> {
        if url.host().is_none() || !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(Error::input(format!(
                "found `{url}`, expected a URL such as http://HOST:PORT/path"
            )));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        // What is asked is the gateway, not a proxy of the environment, nor where a redirect leads.
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(timeout))
            .build();
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Self {
            agent: config.into(),
            url: url.clone(),
            host: host.map(str::to_owned),
            run: since.unwrap_or_default().as_millis(),
        })
    }

    /// The address that packets to the gateway leave with; nothing is sent to find out.
    pub(super) fn from(&self) -> Option<IpAddr> {
        let port = self.url.port_u16().unwrap_or(80);
        let host = self.url.host()?.trim_matches(['[', ']']);
        let there = (host, port).to_socket_addrs().ok()?.next()?;
        let any = match there.is_ipv4() {
            true => "0.0.0.0:0",
            false => "[::]:0",
        };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(there).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    }

    /// Sends the request of this number.
    pub(super) fn send(&self, number: usize, chain: Option<String>) -> Result<Answer, Error> {
        let mark = format!("kyma-istio-xff-probe/{number}.{}", self.run);
        let mut request = self.agent.get(&self.url).header(header::USER_AGENT, &mark);
        if let Some(host) = &self.host {
            request = request.header(header::HOST, host);
        }
        if let Some(chain) = &chain {
            request = request.header("x-forwarded-for", chain);
        }
        let unreachable = |error: ureq::Error| MeshError::Delivery {
            what: format!("can't ask `{}`: {error}", self.url),
            hint: Some("name where the gateway answers: `xff probe http://HOST:PORT`".to_owned()),
            class: delivery::Class::Unreachable,
        };
        let mut response = request.call().map_err(unreachable)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // What is too long or no text is no echo.
        let body = response.body_mut().with_config().limit(LARGEST);
        let body = body.read_to_string().unwrap_or_default();
        Ok(Answer {
            mark,
            chain,
            status,
            headers,
            body,
        })
    }
}
