//! Just enough HTTP/1.1 to read whole messages, bytes untouched.

use std::io::BufRead;

use crate::{Error, Result, error::Doing};

/// Header lines as they came.
pub(crate) type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// A message: start line, header lines, whole body.
pub(crate) struct Message {
    pub start: Vec<u8>,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// What a message without a length means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// A request: there is no body.
    Request,
    /// The answer to HEAD: there is no body whatever the headers say.
    ResponseToHead,
    /// Any other response: the body goes on until the connection ends.
    Response,
}

/// Reads one message; `None` when the connection ended before it began.
pub(crate) fn read(from: &mut impl BufRead, side: Side) -> Result<Option<Message>> {
    let Some(start) = line(from)? else {
        return Ok(None);
    };
    let mut headers = Headers::new();
    loop {
        let line = line(from)?.ok_or_else(|| broken("the end of the headers", &start))?;
        if line.is_empty() {
            break;
        }
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .ok_or_else(|| broken("a header line with a colon", &line))?;
        let value = line[colon + 1..].trim_ascii().to_vec();
        headers.push((line[..colon].to_ascii_lowercase(), value));
    }
    let body = body(from, side, &start, &headers)?;
    Ok(Some(Message {
        start,
        headers,
        body,
    }))
}

fn body(from: &mut impl BufRead, side: Side, start: &[u8], headers: &Headers) -> Result<Vec<u8>> {
    let status = start.split(|byte| *byte == b' ').nth(1);
    let bodiless = side == Side::ResponseToHead
        || (side == Side::Response && matches!(status, Some(b"204" | b"304")));
    if bodiless {
        return Ok(Vec::new());
    }
    if first(headers, b"transfer-encoding").is_some_and(|coding| coding.ends_with(b"chunked")) {
        return chunks(from);
    }
    let mut body = Vec::new();
    match first(headers, b"content-length") {
        Some(length) => {
            body.resize(number(length, 10)?, 0);
            from.read_exact(&mut body)
                .doing(|| "reading a body".into())?;
        }
        None if side == Side::Response => {
            from.read_to_end(&mut body)
                .doing(|| "reading a body".into())?;
        }
        None => {}
    }
    Ok(body)
}

fn chunks(from: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(from)?.ok_or_else(|| broken("a chunk", b"the end"))?;
        let size = number(size.split(|byte| *byte == b';').next().unwrap_or(b""), 16)?;
        let before = body.len();
        body.resize(before + size, 0);
        from.read_exact(&mut body[before..])
            .doing(|| "reading a chunk".into())?;
        while !line(from)?.unwrap_or_default().is_empty() {}
        if size == 0 {
            return Ok(body);
        }
    }
}

/// A line without its end; `None` at the end of the stream.
fn line(from: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)
        .doing(|| "reading a line".into())?;
    if line.pop().is_none() {
        return Ok(None);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

fn first<'a>(headers: &'a Headers, name: &[u8]) -> Option<&'a [u8]> {
    let mut found = headers.iter().filter(|(known, _)| known == name);
    found.next().map(|(_, value)| value.as_slice())
}

fn number(text: &[u8], radix: u32) -> Result<usize> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| usize::from_str_radix(text.trim(), radix).ok())
        .ok_or_else(|| broken("a length", text))
}

pub(crate) fn broken(expected: &'static str, found: &[u8]) -> Error {
    Error::Protocol {
        expected,
        found: format!("`{}`", found.escape_ascii()),
    }
}
