//! What `upgrade` answers.

use std::collections::BTreeSet;

use mesh::status::{Status, VersionCount};
use mesh::versions::Version;
use serde::Serialize;

use super::Installed;
use crate::printer::{Style, Text};

/// What was done, or would be, and what is left for the data plane.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Upgraded {
    /// What the control plane ran.
    pub from: Vec<String>,
    /// What it is to run.
    pub to: String,
    /// How many sidecars have which version now.
    pub data_plane: Vec<VersionCount>,
    /// Sidecars of another version than the wanted one: `sync` renews them.
    pub behind: usize,
    #[serde(flatten)]
    pub installed: Installed,
}

impl Upgraded {
    pub fn new(
        before: &Status,
        data_plane: Vec<VersionCount>,
        to: Version,
        installed: Installed,
    ) -> Self {
        let to = to.to_string();
        let ran: BTreeSet<&String> = before
            .control_planes
            .iter()
            .flat_map(|plane| &plane.versions)
            .collect();
        let others = data_plane.iter().filter(|count| count.version != to);
        Self {
            from: ran.into_iter().cloned().collect(),
            behind: others.map(|count| count.sidecars).sum(),
            to,
            data_plane,
            installed,
        }
    }

    pub fn human(&self, text: &mut Text) {
        self.installed.human(text);
        let (from, to) = (self.from.join(", "), &self.to);
        text.line(format_args!("control plane: {from} -> {to}"));
        let counts: Vec<String> = self
            .data_plane
            .iter()
            .map(|count| format!("{} on {}", count.sidecars, count.version))
            .collect();
        let counts = match counts.is_empty() {
            true => "none".to_owned(),
            false => counts.join(", "),
        };
        text.line(format_args!("sidecars: {counts}"));
        if self.behind > 0 {
            let label = text.styled(Style::Strong, "next:");
            let (run, renews) = match self.behind {
                1 => ("sidecar runs", "it"),
                _ => ("sidecars run", "them"),
            };
            text.line(format_args!(
                "{label} {} {run} an older version: `sync` will renew {renews}; until this plugin has it, restart the workloads that `check --proxy` names",
                self.behind
            ));
        }
    }
}
