//! What `diff` answers: each object that would change, its fields, and what that does.

use mesh::checks::Finding;
use mesh::diff::{Change, Consequence, Impact};
use mesh::object::Id;
use mesh::plan::Skip;
use serde::Serialize;
use serde_json::Value;

use crate::printer::{Style, Text};

/// Differences.
#[derive(Debug, Serialize)]
pub struct Diff {
    pub context: String,
    pub objects: Vec<ObjectDiff>,
    pub consequences: Vec<Consequence>,
    pub skips: Vec<Skip>,
    pub warnings: Vec<Finding>,
    /// What an external program printed instead of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
}

/// One object that would change.
#[derive(Debug, Serialize)]
pub struct ObjectDiff {
    pub verb: Verb,
    pub id: Id,
    /// None for an object that is new, or goes: all of it.
    pub fields: Vec<Change>,
}

/// What would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    Create,
    Change,
    Delete,
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub fn human(&self, text: &mut Text) {
        if let Some(external) = &self.external {
            // Of all control characters, diff programs need tabs.
            let external = external.replace('\t', "    ");
            external
                .lines()
                .for_each(|line| text.line(format_args!("{line}")));
        } else {
            self.objects
                .iter()
                .for_each(|object| object.human(&self.consequences, text));
        }
        // What follows from no single object above.
        let is_told = |consequence: &&Consequence| {
            self.external.is_none()
                && self
                    .objects
                    .iter()
                    .any(|object| consequence.because.contains(&object.id))
        };
        let rest: Vec<Consequence> = self
            .consequences
            .iter()
            .filter(|one| !is_told(one))
            .cloned()
            .collect();
        consequences(&rest, text);
        notes(&self.skips, &self.warnings, text);
        match self.objects.len() {
            0 => text.line(format_args!("no differences")),
            1 => text.line(format_args!("1 object differs")),
            n => text.line(format_args!("{n} objects differ")),
        }
    }
}

impl ObjectDiff {
    /// Another one of the same.
    pub fn copy(&self) -> Self {
        Self {
            verb: self.verb,
            id: self.id.clone(),
            fields: self.fields.clone(),
        }
    }

    fn human(&self, all: &[Consequence], text: &mut Text) {
        let verb = match self.verb {
            Verb::Create => text.styled(Style::Good, "create"),
            Verb::Change => text.styled(Style::Strong, "change"),
            Verb::Delete => text.styled(Style::Bad, "delete"),
        };
        text.line(format_args!("{verb}  {}", self.id));
        for change in &self.fields {
            text.line(format_args!(
                "        {}: {} -> {}",
                change.path,
                short(change.from.as_ref()),
                short(change.to.as_ref())
            ));
        }
        let of_it = all
            .iter()
            .filter(|consequence| consequence.because.contains(&self.id));
        for consequence in of_it {
            let label = text.styled(style(consequence.impact), "=>");
            text.line(format_args!("        {label} {}", consequence.what));
        }
    }
}

/// What changes do to what runs.
pub fn consequences(all: &[Consequence], text: &mut Text) {
    for consequence in all {
        let label = text.styled(style(consequence.impact), "=>");
        text.line(format_args!("{label} {}", consequence.what));
    }
}

/// What is left out, and what should be known.
pub fn notes(skips: &[Skip], warnings: &[Finding], text: &mut Text) {
    for skip in skips {
        let label = text.styled(Style::Faint, "skipped:");
        text.line(format_args!("{label} {}: {}", skip.what, skip.why));
    }
    for warning in warnings {
        let label = text.styled(Style::Strong, "warning:");
        text.line(format_args!("{label} {}  {}", warning.code, warning.what));
    }
}

fn style(impact: Impact) -> Style {
    match impact {
        Impact::Stops => Style::Bad,
        Impact::Restarts | Impact::Traffic | Impact::NeedsSync => Style::Strong,
        Impact::Note => Style::Faint,
    }
}

/// A value on one line; long ones are cut.
fn short(value: Option<&Value>) -> String {
    const LONGEST: usize = 120;
    let text = value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
