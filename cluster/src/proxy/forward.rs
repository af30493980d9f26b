//! One forwarded port as a stream of bytes: Kubernetes' channels over a WebSocket. kube's own forwarder takes no request
//! that is marked as reading only, which a dry run's guard asks for.

use futures_util::{SinkExt, StreamExt};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::Message;

use super::{Pod, failure};
use crate::api::About;
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::guard::ReadOnly;
use crate::retry::Once;

/// Of one port: the first channel carries its bytes, the second what went wrong.
const DATA: u8 = 0;
const ERROR: u8 = 1;
/// The server's first message on each channel is the port's number, which we know.
const GREETING: usize = 2;
const BUFFER: usize = 64 * 1024;

/// Opens it.
pub(super) async fn open(
    connection: &Connection,
    about: &About,
    pod: &Pod,
    port: u16,
    reads: bool,
) -> Result<DuplexStream, ClusterError> {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/portforward?ports={port}",
        pod.namespace, pod.name
    );
    let mut request = Request::get(path).extension(Once);
    if reads {
        request = request.extension(ReadOnly);
    }
    let request = request
        .body(Vec::new())
        .map_err(|error| about.answer(error.to_string()))?;
    let upgraded = connection.client.connect(request).await;
    let socket = upgraded
        .map_err(|error| failure(connection, about, pod, error))?
        .into_stream();
    let (ours, theirs) = tokio::io::duplex(BUFFER);
    tokio::spawn(pump(socket, theirs));
    Ok(ours)
}

/// Carries bytes both ways until one side ends.
async fn pump<S>(socket: tokio_tungstenite::WebSocketStream<S>, stream: DuplexStream)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (mut to_pod, mut from_pod) = socket.split();
    let (mut from_us, mut to_us) = tokio::io::split(stream);
    let sending = async {
        let mut buffer = vec![0; BUFFER];
        buffer[0] = DATA;
        loop {
            match from_us.read(&mut buffer[1..]).await {
                Ok(0) | Err(_) => return,
                Ok(read) => {
                    let message = Message::Binary(buffer[..=read].to_vec().into());
                    if to_pod.send(message).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    let receiving = async {
        let mut greeted = [false; 2];
        while let Some(Ok(message)) = from_pod.next().await {
            let Message::Binary(bytes) = message else {
                continue;
            };
            let Some((channel, bytes)) = bytes.split_first() else {
                continue;
            };
            let Some(greeted) = greeted.get_mut(usize::from(*channel)) else {
                continue;
            };
            if !std::mem::replace(greeted, true) && bytes.len() == GREETING {
                continue;
            }
            // On the other channel stands why nobody listens on the port: the reader meets an end where an answer was due.
            if *channel == ERROR || to_us.write_all(bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = sending => {}
        () = receiving => {}
    }
}
