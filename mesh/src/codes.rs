//! Stable codes of everything that is judged, and the offline text of `explain CODE`. Not here: the judging.

mod catalogue;

use std::fmt;

pub use catalogue::Code;

/// What `explain CODE` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    /// The code that is explained.
    pub code: Code,
    /// One line.
    pub title: &'static str,
    /// What it means when it is reported.
    pub meaning: &'static str,
    /// What usually leads there.
    pub cause: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// The troubleshooting guides whose symptom it may explain.
    pub guides: &'static [Guide],
}

/// Kyma's troubleshooting guides for the service mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guide {
    /// "Can't access a Kyma endpoint (503 status code)".
    NoAccess,
    /// "Connection refused errors".
    ConnectionRefused,
    /// "Issues with Istio sidecar injection".
    NoSidecar,
    /// "Incompatible Istio sidecar version after Kyma upgrade".
    SidecarVersion,
}

/// Every explanation, in the order of the codes.
#[must_use]
pub fn all() -> &'static [Explanation] {
    catalogue::CATALOGUE
}

/// The explanation of a code, spelled in any case: `ki-v002`.
#[must_use]
pub fn explain(code: &str) -> Option<&'static Explanation> {
    all()
        .iter()
        .find(|entry| entry.code.id().eq_ignore_ascii_case(code.trim()))
}

impl Code {
    /// Its explanation; every code has one.
    #[must_use]
    pub fn explanation(self) -> Option<&'static Explanation> {
        all().iter().find(|entry| entry.code == self)
    }

    /// Where the documentation speaks of it.
    #[must_use]
    pub fn anchor(self) -> String {
        format!("docs/codes.md#{}", self.id().to_ascii_lowercase())
    }
}

impl Guide {
    /// All guides.
    pub const ALL: [Self; 4] = [
        Self::NoAccess,
        Self::ConnectionRefused,
        Self::NoSidecar,
        Self::SidecarVersion,
    ];

    /// The symptom, as people describe it.
    #[must_use]
    pub fn symptom(self) -> &'static str {
        match self {
            Self::NoAccess => "an endpoint answers 503",
            Self::ConnectionRefused => "connections are refused or reset",
            Self::NoSidecar => "pods have no sidecar",
            Self::SidecarVersion => "sidecars have another version than the control plane",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_well_formed_and_found_in_any_case() {
        let ids: BTreeSet<&str> = all().iter().map(|entry| entry.code.id()).collect();
        assert_eq!(ids.len(), all().len(), "an id stands twice");
        for id in ids {
            let (letter, number) = id.strip_prefix("KI-").unwrap().split_at(1);
            assert!(
                letter.chars().all(|c| c.is_ascii_uppercase()) && number.len() == 3,
                "{id}"
            );
            assert!(number.parse::<u16>().is_ok(), "{id}");
            assert_eq!(
                explain(&id.to_lowercase()).map(|entry| entry.code.id()),
                Some(id)
            );
        }
        assert_eq!(explain("KI-V999"), None);
    }

    #[test]
    fn every_code_is_fully_explained() {
        for entry in all() {
            for text in [entry.title, entry.meaning, entry.cause, entry.fix] {
                assert!(
                    text.len() > 10 && !text.contains("  "),
                    "{}: `{text}`",
                    entry.code
                );
            }
            assert!(
                !entry.title.ends_with('.') && entry.meaning.ends_with('.'),
                "{}",
                entry.code
            );
        }
    }

    #[test]
    fn every_guide_has_causes() {
        for guide in Guide::ALL {
            assert!(
                all()
                    .iter()
                    .filter(|entry| entry.guides.contains(&guide))
                    .count()
                    >= 2,
                "{guide:?}"
            );
        }
    }
}
