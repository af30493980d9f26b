//! What is compared. Each scenario is one listener that answers 200 by itself, so only the filters differ.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::Options;
use crate::{
    Action, Error, Listener, Result, Wasm, envoy::read, http1::broken, noop_wasm, render::overlay,
};

/// The scenario that all are compared with.
pub(super) const NONE: &str = "none";
/// Envoy's own token check, without and with its cache.
pub(super) const JWT_AUTHN: &str = "jwt_authn";
const JWT_AUTHN_CACHED: &str = "jwt_authn_cached";
const NOOP: &str = "noop";
const FILTER: &str = "filter";

/// The scenarios that the options have everything for.
pub(super) fn all(options: &Options) -> Result<Vec<Listener>> {
    let noop = match &options.noop {
        Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        None => noop_wasm()?,
    };
    // A VM of its own each: sharing one would charge them for each other's memory.
    let own_vm = |name: &str, wasm: Wasm| Wasm {
        vm_id: name.into(),
        ..wasm
    };
    let mut all = vec![
        listener(NONE),
        listener(NOOP).wasm(own_vm(NOOP, Wasm::new(noop, ""))),
    ];
    if let (Some(filter), Some(policy)) = (&options.filter, &options.policy) {
        let filter = std::path::absolute(filter).unwrap_or_else(|_| filter.clone());
        let wasm = Wasm::new(filter, read(policy)?);
        all.push(listener(FILTER).wasm(own_vm(FILTER, wasm)));
    }
    if let (Some(token), Some(jwks)) = (&options.token, &options.jwks) {
        let mut provider = provider(&read(token)?, &read(jwks)?)?;
        if let Some(more) = &options.provider {
            overlay(&mut provider, &json_file(more)?);
        }
        all.push(with_filters(JWT_AUTHN, &provider));
        provider["jwt_cache_config"] = json!({});
        all.push(with_filters(JWT_AUTHN_CACHED, &provider));
    }
    Ok(all)
}

fn listener(name: &str) -> Listener {
    Listener {
        num_trusted_hops: 1,
        action: Action::Answer(200),
        access_log: false,
        ..Listener::gateway(name)
    }
}

/// jwt_authn and, as an AuthorizationPolicy would add it, RBAC on the issuer.
fn with_filters(name: &str, provider: &Value) -> Listener {
    let issuer = &provider["issuer"];
    let jwt_authn = json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "issuer": provider },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "issuer" } }],
        },
    });
    let rbac = json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": { "action": "ALLOW", "policies": { "issuer": {
                "permissions": [{ "any": true }],
                "principals": [{ "metadata": {
                    "filter": "envoy.filters.http.jwt_authn",
                    "path": [{ "key": "payload" }, { "key": "iss" }],
                    "value": { "string_match": { "exact": issuer } },
                } }],
            } } },
        },
    });
    Listener {
        extra_filters_before: vec![jwt_authn, rbac],
        ..listener(name)
    }
}

fn provider(token: &str, jwks: &str) -> Result<Value> {
    let payload = token.trim().split('.').nth(1).unwrap_or_default();
    let claims: Value = URL_SAFE_NO_PAD
        .decode(payload)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        // Never the token itself.
        .ok_or_else(|| broken("a signed token", b"something else"))?;
    let audiences = match &claims["aud"] {
        Value::String(one) => json!([one]),
        Value::Array(all) => json!(all),
        _ => json!([]),
    };
    Ok(json!({
        "issuer": claims["iss"],
        "audiences": audiences,
        "local_jwks": { "inline_string": jwks },
        "payload_in_metadata": "payload",
        "forward": true,
    }))
}

fn json_file(path: &Path) -> Result<Value> {
    serde_json::from_str(&read(path)?)
        .map_err(|found| Error::Unusable(format!("{}: {found}", path.display())))
}
