//! What came of a request, whoever judged it: the engine, the module under wasmtime, or Envoy.

use std::collections::BTreeMap;

use policy::HeaderList;
use serde_json::Value;

use crate::case::Outcome;

/// What came of a request.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Did it go on?
    pub outcome: Outcome,
    /// The reply's status.
    pub status: Option<u16>,
    /// The reason that the refusal's details name.
    pub reason: Option<String>,
    /// What the decision says of itself (client, rule, reason, trace); none at a depth that can't see it.
    pub explanation: Option<Value>,
    /// What the filter was handed.
    pub before: HeaderList,
    /// What the next hop gets.
    pub after: HeaderList,
    /// The reply's headers.
    pub reply: Vec<(String, String)>,
}

/// Values of a header by its name, in order.
pub type ByName = BTreeMap<String, Vec<Vec<u8>>>;

/// Groups a list by name.
#[must_use]
pub fn by_name(headers: &[(Vec<u8>, Vec<u8>)]) -> ByName {
    let mut grouped = ByName::new();
    for (name, value) in headers {
        grouped
            .entry(text(name).to_ascii_lowercase())
            .or_default()
            .push(value.clone());
    }
    grouped
}

/// Bytes as a person can read them.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes
            .iter()
            .map(|byte| {
                if (0x20..0x7f).contains(byte) {
                    char::from(*byte).to_string()
                } else {
                    format!("\\x{byte:02x}")
                }
            })
            .collect(),
    }
}

impl Observed {
    /// What the decision says of itself: `client`, `rule`, `reason`, `shadow`.
    #[must_use]
    pub fn said(&self, field: &str) -> Option<&str> {
        self.explanation.as_ref()?.get(field)?.as_str()
    }

    /// The refusal's reason, or on an allow the one that a shadow would have had.
    #[must_use]
    pub fn reason_or_shadow(&self) -> Option<&str> {
        self.reason.as_deref().or_else(|| self.said("shadow"))
    }
}
