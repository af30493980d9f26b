//! Properties: the stream's own first, then the host's, then what follows from the headers, then filter state.

use crate::memory::{Answer, Host};
use crate::property::from_request;
use crate::state::State;
use crate::status::Status;

pub(super) fn get(
    host: &mut Host<'_>,
    path: u32,
    path_size: u32,
    data_out: u32,
    size_out: u32,
) -> Answer {
    let path = host.read(path, path_size)?;
    let value = find(host.state(), trimmed(&path)).ok_or(Status::NotFound)?;
    host.give(value, data_out, size_out)
}

pub(super) fn set(
    host: &mut Host<'_>,
    path: u32,
    path_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let (path, value) = (host.read(path, path_size)?, host.read(value, value_size)?);
    // Envoy keeps it in the stream's filter state; a root context has none.
    let stream = host.state_mut().stream_mut().ok_or(Status::NotFound)?;
    stream.filter_state.insert(trimmed(&path).to_vec(), value);
    Ok(())
}

fn find(state: &State, path: &[u8]) -> Option<Vec<u8>> {
    let stream = state.stream();
    stream
        .and_then(|stream| stream.properties.get(path))
        .or_else(|| state.settings.properties.get(path))
        .map(<[u8]>::to_vec)
        .or_else(|| match path {
            b"plugin_name" => Some(state.settings.plugin_name.clone().into_bytes()),
            b"plugin_root_id" => Some(state.settings.root_id.clone().into_bytes()),
            _ => None,
        })
        .or_else(|| from_request(path, &stream?.request))
        .or_else(|| stream?.filter_state.get(path).cloned())
}

/// A closing NUL is allowed.
fn trimmed(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"\0").unwrap_or(path)
}
