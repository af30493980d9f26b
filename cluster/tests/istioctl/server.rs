//! A server with the layout of Istio's releases: `/VERSION/istioctl-VERSION-PLATFORM.tar.gz` and `….sha256` beside it. It can
//! be told to misbehave.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use cluster::istioctl::{Address, Release};

use super::kit::sha256;

pub const VERSION: &str = "1.30.2";
pub const NAME: &str = "istioctl-1.30.2-linux-amd64.tar.gz";

/// One answer of the server to a request for the archive.
#[derive(Clone)]
pub enum Reply {
    /// The file, from where the request asks, if it is still that file.
    File,
    /// The file from its start, whatever the request asks.
    Whole,
    /// So many bytes of what was asked for, then it hangs up.
    Part(usize),
    /// Another file, from its start unless the request names it by its tag.
    Other(Vec<u8>),
    /// A status line and headers.
    Head(String),
    /// The rest of the file, but a byte too late.
    Misplaced,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    pub range: Option<usize>,
    pub head: String,
}

#[derive(Clone)]
struct Shelf {
    name: String,
    file: Vec<u8>,
    replies: Vec<Reply>,
    /// Status line with headers, and body, of the `.sha256`.
    sum: Arc<Mutex<(String, String)>>,
    has_tags: bool,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub struct Server {
    pub address: SocketAddr,
    shelf: Shelf,
}

impl Server {
    /// Answers requests for the archive in this order; the last one again and again. The sum is the file's.
    pub fn start(file: Vec<u8>, replies: Vec<Reply>) -> Self {
        Self::named(NAME, file, replies, true)
    }

    /// One that gives no entity tags.
    pub fn without_tags(file: Vec<u8>, replies: Vec<Reply>) -> Self {
        Self::named(NAME, file, replies, false)
    }

    pub fn named(name: &str, file: Vec<u8>, replies: Vec<Reply>, has_tags: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let sum = ("200 OK".to_owned(), format!("{} {name}\n", sha256(&file)));
        let shelf = Shelf {
            name: name.to_owned(),
            file,
            replies,
            sum: Arc::new(Mutex::new(sum)),
            has_tags,
            asked: Arc::default(),
        };
        let all = shelf.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shelf = all.clone();
                std::thread::spawn(move || {
                    let _gone = shelf.serve(stream.expect("a connection"));
                });
            }
        });
        Self { address, shelf }
    }

    /// From now on the `.sha256` is answered so.
    pub fn publishes(&self, head: &str, body: &str) {
        *self.shelf.sum.lock().expect("no panic") = (head.to_owned(), body.to_owned());
    }

    /// The archive, checked against what is given, else against what is published.
    pub fn release(&self, sha256: Option<String>) -> Release {
        let base = format!("http://{}", self.address);
        Release {
            version: VERSION.to_owned(),
            address: Address::in_mirror(&base, VERSION, &self.shelf.name).expect("an address"),
            sha256,
        }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shelf.asked.lock().expect("no panic").clone()
    }

    /// The `range` of each request for the archive.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        let asked = self.asked().into_iter();
        asked
            .filter(|asked| !asked.path.ends_with(".sha256"))
            .map(|asked| asked.range)
            .collect()
    }
}

impl Shelf {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let asked = read(&mut stream);
        let number = {
            let mut all = self.asked.lock().expect("no panic");
            all.push(asked.clone());
            all.iter()
                .filter(|asked| !asked.path.ends_with(".sha256"))
                .count()
        };
        if asked.path == format!("/{VERSION}/{}.sha256", self.name) {
            let (head, body) = self.sum.lock().expect("no panic").clone();
            return send(&mut stream, &head, body.len(), body.as_bytes());
        }
        if asked.path != format!("/{VERSION}/{}", self.name)
            && !asked.path.starts_with("/elsewhere")
        {
            return send(&mut stream, "404 Not Found", 0, b"");
        }
        let reply = &self.replies[number.saturating_sub(1).min(self.replies.len() - 1)];
        self.answer(&mut stream, reply, &asked)
    }

    fn answer(&self, stream: &mut TcpStream, reply: &Reply, asked: &Asked) -> std::io::Result<()> {
        let (file, sent) = match reply {
            Reply::Other(other) => (other, other.len()),
            Reply::Part(count) => (&self.file, *count),
            _ => (&self.file, self.file.len()),
        };
        let tag = format!("\"{}\"", &sha256(file)[..8]);
        let line = match self.has_tags {
            true => format!("\r\netag: {tag}"),
            false => String::new(),
        };
        // RFC 9110, 13.1.5: with another tag in `if-range` the range is ignored.
        let condition = asked
            .head
            .lines()
            .find_map(|line| line.strip_prefix("if-range: "));
        let range = asked
            .range
            .filter(|_| condition.is_none_or(|condition| condition == tag));
        match (reply, range) {
            (Reply::Head(head), _) => send(stream, head, 0, b""),
            (Reply::Whole, _) | (_, None) => send(
                stream,
                &format!("200 OK{line}"),
                file.len(),
                &file[..sent.min(file.len())],
            ),
            (_, Some(from)) if from >= file.len() => {
                send(stream, "416 Range Not Satisfiable", 0, b"")
            }
            (reply, Some(from)) => {
                let from = from + usize::from(matches!(reply, Reply::Misplaced));
                let rest = &file[from..];
                let (last, all) = (file.len() - 1, file.len());
                let head = format!(
                    "206 Partial Content{line}\r\ncontent-range: bytes {from}-{last}/{all}"
                );
                send(stream, &head, rest.len(), &rest[..sent.min(rest.len())])
            }
        }
    }
}

fn send(stream: &mut TcpStream, head: &str, length: usize, body: &[u8]) -> std::io::Result<()> {
    let length = match head.contains("content-length") || head.contains("transfer-encoding") {
        true => String::new(),
        false => format!("content-length: {length}\r\n"),
    };
    write!(
        stream,
        "HTTP/1.1 {head}\r\n{length}connection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}

fn read(stream: &mut TcpStream) -> Asked {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("text");
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let head = head.to_lowercase();
    let range = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="));
    let range = range.and_then(|range| range.trim_end_matches('-').parse().ok());
    Asked { path, range, head }
}
