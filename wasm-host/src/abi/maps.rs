//! Header maps. What is readable when, and that one value of a repeated name is all the getter gives, is Envoy's way.

use crate::headers::Headers;
use crate::memory::{Answer, Fault, Host};
use crate::pairs;
use crate::request::CalloutResponse;
use crate::state::State;
use crate::status::{AbiVersion, MapKind, Status};

pub(super) fn pairs(host: &mut Host<'_>, kind: u32, data_out: u32, size_out: u32) -> Answer {
    let kind = map_kind(kind)?;
    // A map that is not there reads as an empty one.
    let pairs = readable(host.state(), kind)
        .map(|headers| headers.pairs().clone())
        .unwrap_or_default();
    host.give_pairs(&pairs, data_out, size_out)
}

pub(super) fn value(
    host: &mut Host<'_>,
    kind: u32,
    name: u32,
    name_size: u32,
    data_out: u32,
    size_out: u32,
) -> Answer {
    let kind = map_kind(kind)?;
    let name = host.read(name, name_size)?;
    let state = host.state();
    let found = match readable(state, kind) {
        Some(headers) => headers.first(&name).map(<[u8]>::to_vec),
        None if state.stream().is_some_and(|stream| stream.logging) => Some(Vec::new()),
        None => return Err(Status::BadArgument.into()),
    };
    match found {
        Some(value) => host.give(value, data_out, size_out),
        None if host.state().abi == AbiVersion::V0_1_0 => host.give(Vec::new(), data_out, size_out),
        None => Err(Status::NotFound.into()),
    }
}

pub(super) fn size(host: &mut Host<'_>, kind: u32, out: u32) -> Answer {
    let kind = map_kind(kind)?;
    let size = readable(host.state(), kind)
        .ok_or(Status::BadArgument)?
        .byte_size();
    host.give_u32(u32::try_from(size).unwrap_or(u32::MAX), out)
}

pub(super) fn set_pairs(host: &mut Host<'_>, kind: u32, data: u32, size: u32) -> Answer {
    let kind = map_kind(kind)?;
    // Bytes that don't decode are no pairs, so they empty the map: Envoy does the same.
    let pairs = pairs::decode(&host.read(data, size)?).unwrap_or_default();
    *writable(host.state_mut(), kind)? = Headers::new(pairs);
    Ok(())
}

pub(super) fn add(
    host: &mut Host<'_>,
    kind: u32,
    name: u32,
    name_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let kind = map_kind(kind)?;
    let (name, value) = (host.read(name, name_size)?, host.read(value, value_size)?);
    writable(host.state_mut(), kind)?.add(&name, &value);
    Ok(())
}

pub(super) fn replace(
    host: &mut Host<'_>,
    kind: u32,
    name: u32,
    name_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let kind = map_kind(kind)?;
    let (name, value) = (host.read(name, name_size)?, host.read(value, value_size)?);
    writable(host.state_mut(), kind)?.replace(&name, &value);
    Ok(())
}

pub(super) fn remove(host: &mut Host<'_>, kind: u32, name: u32, name_size: u32) -> Answer {
    let kind = map_kind(kind)?;
    let name = host.read(name, name_size)?;
    writable(host.state_mut(), kind)?.remove(&name);
    Ok(())
}

fn map_kind(code: u32) -> Result<MapKind, Fault> {
    MapKind::from_code(code).ok_or(Status::BadArgument.into())
}

/// The map if the guest may read it now. The call-out's answer is there for every context while it is shown.
fn readable(state: &State, kind: MapKind) -> Option<std::borrow::Cow<'_, Headers>> {
    use std::borrow::Cow;
    let answer = |trailers: bool| match state.callout_response.as_ref()? {
        CalloutResponse::Answered {
            headers,
            trailers: lines,
            ..
        } => Some(Cow::Owned(Headers::new(if trailers {
            lines.clone()
        } else {
            headers.clone()
        }))),
        CalloutResponse::Failed => None,
    };
    let stream = state.stream();
    match kind {
        MapKind::RequestHeaders => stream
            .filter(|stream| stream.request_attached || stream.logging)
            .map(|stream| Cow::Borrowed(&stream.request)),
        MapKind::RequestTrailers => stream?.request_trailers.as_ref().map(Cow::Borrowed),
        MapKind::ResponseHeaders => stream
            .filter(|stream| stream.response_attached || stream.logging)
            .and_then(|stream| stream.response.as_ref())
            .map(Cow::Borrowed),
        MapKind::CalloutHeaders => answer(false),
        MapKind::CalloutTrailers => answer(true),
        MapKind::ResponseTrailers | MapKind::GrpcInitial | MapKind::GrpcTrailing => None,
    }
}

/// The map if the guest may change it now.
fn writable(state: &mut State, kind: MapKind) -> Result<&mut Headers, Fault> {
    let stream = state.stream_mut().ok_or(Status::BadArgument)?;
    let map = match kind {
        MapKind::RequestHeaders if stream.request_attached => Some(&mut stream.request),
        MapKind::RequestTrailers => stream.request_trailers.as_mut(),
        MapKind::ResponseHeaders if stream.response_attached => stream.response.as_mut(),
        _ => None,
    };
    map.ok_or(Status::BadArgument.into())
}
