//! What `filter compare` answers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::printer::{Style, Text};

/// What two policies counted on the same proxies.
#[derive(Debug, Serialize)]
pub struct Comparison {
    pub policy: String,
    pub canary: String,
    /// For so long; none: since each of them came to the proxies, through all edits.
    pub seconds: Option<u64>,
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
        text.line(format_args!(
            "{:<28}{:>12}{:>12}",
            "allowed",
            accepted(&self.current),
            accepted(&self.shadow)
        ));
        match self.seconds {
            Some(seconds) => text.line(format_args!("counted for {seconds} s")),
            None => text.line(format_args!(
                "counted since each came to its proxies, through all edits; `--for 1m` counts both over the same time"
            )),
        }
    }

    fn reasons(&self) -> BTreeSet<&str> {
        let names = self.current.keys().chain(self.shadow.keys());
        names
            .filter_map(|name| name.split_once('.').map(|(_, reason)| reason))
            .collect()
    }
}

/// What a policy has nothing against. A shadow lets pass what it would refuse, so that is counted as allowed too.
fn accepted(counts: &BTreeMap<String, u64>) -> u64 {
    let noted = counts
        .iter()
        .filter(|(name, _)| name.starts_with("shadow."));
    let all = counts.get("allowed").copied().unwrap_or(0);
    all.saturating_sub(noted.map(|(_, count)| count).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shadow_would_refuse_is_not_accepted() {
        let counts = |of: &[(&str, u64)]| {
            of.iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect()
        };
        assert_eq!(
            accepted(&counts(&[
                ("allowed", 6),
                ("shadow.ClientDenied", 2),
                ("shadow.Expired", 1)
            ])),
            3
        );
        assert_eq!(
            accepted(&counts(&[("allowed", 6), ("denied.ClientDenied", 2)])),
            6
        );
    }
}
