//! Policies that must be refused, and the problems that must be told: `cases/refused.yaml`.

use std::path::Path;

use policy::{Policy, Verify};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::keys::{Keys, substitute};
use crate::suite::SuiteError;
use crate::yaml;

/// A policy that must be refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// A sentence, unique.
    pub name: String,
    /// Who says so, where it is not the reference page.
    pub source: Option<String>,
    /// The reference vector that the case is.
    pub vector: Option<String>,
    /// A `spec`.
    pub policy: Option<Value>,
    /// A whole document, as a value or as text.
    pub document: Option<Value>,
    /// Every problem.
    pub problems: Vec<Problem>,
}

/// A problem that must be told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Where.
    pub path: String,
    /// Words that tell what stands there, where they matter.
    pub found: Option<String>,
    /// Words that tell what is expected, where they matter.
    pub expected: Option<String>,
    /// The hint, where the words matter.
    pub hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    refused: Vec<Refused>,
}

/// Reads a file of refused policies; `@jwks.json` is put in place.
pub fn read(path: &Path) -> Result<Vec<Refused>, SuiteError> {
    let text = std::fs::read_to_string(path).map_err(|source| SuiteError::Read {
        path: path.to_owned(),
        source,
    })?;
    let wire: Wire = yaml::read_as(&text).map_err(|source| SuiteError::Yaml {
        path: path.to_owned(),
        source,
    })?;
    let keys = Keys::near(path);
    let mut refused = wire.refused;
    for value in refused
        .iter_mut()
        .flat_map(|refused| refused.policy.iter_mut().chain(&mut refused.document))
    {
        substitute(value, keys.as_ref()).map_err(SuiteError::UnknownKey)?;
    }
    Ok(refused)
}

impl Refused {
    /// The document's text, as the filter would get it.
    #[must_use]
    pub fn text(&self) -> String {
        match (&self.document, &self.policy) {
            (Some(Value::String(text)), _) => text.clone(),
            (Some(document), _) => document.to_string(),
            (None, spec) => json!({"apiVersion": policy::API_VERSION, "spec": spec}).to_string(),
        }
    }

    /// Every difference between the problems told and those that must be, each a line.
    pub fn judge(&self, verify: &dyn Verify) -> Result<(), Vec<String>> {
        let told = match Policy::from_json(self.text().as_bytes(), verify) {
            Ok(_) => return Err(vec!["it was accepted".to_owned()]),
            Err(told) => told,
        };
        let mut wrong = Vec::new();
        let mut left: Vec<_> = told.iter().collect();
        for due in &self.problems {
            let fits = |told: &&policy::ConfigError| {
                told.path == due.path
                    && due
                        .found
                        .as_ref()
                        .is_none_or(|found| told.found.contains(found.as_str()))
                    && due
                        .expected
                        .as_ref()
                        .is_none_or(|expected| told.expected.contains(expected.as_str()))
                    && due
                        .hint
                        .as_ref()
                        .is_none_or(|hint| Some(hint) == told.hint.as_ref())
            };
            match left.iter().position(fits) {
                Some(index) => drop(left.remove(index)),
                None => wrong.push(format!("not told: {due:?}")),
            }
        }
        wrong.extend(left.into_iter().map(|told| format!("told beside: {told}")));
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}
