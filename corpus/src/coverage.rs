//! How often the cases show each reason, anomaly with its action, outbound mode and reference vector; and what they leave out.

use std::collections::BTreeMap;
use std::fmt;

use policy::{Anomaly, Reason};
use serde_json::Value;

use crate::case::Case;
use crate::observed::Observed;

const ACTIONS: [&str; 3] = ["Allow", "Strip", "Reject"];
const OUTBOUND: [&str; 5] = ["Keep", "Append", "Replace", "Truncate", "Strip"];
/// The reference's vectors: `U` getLastAddressFromXFF, `X` the header as it is sent on, `D` the documentation's examples.
const VECTORS: [(&str, u32); 3] = [("U", 15), ("X", 10), ("D", 6)];

/// Counts.
#[derive(Debug, Default)]
pub struct Coverage {
    cases: usize,
    reasons: BTreeMap<String, usize>,
    anomalies: BTreeMap<(String, String), usize>,
    outbound: BTreeMap<String, usize>,
    vectors: BTreeMap<String, usize>,
}

impl Coverage {
    /// Counts a case. What it says it shows counts only if the engine saw it; a reason that the engine itself can't see (its host failed) counts as written.
    pub fn add(&mut self, case: &Case, spec: &Value, observed: Option<&Observed>) {
        self.cases += 1;
        if let Some(reason) = &case.expect.reason
            && observed.is_none_or(|observed| observed.reason_or_shadow() == Some(reason))
        {
            *self.reasons.entry(reason.clone()).or_default() += 1;
        }
        if let Some(vector) = &case.vector {
            *self.vectors.entry(vector.clone()).or_default() += 1;
        }
        let (Some(forwarded), Some(observed)) = (spec.get("forwarded"), observed) else {
            return;
        };
        let outbound = forwarded
            .get("outbound")
            .and_then(Value::as_str)
            .unwrap_or("Keep");
        *self.outbound.entry(outbound.to_owned()).or_default() += 1;
        if let Some((anomaly, action)) = &case.anomaly {
            let written = forwarded
                .pointer(&format!("/anomalies/{anomaly}"))
                .and_then(Value::as_str)
                .unwrap_or(default_action(anomaly));
            if written == action && anomalies(observed).contains(&anomaly.as_str()) {
                *self
                    .anomalies
                    .entry((anomaly.clone(), action.clone()))
                    .or_default() += 1;
            }
        }
    }

    /// Counts a vector that is shown by a refused policy.
    pub fn add_vector(&mut self, vector: &str) {
        *self.vectors.entry(vector.to_owned()).or_default() += 1;
    }

    /// What is missing, each a line.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for reason in Reason::ALL {
            let count = self
                .reasons
                .get(reason.label())
                .copied()
                .unwrap_or_default();
            if count < 2 {
                gaps.push(format!(
                    "reason {reason}: {count} cases, expected at least two"
                ));
            }
        }
        for anomaly in Anomaly::ALL {
            for action in ACTIONS {
                if !self
                    .anomalies
                    .contains_key(&(anomaly.name().to_owned(), action.to_owned()))
                {
                    gaps.push(format!("anomaly {} with {action}: no case", anomaly.name()));
                }
            }
        }
        gaps.extend(
            OUTBOUND
                .iter()
                .filter(|mode| !self.outbound.contains_key(**mode))
                .map(|mode| format!("outbound {mode}: no case")),
        );
        for (letter, last) in VECTORS {
            let vectors = (1..=last).map(|number| format!("{letter}{number}"));
            gaps.extend(
                vectors
                    .filter(|vector| !self.vectors.contains_key(vector))
                    .map(|vector| format!("vector {vector}: no case")),
            );
        }
        gaps
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cases", self.cases)?;
        let list = |counts: &BTreeMap<String, usize>| {
            counts
                .iter()
                .map(|(name, count)| format!("{name} {count}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        writeln!(f, "reasons: {}", list(&self.reasons))?;
        let anomalies = self
            .anomalies
            .iter()
            .map(|((anomaly, action), count)| format!("{anomaly} {action} {count}"));
        writeln!(f, "anomalies: {}", anomalies.collect::<Vec<_>>().join(", "))?;
        writeln!(f, "outbound: {}", list(&self.outbound))?;
        write!(f, "vectors: {}", list(&self.vectors))
    }
}

fn anomalies(observed: &Observed) -> Vec<&str> {
    let trace = observed
        .explanation
        .as_ref()
        .and_then(|explanation| explanation.pointer("/chain/anomalies"));
    trace
        .and_then(Value::as_array)
        .map(|anomalies| anomalies.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

fn default_action(anomaly: &str) -> &'static str {
    match anomaly {
        "untrustedPeer" => "Strip",
        "allTrusted" | "privateClient" => "Allow",
        _ => "Reject",
    }
}
