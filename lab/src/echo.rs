//! An upstream that says what it was sent.

use std::{
    io::{BufReader, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::{
    Result,
    error::Doing,
    http1::{self, Message, Side},
};

/// An HTTP/1.1 server that answers every request with 200 and, as JSON, the request it got:
/// `{"method", "path", "headers": [[name, value], …]}`.
///
/// Every byte is one character of the same number (ISO 8859-1), so bytes that are no UTF-8 survive; [`Echoed`] turns them
/// back. It keeps connections open.
pub struct Echo {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    closing: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Echo {
    /// Listens on a free loopback port.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").doing(|| "binding the echo".into())?;
        let address = listener
            .local_addr()
            .doing(|| "asking for the echo's port".into())?;
        let shared = Arc::new(Shared::default());
        let also = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &also));
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the listening thread; if that fails, there is none.
        let _ = TcpStream::connect(self.address);
        if let Ok(connections) = self.shared.connections.lock() {
            for connection in connections.iter() {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
    }
}

fn accept(listener: &TcpListener, shared: &Shared) {
    for stream in listener.incoming().flatten() {
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        if let (Ok(clone), Ok(mut connections)) = (stream.try_clone(), shared.connections.lock()) {
            connections.push(clone);
        }
        thread::spawn(move || serve(stream));
    }
}

/// Until the other side has enough, or says what is no HTTP.
fn serve(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while let Ok(Some(request)) = http1::read(&mut stream, Side::Request) {
        if stream.get_mut().write_all(&answer(&request)).is_err() {
            return;
        }
    }
}

fn answer(request: &Message) -> Vec<u8> {
    let mut start = request.start.splitn(3, |byte| *byte == b' ');
    let (method, path) = (
        start.next().unwrap_or_default(),
        start.next().unwrap_or_default(),
    );
    let headers: Vec<[String; 2]> = request
        .headers
        .iter()
        .map(|(name, value)| [characters(name), characters(value)])
        .collect();
    let body =
        json!({ "method": characters(method), "path": characters(path), "headers": headers })
            .to_string();
    let length = body.len();
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    if method != b"HEAD" {
        answer.extend(body.as_bytes());
    }
    answer
}

/// The request that an [`Echo`] saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echoed {
    /// The method.
    pub method: String,
    /// The path with its query, bytes.
    pub path: Vec<u8>,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Echoed {
    /// All values of a header, in order.
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        let of_name = self.headers.iter().filter(|(known, _)| known == name);
        of_name.map(|(_, value)| value.as_slice()).collect()
    }

    /// All values of a header, joined as HTTP allows. Empty when there is none.
    pub fn joined(&self, name: &str) -> Vec<u8> {
        self.values(name).join(&b","[..])
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        let read = || {
            let json: Value = serde_json::from_slice(body).ok()?;
            let headers = json["headers"]
                .as_array()?
                .iter()
                .map(|pair| Some((pair[0].as_str()?.to_owned(), bytes(pair[1].as_str()?))));
            Some(Self {
                method: json["method"].as_str()?.to_owned(),
                path: bytes(json["path"].as_str()?),
                headers: headers.collect::<Option<_>>()?,
            })
        };
        read().ok_or_else(|| http1::broken("the echo's JSON", body))
    }
}

fn characters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    // `characters` makes none above 255.
    text.chars()
        .map(|one| u8::try_from(u32::from(one)).unwrap_or(b'?'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_echo() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes(&characters(&all)), all);
    }
}
