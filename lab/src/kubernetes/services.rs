//! The way from the API server to Services. No kube-proxy gives cluster IPs a meaning here, so the API server asks us to
//! connect: its egress selector sends `CONNECT ip:port` to a socket of ours.
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/setup-konnectivity/>

use std::{
    collections::HashMap,
    fmt,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use super::programs::kubectl;
use crate::{Error, Result, error::Doing, http1, tools::output};

/// Connects cluster IPs of routed Services to processes. Others are refused, as a Service without endpoints is.
pub(super) struct Services {
    socket: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    closing: AtomicBool,
    kubeconfig: Mutex<PathBuf>,
    routes: Mutex<HashMap<Port, SocketAddr>>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Port {
    namespace: String,
    service: String,
    port: u16,
}

impl fmt::Display for Port {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}:{}", self.service, self.namespace, self.port)
    }
}

impl Services {
    /// Listens on a socket in `folder`.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let socket = folder.join("services.sock");
        let listener = UnixListener::bind(&socket).doing(|| "binding the services".into())?;
        let shared = Arc::new(Shared::default());
        let also = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &also));
        Ok(Self { socket, shared })
    }

    /// What the API server must be told with `--egress-selector-config-file`.
    pub(super) fn egress(&self) -> Value {
        json!({
            "apiVersion": "apiserver.k8s.io/v1beta1",
            "kind": "EgressSelectorConfiguration",
            "egressSelections": [{
                "name": "cluster",
                "connection": {
                    "proxyProtocol": "HTTPConnect",
                    "transport": { "uds": { "udsName": self.socket } },
                },
            }],
        })
    }

    /// Whom to ask which Service has a cluster IP.
    pub(super) fn ask(&self, kubeconfig: &Path) {
        *lock(&self.shared.kubeconfig) = kubeconfig.to_owned();
    }

    pub(super) fn route(&self, namespace: &str, service: &str, port: u16, to: SocketAddr) {
        let from = Port {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
            port,
        };
        lock(&self.shared.routes).insert(from, to);
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the listening thread; if that fails, there is none.
        let _ = UnixStream::connect(&self.socket);
    }
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(stream, &shared));
    }
}

fn serve(mut api_server: UnixStream, shared: &Shared) {
    let connected = target(&mut api_server).and_then(|target| shared.connect(&target));
    // Errors from here on are those of a connection: the API server reports what it means to a request.
    let _ = match connected {
        Ok(service) => api_server
            .write_all(b"HTTP/1.1 200 OK\r\n\r\n")
            .and_then(|()| pipe(api_server, service)),
        // The API server repeats the phrase to whoever asked it.
        Err(error) => write!(api_server, "HTTP/1.1 503 {error}\r\n\r\n"),
    };
}

/// The address in `CONNECT address HTTP/1.1`. The API server says nothing more before it is answered.
fn target(stream: &mut UnixStream) -> Result<SocketAddr> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 4096 {
        stream
            .read_exact(&mut byte)
            .doing(|| "reading a CONNECT".into())?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let address = head
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    address
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| Error::Protocol {
            expected: "CONNECT with an address",
            found: head.lines().next().unwrap_or_default().to_owned(),
        })
}

impl Shared {
    fn connect(&self, target: &SocketAddr) -> Result<TcpStream> {
        let port = self.service_at(target)?;
        let to = lock(&self.routes).get(&port).copied();
        let to = to.ok_or_else(|| Error::Unusable(format!("nothing serves {port}")))?;
        TcpStream::connect(to).doing(|| format!("connecting to {port}"))
    }

    /// Asked each time, because an IP may be another Service's after a reinstallation. The API server keeps its
    /// connections, so this is rare.
    fn service_at(&self, target: &SocketAddr) -> Result<Port> {
        let kubeconfig = lock(&self.kubeconfig).clone();
        let mut kubectl = kubectl()?;
        kubectl.arg("--kubeconfig").arg(kubeconfig);
        let list = output(kubectl.args(["get", "--raw=/api/v1/services"]))?;
        let list: Value = serde_json::from_str(&list)
            .map_err(|_| http1::broken("a list of Services", list.as_bytes()))?;
        let ip = target.ip().to_string();
        let services = list["items"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        services
            .filter(|service| service["spec"]["clusterIP"] == ip)
            .find_map(|service| {
                Some(Port {
                    namespace: text(&service["metadata"]["namespace"])?,
                    service: text(&service["metadata"]["name"])?,
                    port: target.port(),
                })
            })
            .ok_or_else(|| Error::Unusable(format!("no Service has {ip}")))
    }
}

/// Bytes both ways until both sides have ended.
fn pipe(api_server: UnixStream, service: TcpStream) -> io::Result<()> {
    let (mut from, mut to) = (api_server.try_clone()?, service.try_clone()?);
    let asking = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (service, api_server);
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Both)?;
    let _ = asking.join();
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
