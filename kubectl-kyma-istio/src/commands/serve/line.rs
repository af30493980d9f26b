//! One line for each request: method, path, verdict, status, reason, client; `-` where there is none.

use std::fmt;

use crate::redact;
use crate::report::Served;

/// What a connection has to tell.
pub enum Note {
    Request(Line),
    /// Bytes that were no request.
    Connection(String),
}

/// What became of a request.
pub struct Line {
    pub method: String,
    pub path: String,
    pub verdict: Word,
    pub status: u16,
    pub reason: Option<String>,
    pub client: Option<String>,
    /// What went wrong beside the verdict.
    pub trouble: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Allow,
    Deny,
    /// No filter saw it.
    Refuse,
    /// The filter gave no answer.
    Fail,
}

impl Line {
    pub fn count(&self, served: &mut Served) {
        match self.verdict {
            Word::Allow => served.allowed += 1,
            Word::Deny => served.denied += 1,
            Word::Refuse => served.refused += 1,
            Word::Fail => served.failed += 1,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Word::Allow => "allow",
            Word::Deny => "deny",
            Word::Refuse => "refuse",
            Word::Fail => "fail",
        };
        write!(
            formatter,
            "{} {} {verdict} {} {} {}",
            self.method,
            redact::header(":path", &self.path),
            self.status,
            self.reason.as_deref().unwrap_or("-"),
            self.client.as_deref().unwrap_or("-"),
        )?;
        match &self.trouble {
            Some(trouble) => write!(formatter, " ({trouble})"),
            None => Ok(()),
        }
    }
}
