//! Buffers: configurations, bodies, the body of a call-out's answer.

use crate::memory::{Answer, Fault, Host};
use crate::request::CalloutResponse;
use crate::state::State;
use crate::status::Status;

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const CALLOUT_BODY: u32 = 4;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;
const LAST_KIND: u32 = 8;

pub(super) fn get(
    host: &mut Host<'_>,
    kind: u32,
    start: u32,
    length: u32,
    data_out: u32,
    size_out: u32,
) -> Answer {
    let buffer = buffer(host.state(), kind)?;
    let rest = buffer.get(start as usize..).ok_or(Status::BadArgument)?;
    let bytes = rest.get(..length as usize).unwrap_or(rest).to_vec();
    if bytes.is_empty() {
        // Envoy says Ok and writes nothing.
        return Ok(());
    }
    host.give(bytes, data_out, size_out)
}

pub(super) fn set(
    host: &mut Host<'_>,
    kind: u32,
    start: u32,
    length: u32,
    data: u32,
    size: u32,
) -> Answer {
    let bytes = host.read(data, size)?;
    let stream = host.state_mut().stream_mut();
    let body = match kind {
        REQUEST_BODY => stream.and_then(|stream| stream.request_body.as_mut()),
        RESPONSE_BODY => stream.and_then(|stream| stream.response_body.as_mut()),
        _ if kind > LAST_KIND => return Err(Status::BadArgument.into()),
        _ => None,
    };
    let body = body.ok_or(Status::NotFound)?;
    let start = (start as usize).min(body.len());
    let end = start.saturating_add(length as usize).min(body.len());
    body.splice(start..end, bytes);
    Ok(())
}

pub(super) fn status(host: &mut Host<'_>, kind: u32, length_out: u32, flags_out: u32) -> Answer {
    let length = buffer(host.state(), kind)?.len();
    host.give_u32(u32::try_from(length).unwrap_or(u32::MAX), length_out)?;
    host.write_u32(flags_out, 0)
}

/// ABI 0.1.0: the plugin's configuration while it is being configured, else the VM's.
pub(super) fn configuration(host: &mut Host<'_>, data_out: u32, size_out: u32) -> Answer {
    let state = host.state();
    let bytes = state
        .plugin_configuration
        .as_ref()
        .unwrap_or(&state.settings.vm_configuration)
        .clone();
    host.give(bytes, data_out, size_out)
}

fn buffer(state: &State, kind: u32) -> Result<&[u8], Fault> {
    let found = match kind {
        REQUEST_BODY => state
            .stream()
            .and_then(|stream| stream.request_body.as_deref()),
        RESPONSE_BODY => state
            .stream()
            .and_then(|stream| stream.response_body.as_deref()),
        CALLOUT_BODY => match &state.callout_response {
            Some(CalloutResponse::Answered { body, .. }) => Some(body.as_slice()),
            Some(CalloutResponse::Failed) | None => None,
        },
        VM_CONFIGURATION => Some(state.settings.vm_configuration.as_slice()),
        PLUGIN_CONFIGURATION => state.plugin_configuration.as_deref(),
        _ if kind > LAST_KIND => return Err(Status::BadArgument.into()),
        _ => None,
    };
    found.ok_or(Status::NotFound.into())
}
