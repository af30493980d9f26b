//! Trust that reaches further than it looks.

use crate::request::Position;
use crate::spec::{ChainMode, ConfigError, Forwarded, Jwt, Problems};

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

/// A rule with `hosts` where the virtual host may be `*`: Istio's listener for what comes in at a sidecar has no other. Who asks then names the host, and with it the rule.
pub fn hosts(position: Option<Position>, jwt: &Jwt, warnings: &mut Problems) {
    let hint = match position {
        Some(Position::Gateway | Position::SidecarOutbound) => return,
        Some(Position::SidecarInbound) => {
            "a sidecar takes any host for what comes in: tell requests apart by their paths, or do it at the gateway"
        }
        None => {
            "fine at a gateway whose routes name their hosts (`position: Gateway` says that it is one); a sidecar takes any host for what comes in"
        }
    };
    let with: Vec<usize> = (0..)
        .zip(&jwt.rules)
        .filter(|(_, rule)| !rule.hosts.is_empty())
        .map(|(place, _)| place)
        .collect();
    let Some((first, others)) = with.split_first() else {
        return;
    };
    let found = match others.len() {
        0 => "hosts, which who asks may choose".to_owned(),
        more => format!("hosts, as in {more} more, which who asks may choose"),
    };
    let warning = ConfigError::new(
        format!("spec.jwt.rules[{first}].hosts"),
        found,
        "a virtual host of its own for each",
    );
    warnings.push(warning.hint(hint));
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
