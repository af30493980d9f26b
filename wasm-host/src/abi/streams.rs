//! What a guest does to a stream as a whole: let it go on, answer it, reset it, act for another one.

use crate::memory::{Answer, Host};
use crate::outcome::LocalReply;
use crate::pairs;
use crate::status::{Direction, Status};

pub(super) fn continue_stream(host: &mut Host<'_>, direction: u32) -> Answer {
    match Direction::from_code(direction) {
        Some(direction @ (Direction::Request | Direction::Response)) => go_on(host, direction),
        _ => Err(Status::BadArgument.into()),
    }
}

/// ABI 0.1.0.
pub(super) fn continue_request(host: &mut Host<'_>) -> Answer {
    go_on(host, Direction::Request)
}

/// ABI 0.1.0.
pub(super) fn continue_response(host: &mut Host<'_>) -> Answer {
    go_on(host, Direction::Response)
}

fn go_on(host: &mut Host<'_>, direction: Direction) -> Answer {
    // A root context has no stream: Envoy says Ok and nothing happens.
    if let Some(stream) = host.state_mut().stream_mut() {
        stream.continue_stream(direction);
    }
    Ok(())
}

pub(super) fn close(host: &mut Host<'_>, direction: u32) -> Answer {
    let direction = Direction::from_code(direction).ok_or(Status::BadArgument)?;
    if let Some(stream) = host.state_mut().stream_mut() {
        stream.reset(direction);
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
pub(super) fn send_local_response(
    host: &mut Host<'_>,
    status: u32,
    details: u32,
    details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    grpc: u32,
) -> Answer {
    let details = host.read(details, details_size)?;
    let body = host.read(body, body_size)?;
    // Headers that don't decode are none: the reply goes out all the same, as in Envoy.
    let headers = pairs::decode(&host.read(headers, headers_size)?).unwrap_or_default();
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let grpc_status = u32::try_from(grpc.cast_signed()).ok();
    if let Some(stream) = host.state_mut().stream_mut() {
        stream.reply(LocalReply {
            status,
            details,
            headers,
            body,
            grpc_status,
        });
    }
    Ok(())
}

pub(super) fn clear_route_cache(host: &mut Host<'_>) -> Answer {
    let effects = &mut host.state_mut().effects;
    effects.route_cache_cleared = effects.route_cache_cleared.saturating_add(1);
    Ok(())
}

pub(super) fn set_effective_context(host: &mut Host<'_>, context: u32) -> Answer {
    let state = host.state_mut();
    // 0 is the VM's own context: it always exists.
    if context != 0 && !state.has_context(context) {
        return Err(Status::BadArgument.into());
    }
    state.effective = context;
    Ok(())
}

pub(super) fn done(host: &mut Host<'_>) -> Answer {
    let state = host.state_mut();
    let id = state.context();
    let root = state
        .roots
        .get_mut(&id)
        .filter(|root| root.waits_for_done)
        .ok_or(Status::NotFound)?;
    root.done = true;
    Ok(())
}
