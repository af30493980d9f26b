//! What is shown to a filter: requests, responses, answers to call-outs.

use std::time::Duration;

use crate::Pairs;
use crate::property::Properties;

/// A request as it comes to the filter.
///
/// Lines are shown as they are written here. A real Envoy joined some repeated lines before (`authorization` and
/// `x-forwarded-for` among them): [`Request::join_repeated`] does that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Headers with pseudo headers first; names are made lower case when the filter sees them.
    pub headers: Pairs,
    /// The request ends with its headers.
    pub body_end: bool,
    /// Properties of this stream; they win over those of the settings and those that follow from the headers.
    pub properties: Properties,
    /// The time from now on; `None` leaves the clock as it is.
    pub now: Option<Duration>,
}

impl Request {
    /// A request without a body, with the four pseudo headers.
    pub fn new(method: &str, authority: &str, path: &str) -> Request {
        let pseudo = [
            (":authority", authority),
            (":path", path),
            (":method", method),
            (":scheme", "http"),
        ];
        Request {
            headers: pseudo
                .iter()
                .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
                .collect(),
            body_end: true,
            properties: Properties::new(),
            now: None,
        }
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Request {
        self.headers
            .push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Joins the lines of each of these names to one, at the place of the first, with commas.
    #[must_use]
    pub fn join_repeated(mut self, names: &[&str]) -> Request {
        let mut joined = Pairs::with_capacity(self.headers.len());
        for (name, value) in self.headers {
            let joins = names
                .iter()
                .any(|wanted| name.eq_ignore_ascii_case(wanted.as_bytes()));
            match joined
                .iter_mut()
                .find(|(have, _)| joins && have.eq_ignore_ascii_case(&name))
            {
                Some((_, first)) => {
                    first.push(b',');
                    first.extend_from_slice(&value);
                }
                None => joined.push((name, value)),
            }
        }
        self.headers = joined;
        self
    }

    /// Sets the properties.
    #[must_use]
    pub fn with(mut self, properties: Properties) -> Request {
        self.properties = properties;
        self
    }

    /// Sets the time.
    #[must_use]
    pub fn at(mut self, now: Duration) -> Request {
        self.now = Some(now);
        self
    }
}

/// A response as it comes from upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Headers with `:status`.
    pub headers: Pairs,
    /// The response ends with its headers.
    pub body_end: bool,
}

/// What came back for a call-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalloutResponse {
    /// An answer.
    Answered {
        /// Headers with `:status`.
        headers: Pairs,
        /// The body.
        body: Vec<u8>,
        /// Trailers.
        trailers: Pairs,
    },
    /// No answer: timeout, reset, no healthy host. The guest sees no headers and no body.
    Failed,
}

impl CalloutResponse {
    /// An answer with a status and a body.
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> CalloutResponse {
        CalloutResponse::Answered {
            headers: vec![(b":status".to_vec(), status.to_string().into_bytes())],
            body: body.as_ref().to_vec(),
            trailers: Pairs::new(),
        }
    }
}
