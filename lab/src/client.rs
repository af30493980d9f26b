//! A client that sends exactly the bytes it is told to.

use std::{
    collections::VecDeque,
    fs,
    io::{BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use crate::{
    Echoed, Error, Leaf, Result,
    ca::SERVER_NAME,
    error::Doing,
    http1::{self, Headers, Side},
};

/// The port that a claimed peer comes from.
pub const PEER_PORT: u16 = 40_000;

/// A request, byte by byte. Nothing is added: [`RawRequest::get`] puts a `host` in, a literal has what it has.
#[derive(Clone, Debug)]
pub struct RawRequest {
    /// The method.
    pub method: Vec<u8>,
    /// What stands behind the method, not escaped.
    pub target: Vec<u8>,
    /// Header lines in order. Duplicates, empty values and any bytes are fine.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body. Its length goes into no header by itself.
    pub body: Vec<u8>,
    /// The direct peer to claim by a PROXY line in front of the connection; else it is loopback.
    pub proxy_peer: Option<IpAddr>,
    /// The client's certificate: the connection is mTLS.
    pub identity: Option<Leaf>,
}

impl RawRequest {
    /// A GET with a `host` and a fresh `x-lab-id`, by which [`crate::Envoy::access`] finds it.
    pub fn get(target: impl Into<Vec<u8>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            method: b"GET".to_vec(),
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            proxy_peer: None,
            identity: None,
        }
        .header("host", SERVER_NAME)
        .header(LAB_ID, format!("{}-{id}", std::process::id()))
    }

    /// With one more header line.
    pub fn header(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// From this direct peer. Panics on what is no address.
    pub fn from_peer(mut self, address: &str) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "a literal in a test; the message names the mistake"
        )]
        let address = address.parse().expect("an IP address");
        self.proxy_peer = Some(address);
        self
    }

    /// Over mTLS with this certificate.
    pub fn with_identity(mut self, identity: Leaf) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The value of `x-lab-id`.
    pub fn lab_id(&self) -> Option<&str> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(LAB_ID.as_bytes()))?;
        std::str::from_utf8(value).ok()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        for (name, value) in &self.headers {
            bytes.extend([&name[..], b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header, name in lower case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known == name.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }

    /// What the [`crate::Echo`] upstream saw, when it is what answered.
    pub fn echoed(&self) -> Result<Echoed> {
        Echoed::read(&self.body)
    }
}

/// Sends requests one after the other and keeps its connections: one per listener, claimed peer and identity.
#[derive(Default)]
pub struct Client {
    kept: VecDeque<(Key, Connection)>,
}

impl Client {
    /// A client without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a request and waits for the whole answer. A refused handshake is an error.
    pub fn send(&mut self, listener: SocketAddr, request: &RawRequest) -> Result<Response> {
        let key = Key {
            listener,
            peer: request.proxy_peer,
            identity: request.identity.clone(),
        };
        if let Some(mut connection) = self.take(&key)
            && let Ok(answered) = exchange(&mut connection, request)
        {
            return Ok(self.done(key, connection, answered));
        }
        // The other side may have ended a kept connection, so only a new one's failure counts.
        let mut connection = connect(&key)?;
        let answered = exchange(&mut connection, request)?;
        Ok(self.done(key, connection, answered))
    }

    fn take(&mut self, key: &Key) -> Option<Connection> {
        let place = self.kept.iter().position(|(known, _)| known == key)?;
        self.kept.remove(place).map(|(_, connection)| connection)
    }

    fn done(
        &mut self,
        key: Key,
        connection: Connection,
        (response, keep): (Response, bool),
    ) -> Response {
        if keep {
            self.kept.push_front((key, connection));
            self.kept.truncate(MOST_KEPT);
        }
        response
    }
}

#[derive(PartialEq, Eq)]
struct Key {
    listener: SocketAddr,
    peer: Option<IpAddr>,
    identity: Option<Leaf>,
}

type Connection = BufReader<Box<dyn Stream>>;

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

fn exchange(connection: &mut Connection, request: &RawRequest) -> Result<(Response, bool)> {
    let stream = connection.get_mut();
    stream
        .write_all(&request.to_bytes())
        .and_then(|()| stream.flush())
        .doing(|| "sending a request".into())?;
    let side = match &request.method[..] {
        b"HEAD" => Side::ResponseToHead,
        _ => Side::Response,
    };
    loop {
        let message = http1::read(connection, side)?
            .ok_or_else(|| http1::broken("a response", b"the end of the connection"))?;
        let status = std::str::from_utf8(&message.start)
            .ok()
            .and_then(|line| {
                line.strip_prefix("HTTP/1.")?
                    .split(' ')
                    .nth(1)?
                    .parse()
                    .ok()
            })
            .ok_or_else(|| http1::broken("a status line", &message.start))?;
        if status == 100 {
            continue;
        }
        let keep = is_kept(&message.headers);
        let response = Response {
            status,
            headers: message.headers,
            body: message.body,
        };
        return Ok((response, keep));
    }
}

fn is_kept(headers: &Headers) -> bool {
    let has = |wanted: &[u8]| headers.iter().any(|(name, _)| name == wanted);
    let closes = headers
        .iter()
        .any(|(name, value)| name == b"connection" && value.eq_ignore_ascii_case(b"close"));
    !closes && (has(b"content-length") || has(b"transfer-encoding"))
}

fn connect(key: &Key) -> Result<Connection> {
    let mut tcp = TcpStream::connect_timeout(&key.listener, PATIENCE)
        .doing(|| format!("connecting to {}", key.listener))?;
    tcp.set_nodelay(true)
        .and_then(|()| tcp.set_read_timeout(Some(PATIENCE)))
        .and_then(|()| match key.peer {
            Some(peer) => tcp.write_all(proxy_line(peer, key.listener).as_bytes()),
            None => Ok(()),
        })
        .doing(|| "preparing a connection".into())?;
    let stream: Box<dyn Stream> = match &key.identity {
        None => Box::new(tcp),
        Some(identity) => Box::new(secured(tcp, identity)?),
    };
    Ok(BufReader::new(stream))
}

/// PROXY protocol version 1. Both addresses must be of one family.
fn proxy_line(peer: IpAddr, listener: SocketAddr) -> String {
    let port = listener.port();
    match peer {
        IpAddr::V4(peer) => format!("PROXY TCP4 {peer} 192.0.2.254 {PEER_PORT} {port}\r\n"),
        IpAddr::V6(peer) => format!("PROXY TCP6 {peer} 2001:db8::254 {PEER_PORT} {port}\r\n"),
    }
}

fn secured(
    mut tcp: TcpStream,
    identity: &Leaf,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&identity.ca)?)?;
    let key = PrivateKeyDer::from_pem_slice(&file(&identity.key)?)
        .map_err(|found| Error::Unusable(format!("{}: {found}", identity.key.display())))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(&identity.certificate)?], key)?;
    let name =
        ServerName::try_from(SERVER_NAME).map_err(|found| Error::Unusable(found.to_string()))?;
    let mut tls = ClientConnection::new(Arc::new(config), name)?;
    tls.complete_io(&mut tcp).doing(|| "shaking hands".into())?;
    Ok(StreamOwned::new(tls, tcp))
}

fn certificate(path: &Path) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(&file(path)?)
        .map_err(|found| Error::Unusable(format!("{}: {found}", path.display())))
}

fn file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).doing(|| format!("reading {}", path.display()))
}

const LAB_ID: &str = "x-lab-id";
const PATIENCE: Duration = Duration::from_secs(20);

/// Each kept connection holds a file on both sides.
const MOST_KEPT: usize = 128;
