//! Trust that reaches further than it looks.

use crate::spec::{ChainMode, ConfigError, Forwarded, Problems};

pub fn review(forwarded: &Forwarded, findings: &mut Problems, warnings: &mut Problems) {
    for (index, identity) in forwarded.identities.iter().enumerate() {
        if spans_namespaces(identity) {
            let path = format!("spec.forwarded.trust.identities[{index}]");
            let found = format!("`{identity}`, workloads of more than one namespace");
            let finding = ConfigError::new(path, found, "a whole `/ns/NAMESPACE/` before `*`");
            findings.push(finding.hint(
                "a trusted peer says who the client is; whoever may make a namespace could be one",
            ));
        }
    }
    let hops = forwarded.hops.is_some_and(|hops| hops.max > 0);
    if hops && forwarded.cidrs.is_empty() && forwarded.identities.is_empty() {
        let expected = match forwarded.mode {
            ChainMode::Envoy => "`cidrs` instead",
            ChainMode::Strict | ChainMode::Lenient => "`cidrs` or `identities` beside it",
        };
        let warning = ConfigError::new(
            "spec.forwarded.trust.hops",
            "a number of hops alone, which trusts a position, whoever connects",
            expected,
        );
        warnings.push(warning.hint("fine where only your own load balancers can reach this proxy"));
    }
}

/// Whether a prefix of Istio's ids (`spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT`) ends before the namespace does.
fn spans_namespaces(identity: &str) -> bool {
    let fixed = identity.strip_suffix('*');
    let path = fixed
        .and_then(|fixed| fixed.strip_prefix("spiffe://"))
        .and_then(|rest| rest.split_once('/'));
    let namespace = path.and_then(|(_, path)| path.strip_prefix("ns/"));
    namespace.is_some_and(|namespace| !namespace.contains('/'))
}
