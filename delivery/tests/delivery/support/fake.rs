//! A server that answers as a test says, by TLS if it has a certificate: for faults that a real registry doesn't show.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::certificate::Certificate;

pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    pub authorization: Option<String>,
    pub body: Vec<u8>,
}

#[derive(Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

pub struct Fake {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    pub fn start(
        at: &str,
        tls: Option<&Certificate>,
        answer: impl FnMut(&Request) -> Response + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        let tls = tls.map(config);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let mut answer = answer;
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A client may go away whenever it likes.
                let _served = stream.and_then(|stream| match &tls {
                    None => serve(stream, &mut answer),
                    Some(config) => {
                        let session = rustls::ServerConnection::new(config.clone()).unwrap();
                        serve(rustls::StreamOwned::new(session, stream), &mut answer)
                    }
                });
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn config(certificate: &Certificate) -> Arc<rustls::ServerConfig> {
    let chain = vec![certificate.certificate_der().into()];
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certificate.key_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(
        builder
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap(),
    )
}

fn serve(
    stream: impl Read + Write,
    answer: &mut impl FnMut(&Request) -> Response,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    const TLS_HANDSHAKE: u8 = 22;
    if stream.fill_buf()?.first() == Some(&TLS_HANDSHAKE) {
        // What Go's server says to that.
        return stream
            .get_mut()
            .write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    }
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(());
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let (mut length, mut authorization) = (0, None);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" => authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let response = answer(&Request {
        method: method.clone(),
        path,
        authorization,
        body,
    });
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
    if method != "HEAD" {
        stream.get_mut().write_all(&response.body)?;
    }
    stream.get_mut().flush()
}
