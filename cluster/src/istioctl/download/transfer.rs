//! Bytes from a server into a file, in as many tries as bring something.

use std::io::{Read, Seek, SeekFrom, Write};

use ureq::http::header::{self, HeaderMap};
use ureq::http::{Method, StatusCode};

use super::Received;
use super::job::{Job, Partial, cache};
use crate::error::first_line;
use crate::istioctl::IstioctlError;
use crate::istioctl::http::{Attempt, Client, answers, failed};

/// A quarter of a gigabyte: the archives of istioctl 1.30 have 30 MB.
const LARGEST: u64 = 256 << 20;

impl Job {
    /// Until all is there. What came in one try is kept for the next, in this process or a later one.
    pub(super) fn transfer(&self, client: &Client, partial: &Partial) -> Result<(), IstioctlError> {
        let mut before = partial.size()?;
        self.retry(
            || self.attempt(client, partial),
            || {
                let now = partial.size()?;
                let brought = now > before;
                before = now;
                Ok(brought)
            },
        )
    }

    fn attempt(&self, client: &Client, partial: &Partial) -> Result<(), Attempt> {
        let address = &self.release.address;
        // The server sends the rest of the same file, or another one from its start (RFC 9110, 13.1.5).
        let size = partial.size().map_err(Attempt::Final)?;
        let resumed = partial.tag().filter(|_| size > 0);
        let range = format!("bytes={size}-");
        let headers = match &resumed {
            Some(tag) => vec![(header::RANGE, range.as_str()), (header::IF_RANGE, tag)],
            None => Vec::new(),
        };
        let mut response = client.ask(&Method::GET, address, &headers)?;
        let at = match response.status() {
            StatusCode::OK => {
                let tag = strong_tag(response.headers());
                partial.begin(tag).map_err(Attempt::Final)?;
                0
            }
            StatusCode::PARTIAL_CONTENT if resumed.is_some() => {
                if first_byte(response.headers()) != Some(size) {
                    partial.begin(None).map_err(Attempt::Final)?;
                    let cause = format!("the server sends another part than that from byte {size}");
                    return Err(Attempt::Passing(failed(address, cause)));
                }
                size
            }
            // All of it, or more, is there already: its checksum decides.
            StatusCode::RANGE_NOT_SATISFIABLE if resumed.is_some() => return Ok(()),
            StatusCode::NOT_FOUND => return Err(Attempt::Final(self.no_release())),
            status => return Err(Attempt::Final(answers(address, status))),
        };
        let of = response.body().content_length().map(|length| length + at);
        self.check_size(partial, of.unwrap_or(at))?;
        let mut file = &partial.file;
        let unwritten = |source| Attempt::Final(cache("write", &partial.path, source));
        file.seek(SeekFrom::Start(at)).map_err(unwritten)?;
        let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; 64 * 1024];
        let mut bytes = at;
        loop {
            let read = body.read(&mut buffer).map_err(|error| {
                Attempt::Passing(failed(address, first_line(&error.to_string())))
            })?;
            if read == 0 {
                break;
            }
            file.write_all(buffer.get(..read).unwrap_or_default())
                .map_err(unwritten)?;
            bytes += read as u64;
            self.check_size(partial, bytes)?;
            // Nobody looks any more when the caller is gone.
            let _unseen = self.report.send(Received { bytes, of });
        }
        match of {
            Some(of) if bytes < of => {
                let cause = format!("it ended after {bytes} of {of} bytes");
                Err(Attempt::Passing(failed(address, cause)))
            }
            _ => Ok(()),
        }
    }

    fn check_size(&self, partial: &Partial, bytes: u64) -> Result<(), Attempt> {
        if bytes <= LARGEST {
            return Ok(());
        }
        partial.begin(None).map_err(Attempt::Final)?;
        let cause = format!("it has {bytes} bytes or more, expected at most {LARGEST}");
        Err(Attempt::Final(failed(&self.release.address, cause)))
    }
}

/// A tag that names bytes; a weak one only names a meaning (RFC 9110, 8.8.1).
fn strong_tag(headers: &HeaderMap) -> Option<&str> {
    let tag = headers.get(header::ETAG)?.to_str().ok()?;
    tag.starts_with('"').then_some(tag)
}

/// `42` of `bytes 42-99/100`.
fn first_byte(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    range
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}
