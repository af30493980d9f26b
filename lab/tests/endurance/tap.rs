//! A listener in front of the upstream that keeps every byte Envoy sends it: whatever reached the upstream stands there, however it was framed.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes connections on. Its threads end with the connections, the listening one with the process.
pub struct Tap {
    address: SocketAddr,
    /// One recording per connection: bytes of two never mix.
    heard: Arc<Mutex<Vec<Recording>>>,
}

type Recording = Arc<Mutex<Vec<u8>>>;

impl Tap {
    pub fn in_front_of(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<Recording>>> = Arc::default();
        let also = Arc::clone(&heard);
        thread::spawn(move || {
            for from in listener.incoming().flatten() {
                let recording = Recording::default();
                also.lock().unwrap().push(Arc::clone(&recording));
                let to = TcpStream::connect(upstream).unwrap();
                let (back_from, back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                thread::spawn(move || pass(from, to, Some(&recording)));
                thread::spawn(move || pass(back_from, back_to, None));
            }
        });
        Self { address, heard }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The numbers of all requests that came by, by their [`mark`].
    pub fn marks(&self) -> BTreeSet<usize> {
        let heard = self.heard.lock().unwrap();
        heard
            .iter()
            .flat_map(|recording| marks(&recording.lock().unwrap()))
            .collect()
    }
}

/// What names a request wherever it turns up.
pub fn mark(number: usize) -> String {
    format!("mark{number:08}z")
}

fn marks(bytes: &[u8]) -> Vec<usize> {
    let numbers = bytes.windows(13).filter_map(|window| {
        let digits = window.strip_prefix(b"mark")?.strip_suffix(b"z")?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    });
    numbers.collect()
}

fn pass(mut from: TcpStream, mut to: TcpStream, recording: Option<&Recording>) {
    let mut buffer = [0; 16 * 1024];
    // Recorded before it is passed on: an answer proves that its request stands in the recording.
    while let Ok(size @ 1..) = from.read(&mut buffer) {
        if let Some(recording) = recording {
            recording.lock().unwrap().extend(&buffer[..size]);
        }
        if to.write_all(&buffer[..size]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
