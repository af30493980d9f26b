//! What compiles and is surely not meant. The filter runs such a policy, since what one release compiles the next compiles too; whoever brings a policy to a cluster
//! refuses it. No part of this is in the filter.

mod literal;
mod names;
mod rules;
mod trust;

use crate::spec::{ConfigError, Document, Problems};

/// What a reader of a policy would ask its author about.
#[derive(Debug, Default)]
pub struct Review {
    /// Surely not meant: a reason to refuse the policy.
    pub findings: Vec<ConfigError>,
    /// Worth a look: the policy can be meant so.
    pub warnings: Vec<ConfigError>,
}

/// Reviews a document that [`crate::Policy::from_json`] compiles; of another one nothing is said.
pub fn review(document: &[u8]) -> Review {
    let mut problems = Problems::default();
    let values = Document::values(document, &mut problems);
    let values = values.as_ref();
    let document = values.and_then(|values| Document::read(values, &mut problems));
    let Some(Document { spec, raw_spec }) = document.filter(|_| problems.is_empty()) else {
        return Review::default();
    };
    let (mut findings, mut warnings) = (Problems::default(), Problems::default());
    if let Ok(raw) = serde_json::from_str(raw_spec.get()) {
        literal::review(&raw, &mut findings, &mut warnings);
    }
    names::review(&spec, &mut findings, &mut warnings);
    if let Some(forwarded) = &spec.forwarded {
        trust::review(forwarded, &mut findings, &mut warnings);
    }
    if let Some(jwt) = spec.jwt {
        trust::hosts(spec.position, &jwt, &mut warnings);
        rules::review(jwt, &mut findings);
    }
    Review {
        findings: findings.into_told(),
        warnings: warnings.into_told(),
    }
}
