//! Which SHA-256 an archive must have: the given one, else the one that is published beside it, which stays the same.

use ureq::http::{Method, StatusCode};

use super::job::Job;
use crate::istioctl::http::{Attempt, Client, answers, failed};
use crate::istioctl::sum::{self, Kept};
use crate::istioctl::{Address, IstioctlError};

/// More than one line.
const LARGEST: u64 = 4096;

/// The sum that counts.
pub(super) struct Expected {
    pub sum: String,
    /// Published, and seen the first time.
    pub is_new: bool,
}

impl Job {
    /// The sum that is known without asking anybody.
    pub(super) fn known(&self) -> Result<Option<String>, IstioctlError> {
        match &self.release.sha256 {
            Some(sum) => Ok(Some(sum.clone())),
            None => self.kept().read(),
        }
    }

    /// The given sum, or the published one. The kept one steps in where none is published any more.
    pub(super) fn expected(
        &self,
        client: &Client,
        known: Option<String>,
    ) -> Result<Expected, IstioctlError> {
        let (sum, is_new) = match (&self.release.sha256, known) {
            (Some(given), _) => (given.clone(), false),
            (None, None) => (self.published(client)?, true),
            (None, Some(kept)) => match self.published(client) {
                Ok(published) if published != kept => {
                    return Err(IstioctlError::SumChanged {
                        url: self.release.address.to_string(),
                        published,
                        kept,
                        path: self.kept().path,
                    });
                }
                _ => (kept, false),
            },
        };
        Ok(Expected { sum, is_new })
    }

    fn kept(&self) -> Kept {
        Kept::new(&self.cache, self.release.address.name())
    }

    fn published(&self, client: &Client) -> Result<String, IstioctlError> {
        let archive = &self.release.address;
        let address = archive.sum().map_err(|what| failed(archive, what))?;
        // Who can change the archive on its way could change this too.
        if !address.is_authentic() {
            let url = address.to_string();
            return Err(IstioctlError::SumNotAuthentic { url });
        }
        let text = self.retry(|| self.text(client, &address), || Ok(false))?;
        sum::read(&text, archive.name()).map_err(|what| IstioctlError::Sum {
            from: address.to_string(),
            what,
        })
    }

    fn text(&self, client: &Client, address: &Address) -> Result<String, Attempt> {
        let mut response = client.ask(&Method::GET, address, &[])?;
        match response.status() {
            StatusCode::OK => {
                let body = response.body_mut().with_config().limit(LARGEST);
                let text = body.lossy_utf8(true).read_to_string();
                text.map_err(|error| match error {
                    ureq::Error::BodyExceedsLimit(_) => Attempt::Final(IstioctlError::Sum {
                        from: address.to_string(),
                        what: format!("found more than {LARGEST} bytes, expected one line"),
                    }),
                    error => Attempt::Passing(failed(address, error.to_string())),
                })
            }
            StatusCode::NOT_FOUND => Err(Attempt::Final(self.nothing_there(client, address)?)),
            status => Err(Attempt::Final(answers(address, status))),
        }
    }

    /// Is the sum missing, or the whole release?
    fn nothing_there(&self, client: &Client, sum: &Address) -> Result<IstioctlError, Attempt> {
        let archive = &self.release.address;
        let status = client.ask(&Method::HEAD, archive, &[])?.status();
        Ok(match status {
            StatusCode::NOT_FOUND => self.no_release(),
            _ => IstioctlError::NoSum {
                url: sum.to_string(),
            },
        })
    }

    pub(super) fn no_release(&self) -> IstioctlError {
        IstioctlError::NoRelease {
            url: self.release.address.to_string(),
            version: self.release.version.clone(),
        }
    }
}
