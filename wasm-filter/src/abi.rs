//! The host functions that the filter calls, with every status a value.
//!
//! The SDK's getters allocate per header, read names as UTF-8 and panic on statuses they don't expect; a panic kills the VM with all streams of a worker. So the filter calls the host
//! itself. Everything the host hands over is bytes in one buffer, and decoding is checked.
//!
//! Source: proxy-wasm ABI 0.2.1; Envoy's `context.cc` for what the statuses mean.
#![expect(
    unsafe_code,
    reason = "calls into the host; the only such file of the workspace"
)]

use std::time::Duration;

/// What a host call answered other than Ok, by number. 1 is NotFound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u32);

impl Status {
    pub const NOT_FOUND: Self = Self(1);
    /// The host's answer was not what the ABI says. Not of the ABI.
    const INVALID_ANSWER: Self = Self(u32::MAX);
    /// The host called in while a call was under way. Not of the ABI.
    pub const BUSY: Self = Self(u32::MAX - 1);

    fn of(status: u32) -> Result<(), Self> {
        if status == 0 {
            Ok(())
        } else {
            Err(Self(status))
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod host {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
        pub fn proxy_get_log_level(level: *mut u32) -> u32;
        pub fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub fn proxy_get_buffer_bytes(
            kind: u32,
            start: usize,
            max: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
        pub fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
        pub fn proxy_get_property(
            path: *const u8,
            path_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc: i32,
        ) -> u32;
        pub fn proxy_call_foreign_function(
            name: *const u8,
            name_size: usize,
            argument: *const u8,
            argument_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
        pub fn proxy_increment_metric(id: u32, by: i64) -> u32;
        pub fn proxy_record_metric(id: u32, value: u64) -> u32;
        pub fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[path = "no_host.rs"]
mod host;

/// A header map, by the ABI's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map {
    RequestHeaders = 0,
    RequestTrailers = 1,
}

const PLUGIN_CONFIGURATION: u32 = 7;

/// Bytes that the host wrote into memory it had the module allocate.
fn owned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Status> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    Status::of(call(&mut data, &mut size))?;
    if data.is_null() || size == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the host got this block from `proxy_on_memory_allocate`, which leaks a boxed slice of exactly `size` bytes, and gives it up with the answer (ABI 0.2.1, "memory ownership").
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// A line in the proxy's log. Levels are those of the ABI: 0 trace to 5 critical.
pub(crate) fn log(level: u32, message: &str) {
    // SAFETY: pointer and length of one text that outlives the call. Nothing could be done about a failure.
    let _ = unsafe { host::proxy_log(level, message.as_ptr(), message.len()) };
}

/// A warning that names what a host call answered.
#[cold]
pub(crate) fn warn(what: &str, status: Status) {
    const WARN: u32 = 3;
    log(WARN, &format!("header policy: {what}: {status:?}"));
}

/// The level at which the proxy logs now; what can't be read counts as the quietest.
pub(crate) fn log_level() -> u32 {
    let mut level = u32::MAX;
    // SAFETY: the host writes one u32.
    let status = unsafe { host::proxy_get_log_level(&mut level) };
    if status == 0 { level } else { u32::MAX }
}

/// The time since 1970. Nothing, which is also what a host leaves that writes no answer, is no time: it would revive every expired token.
pub(crate) fn now() -> Result<Duration, Status> {
    let mut nanoseconds = 0;
    // SAFETY: the host writes one u64.
    Status::of(unsafe { host::proxy_get_current_time_nanoseconds(&mut nanoseconds) })?;
    if nanoseconds == 0 {
        return Err(Status::INVALID_ANSWER);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Asks for `on_tick` at this interval.
pub(crate) fn set_tick_period(period: Duration) -> Result<(), Status> {
    let milliseconds = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: no memory is passed.
    Status::of(unsafe { host::proxy_set_tick_period_milliseconds(milliseconds) })
}

/// The plugin's configuration; empty when there is none.
pub(crate) fn plugin_configuration() -> Result<Vec<u8>, Status> {
    // SAFETY: see `owned`.
    let bytes = owned(|data, size| unsafe {
        host::proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, usize::MAX, data, size)
    });
    match bytes {
        Err(Status::NOT_FOUND) => Ok(Vec::new()),
        other => other,
    }
}

/// Names and values of a header map, in its order.
pub(crate) type Pairs<'b> = Vec<(&'b [u8], &'b [u8])>;

/// The buffer of a whole map, for [`pairs`].
pub(crate) fn map(map: Map) -> Result<Vec<u8>, Status> {
    // SAFETY: see `owned`.
    owned(|data, size| unsafe { host::proxy_get_header_map_pairs(map as u32, data, size) })
}

/// Decodes a header map: a count, that many pairs of lengths, then names and values, each with a NUL behind it. All numbers are little-endian u32.
///
/// # Errors
/// When the buffer is not exactly that, or is empty: no request is without headers, and nobody asks for trailers that are not there.
pub(crate) fn pairs(buffer: &[u8]) -> Result<Pairs<'_>, Status> {
    decode(buffer).ok_or(Status::INVALID_ANSWER)
}

fn decode(buffer: &[u8]) -> Option<Pairs<'_>> {
    let number = |bytes: &[u8]| {
        bytes
            .try_into()
            .ok()
            .map(u32::from_le_bytes)
            .and_then(|number| usize::try_from(number).ok())
    };
    let (count, rest) = buffer.split_at_checked(4)?;
    let count = number(count)?;
    let (lengths, mut rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Vec::with_capacity(count);
    let mut take = |length: &[u8]| {
        let (text, after) = rest.split_at_checked(number(length)?)?;
        rest = after.strip_prefix(&[0])?;
        Some(text)
    };
    for pair in lengths.chunks_exact(8) {
        let (name, value) = pair.split_at_checked(4)?;
        pairs.push((take(name)?, take(value)?));
    }
    (rest.is_empty() && count > 0).then_some(pairs)
}

/// Encodes a header map as [`pairs`] decodes it.
fn encode(pairs: &[(&str, &str)]) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut buffer = Vec::with_capacity(256);
    buffer.extend(u32::try_from(pairs.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (name, value) in pairs {
        buffer.extend(length(name));
        buffer.extend(length(value));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        buffer.extend_from_slice(text.as_bytes());
        buffer.push(0);
    }
    buffer
}

/// Makes this the only value of a request header.
pub(crate) fn set_header(name: &str, value: &[u8]) -> Result<(), Status> {
    // SAFETY: pointers and lengths of texts that outlive the call.
    Status::of(unsafe {
        host::proxy_replace_header_map_value(
            Map::RequestHeaders as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Removes every value of a name.
pub(crate) fn remove(map: Map, name: &[u8]) -> Result<(), Status> {
    // SAFETY: pointer and length of bytes that outlive the call.
    Status::of(unsafe {
        host::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len())
    })
}

/// A property of the stream, by the segments of its path with NUL between them. `None` when there is none.
pub(crate) fn property(path: &str) -> Result<Option<Vec<u8>>, Status> {
    // SAFETY: pointer and length of a text that outlives the call; see `owned`.
    match owned(|data, size| unsafe {
        host::proxy_get_property(path.as_ptr(), path.len(), data, size)
    }) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Status::NOT_FOUND) => Ok(None),
        Err(status) => Err(status),
    }
}

/// Answers the request here and now.
pub(crate) fn reply(reply: &policy::Reply, details: &str) -> Result<(), Status> {
    let headers: Vec<(&str, &str)> = reply
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let headers = encode(&headers);
    // SAFETY: pointers and lengths of texts that outlive the call.
    Status::of(unsafe {
        host::proxy_send_local_response(
            u32::from(reply.status),
            details.as_ptr(),
            details.len(),
            reply.body.as_ptr(),
            reply.body.len(),
            headers.as_ptr(),
            headers.len(),
            i32::from(reply.grpc_status),
        )
    })
}

/// Calls a function that only some hosts have.
pub(crate) fn foreign_function(name: &str, argument: &[u8]) -> Result<Vec<u8>, Status> {
    // SAFETY: pointers and lengths of bytes that outlive the call; see `owned`.
    owned(|data, size| unsafe {
        host::proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            argument.as_ptr(),
            argument.len(),
            data,
            size,
        )
    })
}

/// The kind of a metric, by the ABI's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Counter = 0,
    Gauge = 1,
}

/// A metric's id in this VM. The same name gives the same metric.
pub(crate) fn define_metric(kind: Kind, name: &str) -> Result<u32, Status> {
    let mut id = 0;
    // SAFETY: pointer and length of a text that outlives the call; the host writes one u32.
    Status::of(unsafe {
        host::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id)
    })?;
    Ok(id)
}

/// Adds to a counter.
pub(crate) fn increment(id: u32, by: i64) -> Result<(), Status> {
    // SAFETY: no memory is passed.
    Status::of(unsafe { host::proxy_increment_metric(id, by) })
}

/// Sets a gauge.
pub(crate) fn record(id: u32, value: u64) -> Result<(), Status> {
    // SAFETY: no memory is passed.
    Status::of(unsafe { host::proxy_record_metric(id, value) })
}

/// Reads a gauge.
pub(crate) fn value(id: u32) -> Result<u64, Status> {
    let mut value = 0;
    // SAFETY: the host writes one u64.
    Status::of(unsafe { host::proxy_get_metric(id, &mut value) })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_it_encodes() {
        let buffer = encode(&[("a", "1"), ("bb", ""), ("a", "22")]);
        assert_eq!(
            pairs(&buffer).unwrap(),
            [(&b"a"[..], &b"1"[..]), (b"bb", b""), (b"a", b"22")]
        );
    }

    #[test]
    fn refuses_every_damaged_buffer() {
        let good = encode(&[("name", "value"), ("x", "")]);
        for end in 0..good.len() {
            assert!(pairs(&good[..end]).is_err(), "cut at {end}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(pairs(&longer).is_err());
        for (place, byte) in [(0, 3), (0, 1), (3, 255), (4, 5), (7, 255), (8, 255)] {
            let mut damaged = good.clone();
            damaged[place] = byte;
            assert!(pairs(&damaged).is_err(), "{place}");
        }
        assert!(pairs(&0u32.to_le_bytes()).is_err());
        assert!(pairs(&u32::MAX.to_le_bytes()).is_err());
    }
}
