//! `check`: findings about a cluster, each with a stable code. Not here: the criteria of `verify`, the gates of plans.

mod installation;
mod preflight;
mod proxies;
mod traffic;

use std::collections::BTreeSet;

use crate::codes::{Code, Guide};
use crate::observed::{Observed, ServerVersion, Version};

pub use preflight::{RIGHTS, Right};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: Code,
    /// Which group of checks made it.
    pub category: Category,
    /// How it stands.
    pub level: Level,
    /// What was found, one line.
    pub what: String,
    /// What helps.
    pub hint: Option<String>,
}

/// Groups of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Before an installation.
    Preflight,
    /// What is installed.
    Installation,
    /// The data plane.
    Proxies,
    /// What STRICT changes.
    Strict,
    /// Configuration that breaks calls.
    Traffic,
}

/// How a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but someone should look.
    Warning,
    /// Doesn't work.
    Error,
}

/// What the checks compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The Istio version that would be installed.
    pub version: Version,
    /// The least Kubernetes version that it takes.
    pub kubernetes: ServerVersion,
    /// Answers to access reviews of [`RIGHTS`].
    pub rights: Vec<Right>,
    /// The profile that fits the nodes, and why, one line.
    pub profile: String,
    /// Where the cluster runs, one line.
    pub provider: String,
}

/// All findings of these categories, in the order of the categories.
#[must_use]
pub fn check(
    observed: &Observed,
    expected: &Expected,
    categories: &BTreeSet<Category>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for category in categories {
        let mut list = List {
            category: *category,
            found: &mut found,
        };
        match category {
            Category::Preflight => preflight::check(observed, expected, &mut list),
            Category::Installation => installation::check(observed, &mut list),
            Category::Proxies => proxies::check(observed, &mut list),
            Category::Strict => traffic::check_strict(observed, &mut list),
            Category::Traffic => traffic::check(observed, &mut list),
        }
    }
    found
}

/// The findings that may explain the guide's symptom: everything that isn't as it should be and has a code of the guide.
#[must_use]
pub fn causes(guide: Guide, findings: &[Finding]) -> Vec<&Finding> {
    let explains = |finding: &&Finding| {
        finding.level != Level::Ok
            && finding
                .code
                .explanation()
                .is_some_and(|entry| entry.guides.contains(&guide))
    };
    findings.iter().filter(explains).collect()
}

impl Category {
    /// All categories.
    pub const ALL: [Self; 5] = [
        Self::Preflight,
        Self::Installation,
        Self::Proxies,
        Self::Strict,
        Self::Traffic,
    ];
}

/// Findings of one category, as they are made.
struct List<'f> {
    category: Category,
    found: &'f mut Vec<Finding>,
}

impl List<'_> {
    fn ok(&mut self, code: Code, what: impl Into<String>) {
        self.add(code, Level::Ok, what.into(), None);
    }

    fn warning(&mut self, code: Code, what: impl Into<String>, hint: impl Into<String>) {
        self.add(code, Level::Warning, what.into(), Some(hint.into()));
    }

    fn error(&mut self, code: Code, what: impl Into<String>, hint: impl Into<String>) {
        self.add(code, Level::Error, what.into(), Some(hint.into()));
    }

    /// One finding that says that all is well, unless something was found under this code.
    fn ok_unless_found(&mut self, code: Code, what: impl Into<String>) {
        if !self.found.iter().any(|finding| finding.code == code) {
            self.ok(code, what);
        }
    }

    fn add(&mut self, code: Code, level: Level, what: String, hint: Option<String>) {
        self.found.push(Finding {
            code,
            category: self.category,
            level,
            what,
            hint,
        });
    }
}

/// `1 pod`, `3 pods`.
fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The first five, and how many more.
fn some_of<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    let shown: Vec<&str> = all.iter().take(5).map(String::as_str).collect();
    match all.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
