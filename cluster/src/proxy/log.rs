//! The log of a proxy's container.

use futures_util::io::{AsyncBufReadExt, Lines as FutureLines};
use futures_util::{AsyncBufRead, StreamExt};
use http::Request;

use super::{Pod, about, failure};
use crate::connect::Connection;
use crate::error::ClusterError;

/// Lines as they come.
pub struct Lines {
    lines: FutureLines<Box<dyn AsyncBufRead + Unpin + Send>>,
    pod: Pod,
}

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

/// The last lines, one by one.
///
/// # Errors
/// No right to read logs; a pod that isn't there.
pub async fn past(connection: &Connection, pod: &Pod, tail: u32) -> Result<Lines, ClusterError> {
    let opened = open(connection, pod, &format!("tailLines={tail}")).await;
    opened.map_err(|error| failure(connection, &about("get", "pods/log", pod), pod, error))
}

async fn open(connection: &Connection, pod: &Pod, query: &str) -> Result<Lines, kube::Error> {
    let request = request(pod, query).map_err(kube::Error::HttpError)?;
    let stream = connection.client.request_stream(request).await?;
    let stream: Box<dyn AsyncBufRead + Unpin + Send> = Box::new(Box::pin(stream));
    Ok(Lines {
        lines: stream.lines(),
        pod: pod.clone(),
    })
}

impl Lines {
    /// The next line; None at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<String>, ClusterError> {
        let line = self.lines.next().await.transpose();
        line.map_err(|error| {
            let about = about("get", "pods/log", &self.pod);
            about.answer(crate::connect::transport(&error))
        })
    }
}

/// A log that is followed through everything but the end of its pod: a silence that the connection doesn't outlive, an API
/// server that restarts, another container.
pub struct Follower {
    connection: Connection,
    pod: Pod,
    tail: u32,
    /// The time of the last line that was told, as the kubelet wrote it.
    last: Option<String>,
    lines: Option<Lines>,
    /// That it broke off was told.
    is_told: bool,
}

/// What came of following.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A line.
    Line(String),
    /// The container ended, or the API server ended the request; it is opened again.
    Ended,
    /// It can't be read; it is tried again. Told once until it can.
    Broken(String),
    /// The pod is gone.
    Gone,
}

impl Follower {
    /// Opens it, with so many lines of the past.
    ///
    /// # Errors
    /// As [`past`].
    pub async fn open(connection: &Connection, pod: &Pod, tail: u32) -> Result<Self, ClusterError> {
        let mut follower = Self {
            connection: connection.clone(),
            pod: pod.clone(),
            tail,
            last: None,
            lines: None,
            is_told: false,
        };
        let opened = open(connection, pod, &follower.query()).await;
        let about = about("get", "pods/log", pod);
        follower.lines = Some(opened.map_err(|error| failure(connection, &about, pod, error))?);
        Ok(follower)
    }

    /// What comes next.
    pub async fn next(&mut self) -> Said {
        loop {
            let Some(lines) = &mut self.lines else {
                // Two seconds, as connections usually are.
                tokio::time::sleep(self.connection.patience.first_wait * 10).await;
                match open(&self.connection, &self.pod, &self.query()).await {
                    Ok(lines) => self.lines = Some(lines),
                    Err(kube::Error::Api(status)) if status.code == 404 => return Said::Gone,
                    Err(error) if !std::mem::replace(&mut self.is_told, true) => {
                        let about = about("get", "pods/log", &self.pod);
                        let error = failure(&self.connection, &about, &self.pod, error);
                        return Said::Broken(error.to_string());
                    }
                    Err(_) => {}
                }
                continue;
            };
            match lines.next().await {
                Ok(Some(line)) => {
                    self.is_told = false;
                    if let Some(line) = self.taken(&line) {
                        return Said::Line(line);
                    }
                }
                Ok(None) => {
                    self.lines = None;
                    return Said::Ended;
                }
                // Most likely a silence that was longer than a connection may have. Whatever it is, opening it again tells.
                Err(_) => self.lines = None,
            }
        }
    }

    /// From the last line on, to the second; without one, as at the beginning.
    fn query(&self) -> String {
        let since = match self.last.as_deref().and_then(to_the_second) {
            Some(time) => format!("sinceTime={time}"),
            None => format!("tailLines={}", self.tail),
        };
        format!("{since}&follow=true&timestamps=true")
    }

    /// The line without its time; none if it was told before.
    fn taken(&mut self, line: &str) -> Option<String> {
        let (time, text) = line.split_once(' ').unwrap_or((line, ""));
        // Now and then the kubelet has a word of its own there.
        if to_the_second(time).is_none() {
            return Some(line.to_owned());
        }
        // It writes nine digits of a second, and one node has one zone: text compares as time does.
        if self.last.as_deref().is_some_and(|last| time <= last) {
            return None;
        }
        self.last = Some(time.to_owned());
        Some(text.to_owned())
    }
}

/// `2026-11-21T16:17:20.123456789+02:00` as a query takes it, which knows no fractions: `2026-11-21T16:17:20%2B02:00`.
fn to_the_second(time: &str) -> Option<String> {
    let (second, rest) = time.split_at_checked("2026-11-21T16:17:20".len())?;
    let is_time =
        second.starts_with(|first: char| first.is_ascii_digit()) && second.get(10..11) == Some("T");
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    (is_time && !zone.is_empty()).then(|| format!("{second}{}", zone.replace('+', "%2B")))
}

fn request(pod: &Pod, query: &str) -> http::Result<Request<Vec<u8>>> {
    Request::get(format!(
        "/api/v1/namespaces/{}/pods/{}/log?container=istio-proxy&{query}",
        pod.namespace, pod.name
    ))
    .body(Vec::new())
}
