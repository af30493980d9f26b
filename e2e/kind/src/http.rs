//! Requests from outside the cluster, and answers.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use serde::Deserialize;
use ureq::Agent;

/// What came back.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As text.
    pub body: String,
}

/// What the app says of the request it got.
#[derive(Deserialize)]
struct Echoed {
    headers: Vec<(String, String)>,
}

impl Answer {
    /// A header of the answer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        joined(&self.headers, name)
    }

    /// A header of the request as the app got it, its lines joined by commas; none if there was none.
    ///
    /// # Panics
    /// The answer is not the app's.
    #[track_caller]
    #[must_use]
    pub fn seen(&self, name: &str) -> Option<String> {
        assert_eq!(self.status, 200, "no answer of the app: {self:?}");
        let echoed: Echoed = serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("no answer of the app, {error}: {self:?}"));
        joined(&echoed.headers, name)
    }
}

fn joined(headers: &[(String, String)], name: &str) -> Option<String> {
    let lines: Vec<&str> = headers
        .iter()
        .filter(|(found, _)| found == name)
        .map(|(_, value)| value.as_str())
        .collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// A client that takes any status for an answer and follows nothing; `idle` is how many connections it keeps.
pub(crate) fn agent(idle: usize) -> Agent {
    Agent::config_builder()
        .max_idle_connections(idle)
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .into()
}

/// GET.
pub(crate) fn get(
    agent: &Agent,
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<Answer, ureq::Error> {
    let mut request = agent.get(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.call()?;
    let headers = response.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(Answer {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body: response.body_mut().read_to_string()?,
    })
}

/// The address that we have where `there` is, which sends nothing to find out.
pub(crate) fn our_address(there: SocketAddr) -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a UDP socket");
    socket.connect(there).expect("a route to the node");
    socket.local_addr().expect("its address").ip()
}
