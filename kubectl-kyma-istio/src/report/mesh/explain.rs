//! What `explain` answers, and the page of all codes.

use std::fmt::Write as _;

use mesh::codes::{Explanation, Guide};
use serde::Serialize;

use crate::printer::{Style, Text};

/// One code explained, or all of them listed.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Codes {
    One(&'static Explanation),
    All(&'static [Explanation]),
    /// docs/codes.md.
    Page(String),
}

impl Codes {
    pub fn human(&self, text: &mut Text) {
        match self {
            Self::All(all) => {
                for entry in *all {
                    text.line(format_args!("{}  {}", entry.code, entry.title));
                }
            }
            Self::One(entry) => {
                let code = text.styled(Style::Strong, entry.code.id());
                text.line(format_args!("{code}  {}", entry.title));
                text.line(format_args!(""));
                for (name, said) in [
                    ("reported", entry.meaning),
                    ("cause", entry.cause),
                    ("fix", entry.fix),
                ] {
                    let name = text.styled(Style::Faint, &format!("{name:<9}"));
                    text.line(format_args!("{name} {said}"));
                }
                for guide in entry.guides {
                    let name = text.styled(Style::Faint, "explains ");
                    text.line(format_args!("{name} {}", guide.symptom()));
                }
            }
            Self::Page(page) => page
                .lines()
                .for_each(|line| text.line(format_args!("{line}"))),
        }
    }
}

/// docs/codes.md, from the catalogue.
pub fn markdown() -> String {
    let mut page = "# Codes

Everything that `verify`, `check`, `install` and the other commands judge has a stable code. `kubectl kyma-istio explain CODE` prints the same offline.
This page is generated from the catalogue (`kubectl kyma-istio explain --markdown`), and a test holds it to it.

The letter says who reports it: `V` criteria of `verify`, `G` gates that refuse a plan, `P` preflight, `I` what is installed, `X` proxies, `S` what STRICT changes, `T` traffic.

## By symptom
"
    .to_owned();
    for guide in Guide::ALL {
        let entries = mesh::codes::all()
            .iter()
            .filter(|entry| entry.guides.contains(&guide));
        let links: Vec<String> = entries.map(link).collect();
        let _ = writeln!(page, "- {}: {}", guide.symptom(), links.join(", "));
    }
    for entry in mesh::codes::all() {
        let _ = write!(
            page,
            "\n## {}\n**{}.** {}\n\n- Cause: {}\n- Fix: {}\n",
            entry.code.id(),
            capitalised(entry.title),
            entry.meaning,
            entry.cause,
            entry.fix
        );
    }
    page
}

fn link(entry: &Explanation) -> String {
    let id = entry.code.id();
    format!("[{id}](#{})", id.to_ascii_lowercase())
}

fn capitalised(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
