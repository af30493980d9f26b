//! What `filter simulate --requests` answers beside its lines.

use serde::Serialize;

/// How many lines came to what. The lines themselves are the answer; this is told on stderr.
#[derive(Debug, Default, Serialize)]
pub struct Batch {
    pub allowed: u64,
    pub denied: u64,
    pub errors: u64,
}

impl Batch {
    /// The story's last line.
    pub fn story(&self) -> String {
        let total = self.allowed + self.denied + self.errors;
        format!(
            "{total} requests: {} allowed, {} denied, {} could not be judged",
            self.allowed, self.denied, self.errors
        )
    }
}
