//! Envoy's own filters that do such work, in Envoy's words.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::policies::{AUDIENCE, ISSUER};

/// jwt_authn for the tokens of the bench, which publishes the subject as our policy does; and, as an AuthorizationPolicy
/// would add it, RBAC on the issuer.
pub(super) fn jwt_authn(jwks: &Value, cached: bool) -> Vec<Value> {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": jwks.to_string() },
        "claim_to_headers": [{ "header_name": "x-user", "claim_name": "sub" }],
        "payload_in_metadata": "payload",
        "forward": true,
    });
    if cached {
        provider["jwt_cache_config"] = json!({});
    }
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
                    "value": { "string_match": { "exact": ISSUER } },
                } }],
            } } },
        },
    });
    vec![jwt_authn, rbac]
}

/// A script of Envoy's Lua filter.
pub(super) fn lua(script: &str) -> Value {
    json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": { "inline_string": script },
        },
    })
}

/// A question to an HTTP service for each request, with the two headers that it would judge.
pub(super) fn ext_authz(service: SocketAddr, cluster: &str) -> Value {
    json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3",
            "allowed_headers": { "patterns": [{ "exact": "authorization" }, { "exact": "x-forwarded-for" }] },
            "http_service": {
                "server_uri": { "uri": format!("http://{service}"), "cluster": cluster, "timeout": "5s" },
                "authorization_response": { "allowed_upstream_headers": { "patterns": [{ "exact": "x-user" }] } },
            },
        },
    })
}
