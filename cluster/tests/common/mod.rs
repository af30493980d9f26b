//! A scripted API server on loopback: faults that a real one doesn't show on demand. What the real one does is tested
//! against the real one.

#![allow(dead_code, reason = "each test file uses its part of it")]

pub mod store;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::connect::{Connection, Environment, Flags, connect_with};
use cluster::error::ClusterError;
use cluster::guard::Mode;
use cluster::retry::Patience;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Fast, so that giving up takes milliseconds.
pub const PATIENCE: Patience = Patience {
    tries: 4,
    first_wait: Duration::from_millis(5),
    longest_wait: Duration::from_millis(1500),
};

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A status, headers and JSON.
    Json(u16, Vec<(&'static str, &'static str)>, Value),
    /// A status and text.
    Text(u16, &'static str),
    /// It hangs up without an answer.
    HangUp,
    /// It does what it is asked, and hangs up without an answer.
    LoseAnswer,
    /// As the store answers, but later.
    Late(Duration),
    /// As the store answers.
    Usual,
}

type Script = Box<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

/// The server. Dropped with the test's runtime.
pub struct FakeApi {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    pub store: Arc<Mutex<store::Store>>,
}

impl FakeApi {
    /// `script` gets each request and how many with its method and path came before it.
    pub async fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let store = Arc::new(Mutex::new(store::Store::default()));
        let state = Arc::new((Box::new(script) as Script, seen.clone(), store.clone()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = state.clone();
                let service = service_fn(move |request| {
                    let state = state.clone();
                    async move { answer(request, &state.0, &state.1, &state.2).await }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move {
                    let _hung_up = connection.await;
                });
            }
        });
        Self {
            address,
            seen,
            store,
        }
    }

    pub async fn usual() -> Self {
        Self::start(|_, _| Reply::Usual).await
    }

    pub fn flags(&self) -> Flags {
        Flags {
            server: Some(format!("http://{}", self.address)),
            ..Flags::default()
        }
    }

    pub async fn connection(&self, mode: Mode) -> Connection {
        self.connect(&self.flags(), mode)
            .await
            .expect("a connection")
    }

    pub async fn connect(&self, flags: &Flags, mode: Mode) -> Result<Connection, ClusterError> {
        connect_with(flags, &Environment::default(), mode, PATIENCE).await
    }

    /// The requests so far, without the first look at the version.
    pub fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no panic");
        seen.iter()
            .filter(|request| request.path != "/version")
            .cloned()
            .collect()
    }

    /// How often this was asked.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.seen()
            .iter()
            .filter(|request| request.method == method && request.path == path)
            .count()
    }
}

/// A file with this text, in a folder that lives as long as the guard.
pub fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

pub fn config_map(name: &str, value: &str) -> mesh::object::Object {
    let value = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "istio-system" }, "data": { "key": value },
    });
    mesh::object::Object::new(value).expect("an object")
}

async fn answer(
    request: Request<Incoming>,
    script: &Script,
    all: &Mutex<Vec<Seen>>,
    store: &Mutex<store::Store>,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map_err(|_| "no body")?.to_bytes();
    let headers = parts.headers.iter().map(|(name, value)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    let seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    };
    let before = {
        let mut all = all.lock().expect("no panic");
        let before = all
            .iter()
            .filter(|one| one.method == seen.method && one.path == seen.path)
            .count();
        all.push(seen.clone());
        before
    };
    let (status, headers, text) = match script(&seen, before) {
        Reply::HangUp => return Err("as the script says"),
        Reply::LoseAnswer => {
            let _lost = store.lock().expect("no panic").answer(&seen);
            return Err("as the script says");
        }
        Reply::Json(status, headers, value) => (status, headers, value.to_string()),
        Reply::Text(status, text) => (status, Vec::new(), text.to_owned()),
        Reply::Late(time) => {
            tokio::time::sleep(time).await;
            let (status, value) = store.lock().expect("no panic").answer(&seen);
            (status, Vec::new(), value.to_string())
        }
        Reply::Usual => {
            let (status, value) = store.lock().expect("no panic").answer(&seen);
            (status, Vec::new(), value.to_string())
        }
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response
        .body(Full::new(Bytes::from(text)))
        .map_err(|_| "no response")
}
