//! A small HTTP/1.1 server that answers as a test says, with TLS if it has a certificate.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::{
    Result, SelfSigned,
    error::Doing,
    http1::{self, Side},
};

/// A request as it came.
pub struct Request {
    /// The method.
    pub method: String,
    /// With its query.
    pub path: String,
    /// The header `authorization`.
    pub authorization: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
    headers: http1::Headers,
}

impl Request {
    /// The first value of a header whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut found = self
            .headers
            .iter()
            .filter(|(known, _)| known == name.as_bytes());
        found
            .next()
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

/// What is answered. The length is added.
#[derive(Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header lines.
    pub headers: Vec<(&'static str, String)>,
    /// The body, which HEAD is not sent.
    pub body: Vec<u8>,
}

impl Response {
    /// Without headers and body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// It serves until it is dropped: one request per connection, one answer at a time.
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

type Answer = Mutex<Box<dyn FnMut(&Request) -> Response + Send>>;

impl Server {
    /// Listens at an address such as `127.0.0.1:0`.
    pub fn start(
        at: &str,
        tls: Option<&SelfSigned>,
        answer: impl FnMut(&Request) -> Response + Send + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind(at).doing(|| format!("binding {at}"))?;
        let address = listener
            .local_addr()
            .doing(|| "asking for a server's port".into())?;
        let tls = tls.map(config).transpose()?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, answer) = (stop.clone(), Arc::new(Answer::new(Box::new(answer))));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (tls, answer) = (tls.clone(), answer.clone());
                // Clients open connections ahead of their requests: each has a thread. A client may go away whenever it likes.
                thread::spawn(move || {
                    let _served = match tls {
                        None => serve(stream, &answer),
                        Some(config) => rustls::ServerConnection::new(config)
                            .map_err(io::Error::other)
                            .and_then(|session| {
                                serve(rustls::StreamOwned::new(session, stream), &answer)
                            }),
                    };
                });
            }
        });
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn config(certificate: &SelfSigned) -> Result<Arc<rustls::ServerConfig>> {
    let chain = vec![certificate.certificate_der().into()];
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certificate.key_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

fn serve(stream: impl Read + Write, answer: &Answer) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    const TLS_HANDSHAKE: u8 = 22;
    if stream.fill_buf()?.first() == Some(&TLS_HANDSHAKE) {
        // What Go's server says to that.
        return stream
            .get_mut()
            .write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    }
    let Some(message) = http1::read(&mut stream, Side::Request).map_err(io::Error::other)? else {
        return Ok(());
    };
    let start = String::from_utf8_lossy(&message.start).into_owned();
    let mut words = start.split_whitespace().map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        authorization: None,
        body: message.body,
        headers: message.headers,
    };
    request.authorization = request.header("authorization");
    let response = (answer.lock().unwrap_or_else(PoisonError::into_inner))(&request);
    let mut head = format!(
        "HTTP/1.1 {} Whatever\r\nconnection: close\r\ncontent-length: {}\r\n",
        response.status,
        response.body.len()
    );
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream
        .get_mut()
        .write_all(format!("{head}\r\n").as_bytes())?;
    if request.method != "HEAD" {
        stream.get_mut().write_all(&response.body)?;
    }
    stream.get_mut().flush()
}
