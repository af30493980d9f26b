//! What `filter compare` answers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::printer::{Style, Text};

/// What two policies counted on the same proxies, each since it runs there.
#[derive(Debug, Serialize)]
pub struct Comparison {
    pub policy: String,
    pub canary: String,
    /// `allowed`, `denied.REASON`, `shadow.REASON`, `passed_outbound`.
    pub current: BTreeMap<String, u64>,
    pub shadow: BTreeMap<String, u64>,
}

impl Comparison {
    pub fn human(&self, text: &mut Text) {
        let heading = text.styled(
            Style::Strong,
            &format!("{:<28}{:>12}{:>12}", "", "refused", "would be"),
        );
        text.line(format_args!(
            "{heading}  ({} against {})",
            self.policy, self.canary
        ));
        for reason in self.reasons() {
            let of = |counts: &BTreeMap<String, u64>| {
                let kinds = ["denied", "shadow"];
                let found = kinds.map(|kind| counts.get(&format!("{kind}.{reason}")));
                found.into_iter().flatten().sum::<u64>()
            };
            text.line(format_args!(
                "{reason:<28}{:>12}{:>12}",
                of(&self.current),
                of(&self.shadow)
            ));
        }
        let allowed = |counts: &BTreeMap<String, u64>| counts.get("allowed").copied().unwrap_or(0);
        text.line(format_args!(
            "{:<28}{:>12}{:>12}",
            "allowed",
            allowed(&self.current),
            allowed(&self.shadow)
        ));
    }

    fn reasons(&self) -> BTreeSet<&str> {
        let names = self.current.keys().chain(self.shadow.keys());
        names
            .filter_map(|name| name.split_once('.').map(|(_, reason)| reason))
            .collect()
    }
}
