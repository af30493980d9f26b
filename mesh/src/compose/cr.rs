//! The `Istio` CR as a layer: where each of its fields appears in the `IstioOperator`. NetworkPolicies are in `extras`.

use serde_json::{Value, json};

use super::Source;
use super::tree::{Tree, nest};
use crate::input::IstioCr;
use crate::input::components::{Affinity, Components, IntOrString, Kubernetes};
use crate::input::duration;
use crate::input::path::{Path, Step};
use crate::input::spec::{Authorizer, Config};

const INGRESS: &str = "components.ingressGateways[name:istio-ingressgateway]";
const EGRESS: &str = "components.egressGateways[name:istio-egressgateway]";

/// istiod variables of the compatibility mode, picked by hand by Kyma; no sidecar variable at present.
const COMPATIBILITY: [(&str, &str); 1] = [("PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE", "false")];

pub(crate) fn lay(tree: &mut Tree, cr: &IstioCr) {
    config(tree, cr, &cr.spec.config);
    components(tree, cr, &cr.spec.components);
    if cr.spec.compatibility_mode {
        for (name, value) in COMPATIBILITY {
            let path = format!("components.pilot.k8s.env[name:{name}].value");
            tree.put(&path, json!(value), &source(cr, "spec.compatibilityMode"));
        }
    }
}

fn source(cr: &IstioCr, path: &str) -> Source {
    Source::Cr {
        line: cr.place(path).line,
    }
}

fn config(tree: &mut Tree, cr: &IstioCr, config: &Config) {
    let values: [(&str, &str, Option<Value>); 7] = [
        (
            "numTrustedProxies",
            "meshConfig.defaultConfig.gatewayTopology.numTrustedProxies",
            config.num_trusted_proxies.map(|number| json!(number)),
        ),
        (
            "forwardClientCertDetails",
            "meshConfig.defaultConfig.gatewayTopology.forwardClientCertDetails",
            config
                .forward_client_cert_details
                .map(|details| json!(details)),
        ),
        (
            "gatewayExternalTrafficPolicy",
            "components.ingressGateways[name:istio-ingressgateway].k8s.service.externalTrafficPolicy",
            config
                .gateway_external_traffic_policy
                .map(|policy| json!(policy)),
        ),
        (
            "telemetry.metrics.prometheusMerge",
            "meshConfig.enablePrometheusMerge",
            config
                .telemetry
                .metrics
                .prometheus_merge
                .then_some(json!(true)),
        ),
        (
            "trustDomain",
            "meshConfig.trustDomain",
            config.trust_domain.as_ref().map(|domain| json!(domain)),
        ),
        (
            "enableDNSProxying",
            "meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE",
            config
                .enable_dns_proxying
                .map(|enabled| json!(enabled.to_string())),
        ),
        (
            "proxyStatsMatcher.inclusionRegexps",
            "meshConfig.defaultConfig.proxyStatsMatcher.inclusionRegexps",
            Some(json!(config.proxy_stats_matcher.inclusion_regexps))
                .filter(|regexps| *regexps != json!([])),
        ),
    ];
    for (from, to, value) in values {
        if let Some(value) = value {
            tree.put(to, value, &source(cr, &format!("spec.config.{from}")));
        }
    }
    for (index, authorizer) in config.authorizers.iter().enumerate() {
        let source = source(cr, &format!("spec.config.authorizers[{index}]"));
        tree.append(
            "meshConfig.extensionProviders",
            provider(authorizer),
            &source,
        );
    }
}

/// An authorizer as an extension provider.
fn provider(authorizer: &Authorizer) -> Value {
    let headers = &authorizer.headers;
    let wanted = [
        ("service", json!(authorizer.service)),
        ("port", json!(authorizer.port)),
        ("pathPrefix", json!(authorizer.path_prefix)),
        (
            "timeout",
            json!(authorizer.timeout.as_deref().and_then(seconds)),
        ),
        (
            "includeRequestHeadersInCheck",
            json!(headers.in_check.include),
        ),
        (
            "includeAdditionalHeadersInCheck",
            json!(headers.in_check.add),
        ),
        (
            "headersToUpstreamOnAllow",
            json!(headers.to_upstream.on_allow),
        ),
        (
            "headersToDownstreamOnAllow",
            json!(headers.to_downstream.on_allow),
        ),
        (
            "headersToDownstreamOnDeny",
            json!(headers.to_downstream.on_deny),
        ),
    ];
    let given = wanted
        .into_iter()
        .filter(|(_, value)| ![json!(null), json!([]), json!({})].contains(value));
    let http: serde_json::Map<String, Value> = given
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    json!({"name": authorizer.name, "envoyExtAuthzHttp": http})
}

/// A Go duration as protobuf's JSON wants it: seconds with up to nine decimals. The module cuts what is below a second.
fn seconds(text: &str) -> Option<String> {
    let nanoseconds = duration(text).ok()?;
    let (whole, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    match rest {
        0 => Some(format!("{whole}s")),
        rest => Some(
            format!("{whole}.{rest:09}")
                .trim_end_matches('0')
                .to_owned()
                + "s",
        ),
    }
}

fn components(tree: &mut Tree, cr: &IstioCr, components: &Components) {
    if let Some(pilot) = &components.pilot {
        deployment(
            tree,
            cr,
            "pilot",
            "components.pilot",
            "values.pilot",
            &pilot.k8s,
        );
    }
    if let Some(gateway) = &components.ingress_gateway {
        deployment(
            tree,
            cr,
            "ingressGateway",
            INGRESS,
            "values.gateways.istio-ingressgateway",
            &gateway.k8s,
        );
    }
    if let Some(gateway) = &components.egress_gateway {
        deployment(
            tree,
            cr,
            "egressGateway",
            EGRESS,
            "values.gateways.istio-egressgateway",
            &gateway.k8s,
        );
        if let Some(enabled) = gateway.enabled {
            let source = source(cr, "spec.components.egressGateway.enabled");
            tree.put(&format!("{EGRESS}.enabled"), json!(enabled), &source);
        }
    }
    // The profile's resources stay below the CR's: the module drops them (its defect B1).
    if let Some(cni) = &components.cni {
        lay_at(
            tree,
            cr,
            "spec.components.cni.k8s.resources",
            "components.cni.k8s.resources",
            json!(cni.k8s.resources),
        );
        affinity(tree, cr, &cni.k8s.affinity);
    }
    if let Some(proxy) = &components.proxy {
        lay_at(
            tree,
            cr,
            "spec.components.proxy.k8s.resources",
            "values.global.proxy.resources",
            json!(proxy.k8s.resources),
        );
    }
}

fn deployment(tree: &mut Tree, cr: &IstioCr, from: &str, to: &str, values: &str, k8s: &Kubernetes) {
    let from = format!("spec.components.{from}.k8s");
    let mut k8s_value = json!(k8s);
    let update = &k8s.strategy.rolling_update;
    for (name, count) in [
        ("maxSurge", &update.max_surge),
        ("maxUnavailable", &update.max_unavailable),
    ] {
        if let Some(count) = count {
            k8s_value["strategy"]["rollingUpdate"][name] = plain(count);
        }
    }
    lay_at(tree, cr, &from, &format!("{to}.k8s"), k8s_value);
    // The chart makes disruption budgets by these, and not every istioctl takes them over from hpaSpec.
    for (name, value, count) in [
        ("minReplicas", "autoscaleMin", k8s.hpa_spec.min_replicas),
        ("maxReplicas", "autoscaleMax", k8s.hpa_spec.max_replicas),
    ] {
        if let Some(count) = count {
            tree.put(
                &format!("{values}.{value}"),
                json!(count),
                &source(cr, &format!("{from}.hpaSpec.{name}")),
            );
        }
    }
}

/// A count as a number: Kubernetes takes a text for a percentage only.
fn plain(count: &IntOrString) -> Value {
    match count {
        IntOrString::String(text) => text
            .parse::<i32>()
            .map_or_else(|_| json!(text), |number| json!(number)),
        IntOrString::Int(number) => json!(number),
    }
}

/// Each of the three parts replaces the profile's.
fn affinity(tree: &mut Tree, cr: &IstioCr, affinity: &Affinity) {
    if let Value::Object(parts) = json!(affinity) {
        for (name, part) in parts {
            let to = format!("components.cni.k8s.affinity.{name}");
            tree.remove(&to);
            lay_at(
                tree,
                cr,
                &format!("spec.components.cni.k8s.affinity.{name}"),
                &to,
                part,
            );
        }
    }
}

/// Lays an object of the CR at a path; each leaf gets the line of its own.
fn lay_at(tree: &mut Tree, cr: &IstioCr, from: &str, to: &str, value: Value) {
    let above = Path::parse(to).map_or(0, |path| path.steps().len());
    tree.lay(&nest(to, value), &|path| {
        let mut below = from.to_owned();
        for step in path.steps().iter().skip(above) {
            match step {
                Step::Key(name) => below.extend([".", name]),
                Step::Index(number) => below.push_str(&format!("[{number}]")),
                Step::Item(..) => {}
            }
        }
        source(cr, &below)
    });
}
