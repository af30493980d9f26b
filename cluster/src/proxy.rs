//! Asking a proxy itself: its administration port through a forwarded port, and its log. Not here: what the answers mean.

mod allowed;
mod enforced;
mod forward;
mod judged;
mod log;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use mesh::filter::{Look, ResourceKind};
use serde_json::Value;

use crate::api::{About, Failure};
use crate::connect::Connection;
use crate::error::{ClusterError, first_line};
pub use allowed::may_ask;
pub use enforced::enforced;
pub use judged::judged;
pub use log::{Follower, Lines, Said, past};

/// Envoy's administration port. It listens on loopback inside the pod only.
const ADMIN: u16 = 15000;
/// The agent's own port, with its metrics.
const AGENT: u16 = 15020;
/// No answer is larger: a dump of a gateway with thousands of filters is some megabytes.
const LARGEST: usize = 64 * 1024 * 1024;
/// A proxy that says nothing for so long says nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines of the log in which a cause is looked for.
const LINES: u32 = 500;

/// A proxy, named by its pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// One look at what a proxy was sent and what it runs, without its log. The agent is asked only where something has to be explained.
///
/// # Errors
/// No right to forward ports; a pod that isn't there or doesn't answer.
pub async fn look(connection: &Connection, pod: &Pod) -> Result<Look, ClusterError> {
    let mut admin = Admin::open(connection, pod, ADMIN, true).await?;
    let (dump, now) = admin.get("/config_dump?resource=ecds_filters").await?;
    // A regular expression; `|` is encoded.
    let (stats, _) = admin
        .get("/stats?filter=wasmcustom.kyma_istio%7C_draining")
        .await?;
    let dump: Value = serde_json::from_str(&dump).unwrap_or_default();
    let (gauges, counters) = Look::metrics(&stats);
    let mut look = Look {
        resources: Look::resources(&dump),
        gauges,
        counters,
        is_draining: Look::is_draining(&stats),
        now,
        ..Look::default()
    };
    let is_stub =
        |kind: &ResourceKind| matches!(kind, ResourceKind::DenyAll | ResourceKind::AllowAll);
    if look
        .resources
        .iter()
        .any(|resource| is_stub(&resource.kind))
    {
        // The explanation is worth a try, the fact is known already.
        if let Ok(mut agent) = Admin::open(connection, pod, AGENT, true).await
            && let Ok((metrics, _)) = agent.get("/stats/prometheus").await
        {
            look.fetches = Look::fetches(&metrics);
        }
    }
    Ok(look)
}

/// Adds the end of its log, for what has to be explained. Without the right to read it the fact is known all the same.
async fn explain(connection: &Connection, pod: &Pod, look: &mut Look) {
    look.log = log::tail(connection, pod, LINES).await.unwrap_or_default();
}

/// How many proxies in front of it each HTTP listener of a proxy trusts, by the listener's name.
///
/// # Errors
/// As [`look`].
pub async fn trusted_hops(
    connection: &Connection,
    pod: &Pod,
) -> Result<BTreeMap<String, u64>, ClusterError> {
    let mut admin = Admin::open(connection, pod, ADMIN, true).await?;
    let (dump, _) = admin.get("/config_dump?resource=dynamic_listeners").await?;
    let dump: Value = serde_json::from_str(&dump).unwrap_or_default();
    let listeners = dump.get("configs").and_then(Value::as_array);
    let mut found = BTreeMap::new();
    for listener in listeners.into_iter().flatten() {
        let name = listener
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        each_manager(listener, &mut |manager| {
            // Nothing written is 0 in protobuf.
            let hops = manager
                .get("xff_num_trusted_hops")
                .and_then(Value::as_u64)
                .unwrap_or(0);
            found.insert(name.to_owned(), hops);
        });
    }
    Ok(found)
}

fn each_manager(value: &Value, tell: &mut dyn FnMut(&Value)) {
    match value {
        Value::Object(fields) => {
            let is_manager = fields
                .get("@type")
                .and_then(Value::as_str)
                .is_some_and(|name| name.ends_with(".HttpConnectionManager"));
            match is_manager {
                true => tell(value),
                false => fields.values().for_each(|value| each_manager(value, tell)),
            }
        }
        Value::Array(all) => all.iter().for_each(|value| each_manager(value, tell)),
        _ => {}
    }
}

/// The level of the logger `wasm` in a proxy.
///
/// # Errors
/// As [`look`]; or Envoy has no such logger.
pub async fn log_level(connection: &Connection, pod: &Pod) -> Result<String, ClusterError> {
    level(connection, pod, "").await
}

/// Sets the level of the logger `wasm` in a proxy; what it is afterwards.
///
/// # Errors
/// As [`log_level`].
pub async fn set_log_level(
    connection: &Connection,
    pod: &Pod,
    to: &str,
) -> Result<String, ClusterError> {
    level(connection, pod, &format!("?wasm={to}")).await
}

async fn level(connection: &Connection, pod: &Pod, query: &str) -> Result<String, ClusterError> {
    let mut admin = Admin::open(connection, pod, ADMIN, query.is_empty()).await?;
    let (loggers, _) = admin.ask(Method::POST, &format!("/logging{query}")).await?;
    let line = loggers
        .lines()
        .find_map(|line| line.trim().strip_prefix("wasm:"));
    line.map(|level| level.trim().to_owned()).ok_or_else(|| {
        admin
            .about
            .answer(format!("Envoy of {pod} has no logger `wasm`"))
    })
}

/// A connection to a port of a pod that speaks HTTP.
struct Admin {
    sender: hyper::client::conn::http1::SendRequest<Empty<Bytes>>,
    about: About,
    pod: String,
}

impl Admin {
    async fn open(
        connection: &Connection,
        pod: &Pod,
        port: u16,
        reads: bool,
    ) -> Result<Self, ClusterError> {
        let about = about("create", "pods/portforward", pod);
        let stream = forward::open(connection, &about, pod, port, reads).await?;
        let handshake = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream));
        let (sender, driver) = handshake
            .await
            .map_err(|error| about.answer(error.to_string()))?;
        tokio::spawn(driver);
        Ok(Self {
            sender,
            about,
            pod: pod.to_string(),
        })
    }

    /// The text, and when it was said by the proxy's clock.
    async fn get(&mut self, path: &str) -> Result<(String, i64), ClusterError> {
        self.ask(Method::GET, path).await
    }

    async fn ask(&mut self, method: Method, path: &str) -> Result<(String, i64), ClusterError> {
        let wrong = |cause: String| {
            self.about.answer(format!(
                "the proxy of {} doesn't answer as one: {cause}",
                self.pod
            ))
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::ACCEPT, "*/*");
        let request = request
            .body(Empty::new())
            .map_err(|error| wrong(error.to_string()))?;
        let exchange = async {
            let response = self
                .sender
                .send_request(request)
                .await
                .map_err(|error| error.to_string())?;
            let (now, status) = (date(&response), response.status());
            let body = Limited::new(response.into_body(), LARGEST)
                .collect()
                .await
                .map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            match status {
                StatusCode::OK => Ok((text, now)),
                // A proxy that was sent none of the kind has no such part in its dump.
                StatusCode::NOT_FOUND if path.starts_with("/config_dump") => {
                    Ok(("{}".to_owned(), now))
                }
                status => Err(format!(
                    "{} for {path}: {}",
                    status.as_u16(),
                    first_line(&text)
                )),
            }
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        let answer =
            answer.unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs())));
        answer.map_err(|cause| {
            self.about
                .answer(format!("the proxy of {}: {cause}", self.pod))
        })
    }
}

/// Seconds since 1970; 0 where the answer has no date.
fn date<B>(response: &Response<B>) -> i64 {
    let date = response
        .headers()
        .get(header::DATE)
        .and_then(|date| date.to_str().ok());
    date.and_then(mesh::filter::http_date).unwrap_or_default()
}

fn about(verb: &'static str, resource: &str, pod: &Pod) -> About {
    About {
        namespace: Some(pod.namespace.clone()),
        ..About::all(verb, resource)
    }
}

fn failure(connection: &Connection, about: &About, pod: &Pod, error: kube::Error) -> ClusterError {
    match error {
        kube::Error::Api(status) if status.code == 404 => ClusterError::NoPod {
            pod: pod.to_string(),
        },
        kube::Error::Api(status) => about.error(connection, Failure::Status(status)),
        other => about.answer(format!("{pod}: {}", crate::connect::transport(&other))),
    }
}

impl std::fmt::Display for Pod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
