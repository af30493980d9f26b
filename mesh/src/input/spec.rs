//! `spec` of the `Istio` CR, v1alpha2. These types are the one list of its fields: the reader, the JSON Schema and
//! [`super::istio_cr::fields`] all come from them.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::components::Components;

/// What is wanted of Istio.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Spec {
    /// Settings of the mesh and of the ingress gateway.
    #[serde(skip_serializing_if = "unset")]
    pub config: Config,
    /// Kubernetes settings of the components.
    #[serde(skip_serializing_if = "unset")]
    pub components: Components,
    /// Sets the compatibility variables that Kyma picked by hand, not Istio's own `compatibilityVersion`.
    #[serde(skip_serializing_if = "unset")]
    pub compatibility_mode: bool,
    /// Applies seven NetworkPolicies, for clusters that deny traffic by default.
    #[serde(skip_serializing_if = "unset")]
    pub network_policies_enabled: bool,
}

/// Settings of the mesh and of the ingress gateway.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Config {
    /// Trusted proxies in front of the ingress gateway, the direct peer included.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(range(min = 0, max = 4_294_967_295_u32))]
    pub num_trusted_proxies: Option<u32>,
    /// What the ingress gateway does with `X-Forwarded-Client-Cert`.
    #[serde(skip_serializing_if = "unset")]
    pub forward_client_cert_details: Option<ForwardClientCertDetails>,
    /// External authorizers, for an AuthorizationPolicy with the action `CUSTOM`. Names are unique.
    #[serde(skip_serializing_if = "unset")]
    pub authorizers: Vec<Authorizer>,
    /// `externalTrafficPolicy` of the ingress gateway's Service: `Local` keeps the client's address.
    #[serde(skip_serializing_if = "unset")]
    pub gateway_external_traffic_policy: Option<ExternalTrafficPolicy>,
    /// Metrics.
    #[serde(skip_serializing_if = "unset")]
    pub telemetry: Telemetry,
    /// The trust domain of the mesh, the first part of each SPIFFE identity.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(schema_with = "trust_domain")]
    pub trust_domain: Option<String>,
    /// Whether sidecars answer DNS queries of their applications.
    #[serde(rename = "enableDNSProxying", skip_serializing_if = "unset")]
    pub enable_dns_proxying: Option<bool>,
    /// Statistics that proxies keep besides the default ones.
    #[serde(skip_serializing_if = "unset")]
    pub proxy_stats_matcher: ProxyStatsMatcher,
}

/// What a proxy does with `X-Forwarded-Client-Cert`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ForwardClientCertDetails {
    /// Appends the client's certificate to what came, when the connection is mTLS.
    AppendForward,
    /// Replaces what came by the client's certificate.
    SanitizeSet,
    /// Removes it.
    Sanitize,
    /// Passes it on, whatever the connection.
    AlwaysForwardOnly,
    /// Passes it on when the connection is mTLS.
    ForwardOnly,
}

/// How the Service of the ingress gateway sends traffic to nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExternalTrafficPolicy {
    /// Only to nodes with a gateway pod; the client's address stays.
    Local,
    /// To every node; the client's address is lost on the way.
    Cluster,
}

/// An HTTP service that is asked whether a request may pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authorizer {
    /// What an AuthorizationPolicy calls it.
    #[schemars(length(min = 1), extend("x-expected" = "a name"))]
    pub name: String,
    /// Where it is: `[namespace/]hostname`. The module lets it be absent, istiod does not.
    #[schemars(length(min = 1), extend("x-expected" = "a service, `[namespace/]hostname`"))]
    pub service: String,
    /// Its port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u32,
    /// Put in front of the path of the request that is checked.
    #[serde(default, skip_serializing_if = "unset")]
    #[schemars(schema_with = "path_prefix")]
    pub path_prefix: Option<String>,
    /// How long to wait, as a Go duration (`500ms`). Kept to the nanosecond.
    #[serde(default, skip_serializing_if = "unset")]
    #[schemars(schema_with = "duration")]
    pub timeout: Option<String>,
    /// Which headers go where.
    #[serde(default, skip_serializing_if = "unset")]
    pub headers: AuthorizerHeaders,
}

/// Headers of the check and of its answer. A name may be exact, or `abc*`, or `*abc`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AuthorizerHeaders {
    /// Of the check request.
    #[serde(skip_serializing_if = "unset")]
    pub in_check: InCheck,
    /// From the authorizer to the application.
    #[serde(skip_serializing_if = "unset")]
    pub to_upstream: ToUpstream,
    /// From the authorizer to the client.
    #[serde(skip_serializing_if = "unset")]
    pub to_downstream: ToDownstream,
}

/// Headers of the check request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct InCheck {
    /// Taken from the client's request.
    #[serde(skip_serializing_if = "unset")]
    pub include: Vec<String>,
    /// Added, with these values.
    #[serde(skip_serializing_if = "unset")]
    pub add: BTreeMap<String, String>,
}

/// Headers from the authorizer to the application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ToUpstream {
    /// When the request may pass.
    #[serde(skip_serializing_if = "unset")]
    pub on_allow: Vec<String>,
}

/// Headers from the authorizer to the client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ToDownstream {
    /// When the request may pass.
    #[serde(skip_serializing_if = "unset")]
    pub on_allow: Vec<String>,
    /// When it may not.
    #[serde(skip_serializing_if = "unset")]
    pub on_deny: Vec<String>,
}

/// Telemetry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Telemetry {
    /// Metrics.
    #[serde(skip_serializing_if = "unset")]
    pub metrics: Metrics,
}

/// Metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Metrics {
    /// Whether the sidecar answers with the application's metrics and its own together.
    #[serde(skip_serializing_if = "unset")]
    pub prometheus_merge: bool,
}

/// Statistics that proxies keep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ProxyStatsMatcher {
    /// Names to keep, as RE2 regular expressions.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(schema_with = "regexps")]
    pub inclusion_regexps: Vec<String>,
}

/// Whether a value says nothing.
pub(super) fn unset<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

// The patterns are those of the CRD, in a spelling that every regular expression engine reads alike.

fn trust_domain(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 255,
        "pattern": r"^[a-z0-9_-]*(\.[a-z0-9]*([a-z0-9_-]*[a-z0-9]*)?)*$",
        "x-expected": "a trust domain of 1 to 255 lower-case letters, digits, `-`, `_` and dots"
    })
}

fn path_prefix(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^/", "x-expected": "a path that begins with `/`"})
}

fn duration(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "x-check": "duration", "x-expected": "a duration such as `500ms` or `1m30s`"})
}

fn regexps(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "string", "x-check": "regexp", "x-expected": "a regular expression"}})
}
