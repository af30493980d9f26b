//! Passing a request on: one connection each, bodies streamed both ways.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wasm_host::Pairs;

use super::hop;
use crate::error::Error;

/// Where requests go that the filter lets on.
pub struct Upstream {
    host: String,
    port: u16,
}

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Upstream {
    /// Reads `http://host:port`. What is wrong is told without the text: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| {
            Err(Error::input(format!(
                "`--upstream` {what}, expected `http://host:port`"
            )))
        };
        let Ok(uri) = text.parse::<Uri>() else {
            return wrong("is no URL");
        };
        match (uri.scheme_str(), uri.authority(), uri.host()) {
            (Some("https"), ..) => Err(Error::input_hint(
                "`--upstream` is https, expected `http://host:port`: this server speaks no TLS",
                "name the service's plain port; in the mesh the sidecars do TLS",
            )),
            (Some("http"), Some(authority), Some(host)) => {
                if authority.as_str().contains('@') {
                    return wrong("has a user in it");
                }
                if uri.query().is_some() || uri.path() != "/" {
                    return wrong("has a path or a query, which come from the request");
                }
                if uri.port().is_some() && uri.port_u16().is_none_or(|port| port == 0) {
                    return wrong("has no port that can be reached");
                }
                Ok(Self {
                    host: host.trim_matches(['[', ']']).to_owned(),
                    port: uri.port_u16().unwrap_or(80),
                })
            }
            _ => wrong("is not http"),
        }
    }

    /// Passes a request on with the headers that the filter left; an error is one line, for people.
    pub async fn forward(
        &self,
        headers: Pairs,
        body: Incoming,
    ) -> Result<Response<Incoming>, String> {
        let request = request(headers, body)?;
        let connect = TcpStream::connect((self.host.as_str(), self.port));
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connect)
            .await
            .map_err(|_| format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()))?
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| told(&error))?;
        // It ends with the response's body, or when the client goes away. What goes wrong is told by the response.
        tokio::spawn(connection);
        let mut response = sender
            .send_request(request)
            .await
            .map_err(|error| told(&error))?;
        hop::strip(response.headers_mut());
        Ok(response)
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "http://[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "http://{}:{}", self.host, self.port)
        }
    }
}

fn request<B>(pairs: Pairs, body: B) -> Result<Request<B>, String> {
    let mut request = Request::new(body);
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let unfit = || format!("`{}` can't be sent", corpus::text(&name));
        match name.as_slice() {
            b":method" => {
                *request.method_mut() = Method::from_bytes(&value).map_err(|_| unfit())?
            }
            b":path" => {
                *request.uri_mut() = Uri::try_from(value.as_slice()).map_err(|_| unfit())?
            }
            b":scheme" => {}
            b":authority" => {
                headers.insert(HOST, HeaderValue::from_bytes(&value).map_err(|_| unfit())?);
            }
            _ => {
                let value = HeaderValue::from_bytes(&value).map_err(|_| unfit())?;
                headers.append(HeaderName::from_bytes(&name).map_err(|_| unfit())?, value);
            }
        }
    }
    *request.headers_mut() = headers;
    Ok(request)
}

/// An error with its cause, which hyper leaves to be asked for.
fn told(error: &hyper::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::Upstream;

    #[test]
    fn only_plain_http_urls_are_upstreams() {
        let parsed = |text: &str| {
            Upstream::parse(text)
                .map(|upstream| upstream.to_string())
                .map_err(|error| error.to_string())
        };
        assert_eq!(parsed("http://[::1]:81/").as_deref(), Ok("http://[::1]:81"));
        assert_eq!(
            parsed("http://shop.example").as_deref(),
            Ok("http://shop.example:80")
        );
        for (wrong, says) in [
            ("https://shop.example", "no TLS"),
            ("shop.example:80", "not http"),
            ("http://ann:secret@shop.example", "a user"),
            ("http://shop.example/api", "a path"),
            ("http://shop.example:0", "no port"),
            ("http://shop example", "no URL"),
        ] {
            let error = parsed(wrong).unwrap_err();
            assert!(
                error.contains(says) && !error.contains("secret"),
                "{wrong}: {error}"
            );
        }
    }
}
