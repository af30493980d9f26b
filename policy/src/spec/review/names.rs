//! Names of headers that mean something else, or nothing, in the field where they stand.

use std::collections::BTreeMap;

use crate::headers::{is_odd, plain_name};
use crate::matching::is_override;
use crate::spec::{ConfigError, Location, Problems, Spec};

pub fn review(spec: &Spec, findings: &mut Problems, warnings: &mut Problems) {
    let providers = spec.jwt.iter().flat_map(|jwt| &jwt.providers);
    if let Some(forwarded) = &spec.forwarded {
        if let Some(name) = &forwarded.client_ip_header {
            emitted(
                "forwarded.clientIpHeader".to_owned(),
                name.as_str(),
                findings,
                warnings,
            );
        }
        for (index, name) in forwarded.companions.keep.iter().enumerate() {
            if is_other_spelling(name) {
                let path = format!("spec.forwarded.companions.keep[{index}]");
                let found = format!("`{name}`, a spelling that is removed always");
                let finding = ConfigError::new(path, found, "the name with `-`");
                findings.push(
                    finding
                        .hint("no proxy writes it, and many servers read it as the name with `-`"),
                );
            }
        }
    }
    if let Some(name) = &spec.replies.reason_header {
        emitted(
            "replies.reasonHeader".to_owned(),
            name.as_str(),
            findings,
            warnings,
        );
    }
    // The name of each header that tokens come in, and who named it first.
    let mut places: BTreeMap<String, (&str, String)> = BTreeMap::new();
    for (index, provider) in providers.enumerate() {
        let here = format!("jwt.providers[{index}]");
        if let Some(name) = &provider.payload_header {
            emitted(
                format!("{here}.payloadHeader"),
                name.as_str(),
                findings,
                warnings,
            );
        }
        for (index, claim) in provider.claims_to_headers.iter().enumerate() {
            let field = format!("{here}.claimsToHeaders[{index}].header");
            emitted(field, claim.header.as_str(), findings, warnings);
        }
        // Headers are the first places of a provider.
        for (index, location) in provider.locations.iter().enumerate() {
            let Location::Header { name, .. } = location else {
                break;
            };
            let field = format!("{here}.fromHeaders[{index}].name");
            let first = places
                .entry(plain_name(name))
                .or_insert((name, field.clone()));
            if first.0 != name {
                let found = format!(
                    "`{name}`, which is the place `{}` of `{}`",
                    first.0, first.1
                );
                let finding =
                    ConfigError::new(format!("spec.{field}"), found, "one spelling of one place");
                findings.push(finding.hint(
                    "a token is found in any spelling of a header, so the two are never told apart",
                ));
            }
        }
    }
}

/// A header that the policy writes.
fn emitted(field: String, name: &str, findings: &mut Problems, warnings: &mut Problems) {
    let path = format!("spec.{field}");
    if is_override(name) {
        let found = format!("`{name}`, by which frameworks replace the method or path");
        let finding = ConfigError::new(path, found, "a header that only says something");
        findings.push(finding.hint("what rules judged would not be what the next hop does"));
    } else if is_other_spelling(name) {
        let found = format!("`{name}`, a spelling that many proxies drop");
        let warning = ConfigError::new(path, found, "the name with `-`");
        warnings.push(warning.hint("fine if the next hop reads exactly this name"));
    }
}

/// Whether a name has a mark other than `-`. Of `*` the wildcards tell.
fn is_other_spelling(name: &str) -> bool {
    !name.contains('*') && is_odd(name.as_bytes())
}
