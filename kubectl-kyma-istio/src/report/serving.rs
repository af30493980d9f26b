//! What `filter serve` answers: where it listens, and at the end how much it did.

use serde::Serialize;

use crate::printer::{Style, Text};

/// A server that accepts connections.
#[derive(Debug, Serialize)]
pub struct Listening {
    /// With the real port.
    pub url: String,
    /// The policy's file.
    pub policy: String,
    pub fingerprint: String,
    pub position: String,
    /// None: the server answers itself.
    pub upstream: Option<String>,
}

/// How many requests came to what. The lines of the requests were told on stderr, and so is this.
#[derive(Debug, Default, Serialize)]
pub struct Served {
    pub allowed: u64,
    pub denied: u64,
    /// No filter saw them.
    pub refused: u64,
    /// The filter gave no answer.
    pub failed: u64,
}

impl Listening {
    pub fn human(&self, text: &mut Text) {
        let url = text.styled(Style::Strong, &self.url);
        let upstream = self.upstream.as_deref().unwrap_or("none");
        text.line(format_args!(
            "{url}  policy {} as {}, fingerprint {}, upstream {upstream}",
            self.policy, self.position, self.fingerprint
        ));
    }
}

impl Served {
    /// The story's last line.
    pub fn story(&self) -> String {
        let total = self.allowed + self.denied + self.refused + self.failed;
        format!(
            "{total} requests: {} allowed, {} denied, {} refused unjudged, {} failed",
            self.allowed, self.denied, self.refused, self.failed
        )
    }
}
