//! The log of a proxy's container.

use futures_util::io::{AsyncBufReadExt, Lines as FutureLines};
use futures_util::{AsyncBufRead, StreamExt};
use http::Request;

use super::{Pod, about, failure};
use crate::connect::Connection;
use crate::error::ClusterError;

/// Lines as they come.
pub struct Lines(FutureLines<Box<dyn AsyncBufRead + Unpin + Send>>);

/// The last lines.
pub(super) async fn tail(
    connection: &Connection,
    pod: &Pod,
    lines: u32,
) -> Result<Vec<String>, ClusterError> {
    let about = about("get", "pods/log", pod);
    let request = request(pod, &format!("tailLines={lines}"));
    let request = request.map_err(|error| about.answer(error.to_string()))?;
    let text = connection.client.request_text(request).await;
    let text = text.map_err(|error| failure(connection, &about, pod, error))?;
    Ok(mesh::filter::Look::entries(&text))
}

/// The last lines, and with `follow` those that come.
///
/// # Errors
/// No right to read logs; a pod that isn't there.
pub async fn follow(
    connection: &Connection,
    pod: &Pod,
    tail: u32,
    follow: bool,
) -> Result<Lines, ClusterError> {
    let about = about("get", "pods/log", pod);
    let request = request(pod, &format!("tailLines={tail}&follow={follow}"));
    let request = request.map_err(|error| about.answer(error.to_string()))?;
    let stream = connection.client.request_stream(request).await;
    let stream = stream.map_err(|error| failure(connection, &about, pod, error))?;
    let stream: Box<dyn AsyncBufRead + Unpin + Send> = Box::new(Box::pin(stream));
    Ok(Lines(stream.lines()))
}

impl Lines {
    /// The next line; None at the end, or when the connection broke.
    pub async fn next(&mut self) -> Option<String> {
        self.0.next().await?.ok()
    }
}

fn request(pod: &Pod, query: &str) -> http::Result<Request<Vec<u8>>> {
    Request::get(format!(
        "/api/v1/namespaces/{}/pods/{}/log?container=istio-proxy&{query}",
        pod.namespace, pod.name
    ))
    .body(Vec::new())
}
