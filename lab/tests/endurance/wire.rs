//! One connection, raw: what is written is what is sent, and of answers only the status and the end are looked at.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to a listener.
pub struct Wire(BufReader<TcpStream>);

/// An answer that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Nothing more can be sent on this connection.
    pub last: bool,
}

impl Wire {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// False when the other side has ended the connection meanwhile; what it said before can still be read.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        ended(self.0.get_mut().write_all(bytes).map(Some)).is_some()
    }

    /// Says that nothing more comes.
    pub fn finish(&self) {
        // Fails only when the connection is gone already.
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
    }

    /// The next answer, interim ones left out; `None` when the connection ends without one.
    pub fn answer(&mut self) -> Option<Answer> {
        let (status, length, mut last) = self.head()?;
        let mut body = (&mut self.0).take(length.unwrap_or(0));
        let read = ended(io::copy(&mut body, &mut io::sink()).map(Some));
        last |= read != length;
        Some(Answer { status, last })
    }

    /// The status of the next answer, and nothing behind its head: whether a body follows, only the request could tell.
    pub fn status(&mut self) -> Option<u16> {
        self.head().map(|(status, ..)| status)
    }

    /// The status, the length of the body where one is given, and whether this is the last answer.
    fn head(&mut self) -> Option<(u16, Option<u64>, bool)> {
        loop {
            let start = self.line()?;
            let status = status(&start)
                .unwrap_or_else(|| panic!("no status line: `{}`", start.escape_ascii()));
            let (mut length, mut last) = (None, false);
            loop {
                let line = self.line()?.to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.strip_prefix(b"content-length:") {
                    length = std::str::from_utf8(value).unwrap().trim().parse().ok();
                }
                last |= line == b"connection: close";
            }
            if status == 204 {
                length = Some(0);
            }
            if status != 100 {
                return Some((status, length, last));
            }
        }
    }

    /// Reads until the connection ends.
    pub fn drain(&mut self) {
        ended(io::copy(&mut self.0, &mut io::sink()).map(Some));
    }

    /// Without its end; `None` at the end of the connection.
    fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        ended(self.0.read_until(b'\n', &mut line).map(Some))?;
        line.pop()?;
        line.pop_if(|byte| *byte == b'\r');
        Some(line)
    }
}

fn status(start: &[u8]) -> Option<u16> {
    let rest = start.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(rest.get(2..5)?).ok()?.parse().ok()
}

/// A connection that was torn down has ended; everything else that fails (no answer in time) is a finding.
fn ended<T>(result: io::Result<Option<T>>) -> Option<T> {
    result.unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => None,
        _ => panic!("no answer, and no end of the connection: {error}"),
    })
}

const PATIENCE: Duration = Duration::from_secs(20);
