//! What is wrong with a policy, in words for the person who wrote it.

use std::borrow::Cow;
use std::fmt;

/// Words of a message. Most are literals, which cost the module nothing until they are needed.
pub(crate) type Words = Cow<'static, str>;

/// One problem of a policy. A policy that can't be compiled yields all of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, as in `spec.jwt.providers[0].issuer`; empty for the document itself.
    pub path: String,
    /// What stands there. Never a token, never a private key.
    pub found: String,
    /// What was expected instead.
    pub expected: String,
    /// How to mend it, where that is not plain.
    pub hint: Option<String>,
}

impl ConfigError {
    pub(crate) fn new(
        path: impl fmt::Display,
        found: impl Into<Words>,
        expected: impl Into<Words>,
    ) -> Self {
        Self::made(&path, found.into(), expected.into())
    }

    // One copy of the code for the many places that report a problem.
    #[inline(never)]
    fn made(path: &dyn fmt::Display, found: Words, expected: Words) -> Self {
        Self {
            path: path.to_string(),
            found: found.into_owned(),
            expected: expected.into_owned(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<Words>) -> Self {
        self.hint = Some(hint.into().into_owned());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for ConfigError {}
