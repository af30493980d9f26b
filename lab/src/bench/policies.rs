//! The policies that are measured, as plugin configurations, and what requests to them look like.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{Error, Result, envoy::read, repository};

pub(super) const ISSUER: &str = "https://login.example.com";
pub(super) const AUDIENCE: &str = "shop";
/// The name of the test key and its `kid`.
pub(super) const KEY: &str = "rsa-a";
/// Of every request.
pub(super) const HOST: &str = "shop.example.com";
/// The `x-forwarded-for` that is sent; the proxy appends the peer.
pub(super) const CLIENT: &str = "203.0.113.7";
/// The path for policies that look at none, or at the paths of `full`.
pub(super) const PATH: &str = "/orders/7";

/// Makes policies for one direct peer.
pub(super) struct Policies {
    peer: IpAddr,
    jwks: Value,
}

impl Policies {
    pub(super) fn new(peer: IpAddr) -> Result<Self> {
        let file = repository().join("testdata/keys/jwks.json");
        let all: Value = serde_json::from_str(&read(&file)?)
            .map_err(|found| Error::Unusable(format!("{}: {found}", file.display())))?;
        let keys = all["keys"].as_array().into_iter().flatten();
        let wanted: Vec<&Value> = keys.filter(|key| key["kid"] == KEY).collect();
        Ok(Self {
            peer,
            jwks: json!({ "keys": wanted }),
        })
    }

    /// The keys alone, for others who verify the same tokens.
    pub(super) fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// Only the chain.
    pub(super) fn xff(&self) -> String {
        configuration(&json!({ "position": "Gateway", "forwarded": hops() }))
    }

    /// The chain, and a token whose subject becomes a header: what jwt_authn is compared with.
    pub(super) fn token(&self) -> String {
        self.with(hops(), json!([]), "Require")
    }

    /// Everything at once: chain by hops and ranges, lists of clients, several rules, claims, payload header, token removed.
    pub(super) fn full(&self) -> String {
        let rule = |name: &str, host: &str, path: &str, methods: &[&str], group: &str| {
            json!({
                "name": name, "hosts": [host], "paths": [path], "methods": methods, "access": "Require",
                "claims": [{ "claim": "groups", "contains": group }],
            })
        };
        configuration(&json!({
            "position": "Gateway",
            "forwarded": {
                "trust": { "hops": 1, "cidrs": ["10.0.0.0/8", "2001:db8:1::/48", self.peer] },
                "deny": ["198.51.100.0/24", "192.0.2.128/25"],
                "outbound": "Replace",
                "clientIpHeader": "x-client-ip",
            },
            "jwt": {
                "providers": [{
                    "name": "login", "issuer": ISSUER, "audiences": [AUDIENCE, "shop-admin"], "jwks": self.jwks,
                    "algorithms": ["RS256"], "subjects": ["user-*"], "types": ["JWT"],
                    "claimsToHeaders": [
                        { "claim": "sub", "header": "x-user" },
                        { "claim": "email", "header": "x-email" },
                        { "claim": "groups", "header": "x-groups" },
                    ],
                    "payloadHeader": "x-jwt-payload",
                    "token": "Remove",
                }],
                "rules": [
                    { "name": "health", "paths": ["/healthz"], "methods": ["GET"], "access": "Open" },
                    { "name": "static", "hosts": ["static.example.com"], "paths": ["/assets/*"], "access": "Open" },
                    rule("admin", "admin.example.com", "/*", &["GET", "POST"], "admins"),
                    rule("write", HOST, "/orders/*", &["POST", "PUT", "DELETE"], "buyers"),
                    rule("read", HOST, "/orders/*", &["GET", "HEAD"], "buyers"),
                ],
                "otherwise": "Deny",
            },
        }))
    }

    /// As `token`, with this many rules. Requests to [`area`] meet them.
    pub(super) fn rules(&self, count: usize) -> String {
        let rules = (0..count).map(|number| {
            json!({
                "name": format!("area-{number:05}"), "hosts": [HOST], "paths": [format!("/area-{number:05}/*")],
                "methods": ["GET"], "access": "Require",
            })
        });
        self.with(hops(), rules.collect(), "Require")
    }

    /// As `token`, with this many trusted ranges; the peer's is the last, and the client is in none.
    pub(super) fn trusted(&self, count: usize) -> String {
        let mut ranges = blocks(count.saturating_sub(1));
        ranges.push(self.peer.to_string());
        let mut forwarded = hops();
        forwarded["trust"]["cidrs"] = json!(ranges);
        self.with(forwarded, json!([]), "Require")
    }

    /// Only the chain, by ranges that trust all of 10.0.0.0/8, however many.
    pub(super) fn walked(&self) -> String {
        let mut forwarded = hops();
        forwarded["trust"] = json!({ "cidrs": ["10.0.0.0/8", self.peer] });
        configuration(&json!({ "position": "Gateway", "forwarded": forwarded }))
    }

    /// As `token`, with this many ranges of clients that are refused; the client is in none.
    pub(super) fn denied(&self, count: usize) -> String {
        let mut forwarded = hops();
        forwarded["deny"] = json!(blocks(count));
        self.with(forwarded, json!([]), "Require")
    }

    fn with(&self, forwarded: Value, rules: Value, otherwise: &str) -> String {
        configuration(&json!({
            "position": "Gateway",
            "forwarded": forwarded,
            "jwt": {
                "providers": [{
                    "name": "login", "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": self.jwks,
                    "claimsToHeaders": [{ "claim": "sub", "header": "x-user" }],
                }],
                "rules": rules,
                "otherwise": otherwise,
            },
        }))
    }
}

/// The path that the rule of this number matches; beyond the last rule none does.
pub(super) fn area(number: usize) -> String {
    format!("/area-{number:05}/7")
}

fn hops() -> Value {
    json!({ "trust": { "hops": 1 }, "outbound": "Replace", "clientIpHeader": "x-client-ip" })
}

/// Ranges of 128 addresses with gaps between them, so that no two can be told as one. They start at 11.0.0.0.
fn blocks(count: usize) -> Vec<String> {
    let range = |number: usize| {
        let [_, high, middle, low] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        format!("{}.{middle}.{low}.0/25", 11 + u32::from(high))
    };
    (0..count).map(range).collect()
}

fn configuration(spec: &Value) -> String {
    json!({ "apiVersion": "policy.kyma-istio.dev/v1alpha1", "spec": spec }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_ranges_are_all_different() {
        let mut ranges = blocks(100_000);
        assert_eq!(ranges[65_536], "12.0.0.0/25");
        ranges.sort();
        ranges.dedup();
        assert_eq!(ranges.len(), 100_000);
    }
}
