//! What can go wrong in the laboratory. Messages are one line each, with the place to look at.

use std::{io, path::PathBuf, time::Duration};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the laboratory itself, not of what is tested in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, socket or process operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program that we call failed.
    #[error("`{program}` failed ({status}): {stderr}")]
    Tool {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it said, on one line.
        stderr: String,
    },
    /// Envoy ended, or never became ready.
    #[error("envoy {why}: {tail}; the whole log: {log}", log = log.display())]
    Envoy {
        /// What happened.
        why: String,
        /// The last lines of its log that say something, on one line.
        tail: String,
        /// Its log file, which is kept.
        log: PathBuf,
    },
    /// Something expected did not happen in time.
    #[error("waited {limit:?} for {what}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// A listener, request or policy was put together in a way that can't work.
    #[error("{0}")]
    Unusable(String),
    /// The other side did not speak HTTP/1.1 or JSON as expected.
    #[error("expected {expected}, found {found}")]
    Protocol {
        /// What should have come.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Names what was being done when an I/O operation failed.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io {
            what: what(),
            source,
        })
    }
}
