//! What `filter logs` answers at its end.

use serde::Serialize;

use crate::error::exit;
use crate::printer::{Style, Text};

/// The end of a log.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logged {
    /// Levels that could not be put back.
    pub not_restored: Vec<String>,
}

impl Logged {
    pub fn exit_code(&self) -> u8 {
        match self.not_restored.is_empty() {
            true => exit::DONE,
            false => exit::NEGATIVE,
        }
    }

    pub fn human(&self, text: &mut Text) {
        for proxy in &self.not_restored {
            let bad = text.styled(Style::Bad, "level not put back:");
            text.line(format_args!("{bad} {proxy}"));
        }
    }
}
