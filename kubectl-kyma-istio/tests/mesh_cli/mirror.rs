//! A mirror of Istio's releases, over plain HTTP or TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::kit::folder;

/// What the program of the archive renders.
const MANIFEST: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rendered}\n";

/// A release of every version: what is asked for is in it.
pub struct Mirror {
    address: SocketAddr,
    pub asked: Arc<Mutex<Vec<String>>>,
    pub certificate: TempDir,
    scheme: &'static str,
}

#[derive(Clone, Default)]
pub struct Manner {
    /// Bytes of the archive that come before a long pause, the first time.
    pub stalls_after: Option<usize>,
    /// Where the archive is said to be.
    pub location: Option<String>,
}

impl Mirror {
    pub fn plain(manner: Manner) -> Self {
        Self::start(None, folder(&[]), manner)
    }

    /// Its certificate is in `ca.pem`.
    pub fn tls(manner: Manner) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let certificate = folder(&[("ca.pem", made.cert.pem().as_str())]);
        Self::start(Some(Arc::new(config)), certificate, manner)
    }

    fn start(tls: Option<Arc<ServerConfig>>, certificate: TempDir, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let all = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, all) = (stream.unwrap(), all.clone());
                let (tls, manner) = (tls.clone(), manner.clone());
                std::thread::spawn(move || {
                    let _gone = match tls {
                        None => answer(stream, &all, &manner),
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            answer(StreamOwned::new(connection, stream), &all, &manner)
                        }
                    };
                });
            }
        });
        Self {
            address,
            asked,
            certificate,
            scheme,
        }
    }

    pub fn base(&self) -> String {
        format!("{}://localhost:{}/istio", self.scheme, self.address.port())
    }

    /// The first lines of the requests for archives.
    pub fn archives(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let archives = asked.iter().filter(|head| !head.contains(".sha256 "));
        archives.cloned().collect()
    }
}

fn answer(
    mut stream: impl Read + Write,
    all: &Mutex<Vec<String>>,
    manner: &Manner,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let is_sum = path.ends_with(".sha256");
    let is_first = {
        let mut all = all.lock().unwrap();
        all.push(head.clone());
        all.iter().filter(|head| !head.contains(".sha256 ")).count() <= 1
    };
    let name = path.trim_end_matches(".sha256").rsplit('/').next().unwrap();
    let version = name.split('-').nth(1).unwrap_or_default();
    let file = archive(version);
    if is_sum {
        let digest: String = Sha256::digest(&file)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let line = format!("{digest} {name}\n");
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{line}",
            line.len()
        )?;
    } else if let Some(location) = &manner.location {
        write!(
            stream,
            "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )?;
    } else {
        let from = head
            .lines()
            .find_map(|line| line.strip_prefix("range: bytes="));
        let from: usize = from.map_or(0, |from| from.trim_end_matches('-').parse().unwrap());
        let line = match from {
            0 => "200 OK".to_owned(),
            _ => format!(
                "206 Partial Content\r\ncontent-range: bytes {from}-{}/{}",
                file.len() - 1,
                file.len()
            ),
        };
        let rest = &file[from..];
        write!(
            stream,
            "HTTP/1.1 {line}\r\netag: \"1\"\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            rest.len()
        )?;
        if let Some(count) = manner.stalls_after.filter(|_| is_first) {
            stream.write_all(&rest[..count])?;
            stream.flush()?;
            std::thread::sleep(Duration::from_secs(60));
        }
        stream.write_all(rest)?;
    }
    stream.flush()
}

/// A program that says this version and renders one object.
fn archive(version: &str) -> Vec<u8> {
    let text = format!(
        "#!/bin/sh\ncase \"$1\" in\nversion) echo '{{\"clientVersion\":{{\"version\":\"{version}\"}}}}' ;;\n*) printf '{}' ;;\nesac\nexit 0\n{}",
        MANIFEST.replace('\n', "\\n"),
        "#".repeat(10_000)
    );
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, "istioctl", text.as_bytes())
        .unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}
