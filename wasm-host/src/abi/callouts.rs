//! HTTP call-outs are recorded and answered by the test; gRPC calls are not modelled and fail.

use std::time::Duration;

use crate::headers::Headers;
use crate::memory::{Answer, Host};
use crate::outcome::{Callout, StreamId};
use crate::pairs;
use crate::settings::Clusters;
use crate::status::Status;

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
pub(super) fn http_call(
    host: &mut Host<'_>,
    cluster: u32,
    cluster_size: u32,
    headers: u32,
    headers_size: u32,
    body: u32,
    body_size: u32,
    trailers: u32,
    trailers_size: u32,
    timeout: u32,
    token_out: u32,
) -> Answer {
    let cluster = host.read(cluster, cluster_size)?;
    let body = host.read(body, body_size)?;
    let headers =
        Headers::new(pairs::decode(&host.read(headers, headers_size)?).unwrap_or_default());
    let trailers = pairs::decode(&host.read(trailers, trailers_size)?).unwrap_or_default();
    // Proves the pointer before the call goes out.
    host.write_u32(token_out, 0)?;

    let state = host.state_mut();
    let reachable = match &state.settings.clusters {
        Clusters::Any => true,
        Clusters::Only(names) => names.contains(&cluster),
    };
    let complete = [":method", ":path", ":authority"]
        .iter()
        .all(|name| headers.first(name.as_bytes()).is_some());
    let timeout = u64::try_from(timeout.cast_signed()).ok();
    let (true, true, Some(timeout)) = (reachable, complete, timeout) else {
        return Err(Status::BadArgument.into());
    };

    let token = state
        .last_token
        .checked_add(1)
        .ok_or(Status::InternalFailure)?;
    let context = state.context();
    let stream = state
        .streams
        .contains_key(&context)
        .then_some(StreamId(context));
    state.last_token = token;
    state.pending.insert(token, (state.root(), stream));
    state.effects.callouts.push(Callout {
        token,
        stream,
        cluster,
        headers: headers.pairs().clone(),
        body,
        trailers,
        timeout: Duration::from_millis(timeout),
    });
    host.give_u32(token, token_out)
}

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
pub(super) fn grpc_call(
    _host: &mut Host<'_>,
    _service: u32,
    _service_size: u32,
    _name: u32,
    _name_size: u32,
    _method: u32,
    _method_size: u32,
    _metadata: u32,
    _metadata_size: u32,
    _message: u32,
    _message_size: u32,
    _timeout: u32,
    _token_out: u32,
) -> Answer {
    Err(Status::InternalFailure.into())
}

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
pub(super) fn grpc_stream(
    _host: &mut Host<'_>,
    _service: u32,
    _service_size: u32,
    _name: u32,
    _name_size: u32,
    _method: u32,
    _method_size: u32,
    _metadata: u32,
    _metadata_size: u32,
    _token_out: u32,
) -> Answer {
    Err(Status::InternalFailure.into())
}

pub(super) fn grpc_send(
    _host: &mut Host<'_>,
    _token: u32,
    _message: u32,
    _message_size: u32,
    _end: u32,
) -> Answer {
    Err(Status::NotFound.into())
}

pub(super) fn grpc_end(_host: &mut Host<'_>, _token: u32) -> Answer {
    Err(Status::NotFound.into())
}
