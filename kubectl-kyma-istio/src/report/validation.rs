//! What `filter validate` answers.

use serde::Serialize;

use crate::printer::{Style, Text};

/// Every document that was looked at.
#[derive(Debug, Serialize)]
pub struct Validation {
    pub valid: bool,
    pub documents: Vec<Validated>,
}

/// One document.
#[derive(Debug, Serialize)]
pub struct Validated {
    pub file: String,
    /// Its number in the file, from one.
    pub document: usize,
    pub name: Option<String>,
    pub fingerprint: Option<String>,
    pub problems: Vec<Problem>,
    /// What is worth a look: keys that can't be used and were left out, trust in a position.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
}

/// One problem.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// None: the file can't be read.
    pub line: Option<u64>,
    pub column: Option<u64>,
    pub path: String,
    pub found: String,
    pub expected: String,
    pub hint: Option<String>,
}

impl Validation {
    pub fn human(&self, text: &mut Text) {
        for document in &self.documents {
            let problems = document.problems.iter().map(|problem| ("", problem));
            let warnings = document.warnings.iter();
            let warnings = warnings.map(|warning| ("warning: ", warning));
            for (kind, problem) in problems.chain(warnings) {
                problem.human(&document.file, kind, text);
            }
            if let Some(fingerprint) = &document.fingerprint {
                let name = document.name.as_deref().unwrap_or("unnamed");
                let valid = text.styled(Style::Good, "valid");
                text.line(format_args!(
                    "{}: {name}: {valid}, fingerprint {fingerprint}",
                    document.file
                ));
            }
        }
    }
}

impl Problem {
    /// One line with its place in a file, and the hint. `kind`: what it is, when it is no error.
    pub fn human(&self, file: &str, kind: &str, text: &mut Text) {
        let place = match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{file}:{line}:{column}:"),
            _ => format!("{file}:"),
        };
        let path = if self.path.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.path)
        };
        let place = text.styled(Style::Strong, &place);
        text.line(format_args!(
            "{place} {kind}{path}found {}, expected {}",
            self.found, self.expected
        ));
        if let Some(hint) = &self.hint {
            text.hint(hint);
        }
    }
}
