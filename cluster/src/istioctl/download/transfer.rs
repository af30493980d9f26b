//! Bytes from a server into a file, in as many tries as bring something.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, http::StatusCode, http::header};

use super::{Job, Received};
use crate::istioctl::IstioctlError;

/// Tries in a row that bring nothing.
const TRIES: u32 = 3;
const CONNECT: Duration = Duration::from_secs(10);
/// Until the first byte.
const ANSWER: Duration = Duration::from_secs(30);
/// Between two pieces; the next try resumes.
const SILENCE: Duration = Duration::from_secs(30);
/// More than any release, less than a disk.
const LARGEST: u64 = 1 << 30;

impl Job {
    /// Until all is there. What came in one try is kept for the next, in this process or a later one.
    pub(super) fn transfer(&self, partial: &File) -> Result<(), IstioctlError> {
        let agent = agent();
        let mut fruitless = 0;
        loop {
            let before = self.size(partial)?;
            let error = match self.attempt(&agent, partial, before) {
                Ok(()) => return Ok(()),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Passing(cause)) => IstioctlError::Download {
                    url: self.release.url.clone(),
                    cause,
                },
            };
            fruitless = if self.size(partial)? > before {
                0
            } else {
                fruitless + 1
            };
            if fruitless >= TRIES {
                return Err(error);
            }
            self.pause()?;
        }
    }

    fn attempt(&self, agent: &Agent, mut partial: &File, from: u64) -> Result<(), Attempt> {
        let mut request = agent.get(&self.release.url);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let mut response = request
            .call()
            .map_err(|error| Attempt::Passing(error.to_string()))?;
        let at = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if from > 0 => from,
            // All of it, or more, is there already: its checksum decides.
            StatusCode::RANGE_NOT_SATISFIABLE if from > 0 => return Ok(()),
            status if status.is_server_error() || status.as_u16() == 429 => {
                return Err(Attempt::Passing(format!("the server answers {status}")));
            }
            status => return Err(self.fail(format!("the server answers {status}"))),
        };
        partial
            .set_len(at)
            .and_then(|()| partial.seek(SeekFrom::Start(at)))
            .map_err(|error| self.broken(error))?;
        let of = response.body().content_length().map(|length| length + at);
        let mut body = response.body_mut().with_config().limit(LARGEST).reader();
        let mut buffer = vec![0; 64 * 1024];
        let mut bytes = at;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Attempt::Final(IstioctlError::Interrupted));
            }
            let read = body
                .read(&mut buffer)
                .map_err(|error| Attempt::Passing(error.to_string()))?;
            if read == 0 {
                break;
            }
            partial
                .write_all(buffer.get(..read).unwrap_or_default())
                .map_err(|error| self.broken(error))?;
            bytes += read as u64;
            // Nobody looks any more when the caller is gone.
            let _unseen = self.tell.send(Received { bytes, of });
        }
        match of {
            Some(of) if bytes < of => Err(Attempt::Passing(format!(
                "it ended after {bytes} of {of} bytes"
            ))),
            _ => Ok(()),
        }
    }

    fn broken(&self, source: io::Error) -> Attempt {
        Attempt::Final(self.cache("write the archive of", source))
    }

    fn fail(&self, cause: String) -> Attempt {
        Attempt::Final(IstioctlError::Download {
            url: self.release.url.clone(),
            cause,
        })
    }
}

/// Why a try ended.
enum Attempt {
    /// Another try may bring more.
    Passing(String),
    /// None will.
    Final(IstioctlError),
}

/// Redirects and `$HTTPS_PROXY` are ureq's job, which is why it is here; the system's trust store knows a company's CA.
fn agent() -> Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(SILENCE))
        .build();
    config.into()
}
