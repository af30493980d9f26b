//! What is compared. Each scenario is one listener that answers 200 by itself, so only the filters differ.

use std::path::{Path, PathBuf};

use super::{
    authorizer::Authorizer,
    neighbours,
    policies::{self, Policies},
};
use crate::{
    Action, Listener, Result, Wasm, bootstrap::UPSTREAM, envoy::read, noop_wasm, repository,
};

/// The scenario that all are compared with.
pub(super) const NONE: &str = "none";
pub(super) const NOOP: &str = "noop";
pub(super) const LUA: &str = "lua";
pub(super) const EXT_AUTHZ: &str = "ext_authz";
pub(super) const JWT_AUTHN: &str = "jwt_authn";
pub(super) const JWT_AUTHN_CACHED: &str = "jwt_authn_cached";
pub(super) const XFF: &str = "filter_xff";
pub(super) const COLD: &str = "filter_cold";
pub(super) const WARM: &str = "filter_warm";
pub(super) const FULL: &str = "filter_full";
pub(super) const RULES_1: &str = "filter_rules_1";
pub(super) const RULES_1000: &str = "filter_rules_1000";
pub(super) const CIDRS_1: &str = "filter_cidrs_1";
pub(super) const CIDRS_100000: &str = "filter_cidrs_100000";

/// In the order in which they run and are reported. Those that are compared with each other are neighbours.
pub(super) const ALL: [(&str, &str); 14] = [
    (NONE, "no filter: Envoy answers 200"),
    (NOOP, "a wasm filter that does nothing"),
    (
        LUA,
        "Lua: client out of the chain by a pattern, `Bearer ` prefix; nothing verified",
    ),
    (
        EXT_AUTHZ,
        "HTTP ext_authz, its service on loopback; only the asking proxy is counted",
    ),
    (JWT_AUTHN, "jwt_authn + RBAC, each RS256 token verified"),
    (
        COLD,
        "this filter, chain + token, each RS256 token verified",
    ),
    (JWT_AUTHN_CACHED, "jwt_authn with its cache + RBAC"),
    (WARM, "this filter, chain + token, token known"),
    (XFF, "this filter, chain only"),
    (
        FULL,
        "this filter with everything: hops and ranges, deny list, 5 rules, claims, payload header, token removed; token known",
    ),
    (RULES_1, "as `filter_warm` with 1 rule"),
    (
        RULES_1000,
        "as `filter_warm` with 1,000 rules, the last one matches",
    ),
    (CIDRS_1, "as `filter_warm` with 1 trusted range"),
    (CIDRS_100000, "as `filter_warm` with 100,000 trusted ranges"),
];

/// A listener and what is sent to it.
pub(super) struct Scenario {
    pub name: &'static str,
    pub listener: Listener,
    pub path: String,
    /// A stream of tokens that differ, where one after the other is to be verified.
    pub many_tokens: bool,
}

/// All scenarios, in the order of [`ALL`].
pub(super) fn all(filter: &Path, authorizer: &Authorizer) -> Result<Vec<Scenario>> {
    let setup = Setup {
        filter: filter.to_owned(),
        noop: noop_wasm()?,
        lua: read(&repository().join("lab/bench/authorize.lua"))?,
        policies: Policies::new(authorizer.peer())?,
        authorizer,
    };
    ALL.iter().map(|(name, _)| setup.scenario(name)).collect()
}

struct Setup<'a> {
    filter: PathBuf,
    noop: PathBuf,
    lua: String,
    policies: Policies,
    authorizer: &'a Authorizer,
}

impl Setup<'_> {
    fn scenario(&self, name: &'static str) -> Result<Scenario> {
        let policies = &self.policies;
        let listener = match name {
            NONE => listener(name),
            NOOP => own_vm(name, &self.noop, String::new()),
            LUA => filtered(name, vec![neighbours::lua(&self.lua)]),
            EXT_AUTHZ => {
                let service = self.authorizer.address()?;
                filtered(name, vec![neighbours::ext_authz(service, UPSTREAM)])
            }
            JWT_AUTHN => filtered(name, neighbours::jwt_authn(policies.jwks(), false)),
            JWT_AUTHN_CACHED => filtered(name, neighbours::jwt_authn(policies.jwks(), true)),
            XFF => self.ours(name, policies.xff()),
            FULL => self.ours(name, policies.full()),
            RULES_1 => self.ours(name, policies.rules(1)),
            RULES_1000 => self.ours(name, policies.rules(1000)),
            CIDRS_1 => self.ours(name, policies.trusted(1)),
            CIDRS_100000 => self.ours(name, policies.trusted(100_000)),
            _ => self.ours(name, policies.token()),
        };
        let path = match name {
            RULES_1 => policies::area(0),
            RULES_1000 => policies::area(999),
            _ => policies::PATH.into(),
        };
        Ok(Scenario {
            name,
            listener,
            path,
            many_tokens: [COLD, JWT_AUTHN].contains(&name),
        })
    }

    fn ours(&self, name: &str, policy: String) -> Listener {
        own_vm(name, &self.filter, policy)
    }
}

/// A VM of its own each: sharing one would charge them for each other's memory.
fn own_vm(name: &str, module: &Path, policy: String) -> Listener {
    listener(name).wasm(Wasm {
        vm_id: name.into(),
        ..Wasm::new(module, policy)
    })
}

fn filtered(name: &str, filters: Vec<serde_json::Value>) -> Listener {
    Listener {
        extra_filters_before: filters,
        ..listener(name)
    }
}

fn listener(name: &str) -> Listener {
    Listener {
        num_trusted_hops: 1,
        action: Action::Answer(200),
        access_log: false,
        ..Listener::gateway(name)
    }
}
