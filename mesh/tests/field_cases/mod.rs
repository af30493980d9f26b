//! One case for each field of the `Istio` CR: what it sets in the composed `IstioOperator`, and what of that Istio's charts render.
#![allow(
    dead_code,
    reason = "compiled into two suites, each reads its half of a case"
)]

use serde_json::{Value, json};

/// A field, a CR that sets it, and where it must appear.
pub struct Case {
    /// The leaf path, as `mesh::input::fields()` spells it.
    pub field: String,
    /// `spec` of the CR.
    pub spec: Value,
    /// The leaf of the operator's spec, and its value; empty for fields that make resources of their own.
    pub operator: (String, Value),
    /// Where the real istioctl must show it.
    pub rendered: Rendered,
}

/// A place in rendered manifests.
pub enum Rendered {
    /// A value of an object, by JSON pointer.
    Object(&'static str, &'static str, String, Value),
    /// A value of the mesh configuration in ConfigMap `istio`.
    Mesh(&'static str, Value),
    /// A value of the injector's values.
    Injector(String, Value),
    /// An environment variable of istiod.
    Env(&'static str, &'static str),
    /// Nothing: the field makes resources besides istioctl's.
    Extras,
}

pub fn all() -> Vec<Case> {
    let mut cases = config();
    cases.extend(authorizer());
    cases.extend(deployment("pilot", "components.pilot", "istiod", 3, 7));
    let ingress = "components.ingressGateways[name:istio-ingressgateway]";
    cases.extend(deployment(
        "ingressGateway",
        ingress,
        "istio-ingressgateway",
        4,
        12,
    ));
    let egress = "components.egressGateways[name:istio-egressgateway]";
    cases.extend(deployment(
        "egressGateway",
        egress,
        "istio-egressgateway",
        4,
        12,
    ));
    cases.push(Case {
        field: "spec.components.egressGateway.enabled".to_owned(),
        spec: json!({"components": {"egressGateway": {"enabled": true}}}),
        operator: (format!("{egress}.enabled"), json!(true)),
        rendered: Rendered::Object(
            "Service",
            "istio-egressgateway",
            "/spec/type".to_owned(),
            json!("ClusterIP"),
        ),
    });
    cases.extend(affinity());
    for (cr, operator, manifest) in [
        (
            "cni",
            "components.cni.k8s.resources",
            Some("istio-cni-node"),
        ),
        ("proxy", "values.global.proxy.resources", None),
    ] {
        for (kind, name, quantity) in QUANTITIES {
            cases.push(Case {
                field: format!("spec.components.{cr}.k8s.resources.{kind}.{name}"),
                spec: json!({"components": {cr: {"k8s": {"resources": {kind: {name: quantity}}}}}}),
                operator: (format!("{operator}.{kind}.{name}"), json!(quantity)),
                rendered: match manifest {
                    Some(object) => container("DaemonSet", object, kind, name, quantity),
                    None => Rendered::Injector(
                        format!("/global/proxy/resources/{kind}/{name}"),
                        json!(quantity),
                    ),
                },
            });
        }
    }
    cases.push(Case {
        field: "spec.compatibilityMode".to_owned(),
        spec: json!({"compatibilityMode": true}),
        operator: (
            "components.pilot.k8s.env[name:PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE].value"
                .to_owned(),
            json!("false"),
        ),
        rendered: Rendered::Env("PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE", "false"),
    });
    cases.push(Case {
        field: "spec.networkPoliciesEnabled".to_owned(),
        spec: json!({"networkPoliciesEnabled": true}),
        operator: (String::new(), Value::Null),
        rendered: Rendered::Extras,
    });
    cases
}

const QUANTITIES: [(&str, &str, &str); 4] = [
    ("requests", "cpu", "11m"),
    ("requests", "memory", "222Mi"),
    ("limits", "cpu", "3333m"),
    ("limits", "memory", "3333Mi"),
];

fn container(
    kind: &'static str,
    object: &'static str,
    what: &str,
    name: &str,
    quantity: &str,
) -> Rendered {
    let pointer = format!("/spec/template/spec/containers/0/resources/{what}/{name}");
    Rendered::Object(kind, object, pointer, json!(quantity))
}

fn config() -> Vec<Case> {
    let case = |field: &str, value: Value, operator: &str, appears: Value, rendered| {
        // From the last name outwards: `a.b` becomes {"a": {"b": value}}.
        let spec = field
            .rsplit('.')
            .fold(value, |value, name| json!({ name: value }));
        Case {
            field: format!("spec.{field}"),
            spec,
            operator: (operator.to_owned(), appears),
            rendered,
        }
    };
    let mesh =
        |field: &str, value: Value, path: &'static str, pointer: &'static str, appears: Value| {
            case(
                field,
                value,
                path,
                appears.clone(),
                Rendered::Mesh(pointer, appears),
            )
        };
    vec![
        mesh(
            "config.numTrustedProxies",
            json!(2),
            "meshConfig.defaultConfig.gatewayTopology.numTrustedProxies",
            "/defaultConfig/gatewayTopology/numTrustedProxies",
            json!(2),
        ),
        mesh(
            "config.forwardClientCertDetails",
            json!("APPEND_FORWARD"),
            "meshConfig.defaultConfig.gatewayTopology.forwardClientCertDetails",
            "/defaultConfig/gatewayTopology/forwardClientCertDetails",
            json!("APPEND_FORWARD"),
        ),
        mesh(
            "config.telemetry.metrics.prometheusMerge",
            json!(true),
            "meshConfig.enablePrometheusMerge",
            "/enablePrometheusMerge",
            json!(true),
        ),
        mesh(
            "config.trustDomain",
            json!("td.example"),
            "meshConfig.trustDomain",
            "/trustDomain",
            json!("td.example"),
        ),
        mesh(
            "config.enableDNSProxying",
            json!(true),
            "meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE",
            "/defaultConfig/proxyMetadata/ISTIO_META_DNS_CAPTURE",
            json!("true"),
        ),
        mesh(
            "config.proxyStatsMatcher.inclusionRegexps",
            json!(["http.*", "(?i)tcp"]),
            "meshConfig.defaultConfig.proxyStatsMatcher.inclusionRegexps",
            "/defaultConfig/proxyStatsMatcher/inclusionRegexps",
            json!(["http.*", "(?i)tcp"]),
        ),
        case(
            "config.gatewayExternalTrafficPolicy",
            json!("Local"),
            "components.ingressGateways[name:istio-ingressgateway].k8s.service.externalTrafficPolicy",
            json!("Local"),
            Rendered::Object(
                "Service",
                "istio-ingressgateway",
                "/spec/externalTrafficPolicy".to_owned(),
                json!("Local"),
            ),
        ),
    ]
}

/// One authorizer has all the fields; each is looked for on its own.
fn authorizer() -> Vec<Case> {
    let authorizer = json!({
        "name": "ext", "service": "auth/ext.auth.svc.cluster.local", "port": 8123, "pathPrefix": "/check?path=", "timeout": "1500ms",
        "headers": {
            "inCheck": {"include": ["x-in", "a*"], "add": {"x-add": "yes"}},
            "toUpstream": {"onAllow": ["x-up"]},
            "toDownstream": {"onAllow": ["x-down"], "onDeny": ["x-deny"]},
        },
    });
    let fields: [(&str, &str, &'static str, Value); 9] = [
        (
            "service",
            "service",
            "/service",
            json!("auth/ext.auth.svc.cluster.local"),
        ),
        ("port", "port", "/port", json!(8123)),
        (
            "pathPrefix",
            "pathPrefix",
            "/pathPrefix",
            json!("/check?path="),
        ),
        ("timeout", "timeout", "/timeout", json!("1.5s")),
        (
            "headers.inCheck.include",
            "includeRequestHeadersInCheck",
            "/includeRequestHeadersInCheck",
            json!(["x-in", "a*"]),
        ),
        (
            "headers.inCheck.add",
            "includeAdditionalHeadersInCheck.x-add",
            "/includeAdditionalHeadersInCheck/x-add",
            json!("yes"),
        ),
        (
            "headers.toUpstream.onAllow",
            "headersToUpstreamOnAllow",
            "/headersToUpstreamOnAllow",
            json!(["x-up"]),
        ),
        (
            "headers.toDownstream.onAllow",
            "headersToDownstreamOnAllow",
            "/headersToDownstreamOnAllow",
            json!(["x-down"]),
        ),
        (
            "headers.toDownstream.onDeny",
            "headersToDownstreamOnDeny",
            "/headersToDownstreamOnDeny",
            json!(["x-deny"]),
        ),
    ];
    let spec = json!({"config": {"authorizers": [authorizer]}});
    // Behind the four providers that every mesh has.
    let rendered =
        |pointer: String, value| Rendered::Mesh(Box::leak(pointer.into_boxed_str()), value);
    let mut cases = vec![Case {
        field: "spec.config.authorizers[].name".to_owned(),
        spec: spec.clone(),
        operator: (
            "meshConfig.extensionProviders[name:ext].name".to_owned(),
            json!("ext"),
        ),
        rendered: rendered("/extensionProviders/4/name".to_owned(), json!("ext")),
    }];
    for (field, operator, pointer, value) in fields {
        cases.push(Case {
            field: format!("spec.config.authorizers[].{field}"),
            spec: spec.clone(),
            operator: (
                format!("meshConfig.extensionProviders[name:ext].envoyExtAuthzHttp.{operator}"),
                value.clone(),
            ),
            rendered: rendered(
                format!("/extensionProviders/4/envoyExtAuthzHttp{pointer}"),
                value,
            ),
        });
    }
    cases
}

fn deployment(cr: &str, operator: &str, object: &'static str, least: i32, most: i32) -> Vec<Case> {
    // The egress gateway is rendered only when it is on.
    let spec = |k8s: Value| match cr {
        "egressGateway" => json!({"components": {cr: {"enabled": true, "k8s": k8s}}}),
        _ => json!({"components": {cr: {"k8s": k8s}}}),
    };
    let mut cases = Vec::new();
    for (kind, name, quantity) in QUANTITIES {
        cases.push(Case {
            field: format!("spec.components.{cr}.k8s.resources.{kind}.{name}"),
            spec: spec(json!({"resources": {kind: {name: quantity}}})),
            operator: (
                format!("{operator}.k8s.resources.{kind}.{name}"),
                json!(quantity),
            ),
            rendered: container("Deployment", object, kind, name, quantity),
        });
    }
    for (name, count) in [("minReplicas", least), ("maxReplicas", most)] {
        cases.push(Case {
            field: format!("spec.components.{cr}.k8s.hpaSpec.{name}"),
            spec: spec(json!({"hpaSpec": {name: count}})),
            operator: (format!("{operator}.k8s.hpaSpec.{name}"), json!(count)),
            rendered: Rendered::Object(
                "HorizontalPodAutoscaler",
                object,
                format!("/spec/{name}"),
                json!(count),
            ),
        });
    }
    // A count written as a text is a count: Kubernetes takes texts for percentages only.
    for (name, written, count) in [
        ("maxSurge", json!("37%"), json!("37%")),
        ("maxUnavailable", json!("2"), json!(2)),
    ] {
        cases.push(Case {
            field: format!("spec.components.{cr}.k8s.strategy.rollingUpdate.{name}"),
            spec: spec(json!({"strategy": {"rollingUpdate": {name: written}}})),
            operator: (
                format!("{operator}.k8s.strategy.rollingUpdate.{name}"),
                count.clone(),
            ),
            rendered: Rendered::Object(
                "Deployment",
                object,
                format!("/spec/strategy/rollingUpdate/{name}"),
                count,
            ),
        });
    }
    cases
}

fn affinity() -> Vec<Case> {
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    let node = json!([{"weight": 7, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}}]);
    let pod = json!([{"weight": 8, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}}]);
    let mut cases = Vec::new();
    for (name, terms) in [
        ("nodeAffinity", node),
        ("podAffinity", pod.clone()),
        ("podAntiAffinity", pod),
    ] {
        cases.push(Case {
            field: format!("spec.components.cni.k8s.affinity.{name}"),
            spec: json!({"components": {"cni": {"k8s": {"affinity": {name: {preferred: terms}}}}}}),
            operator: (
                format!("components.cni.k8s.affinity.{name}.{preferred}"),
                terms.clone(),
            ),
            rendered: Rendered::Object(
                "DaemonSet",
                "istio-cni-node",
                format!("/spec/template/spec/affinity/{name}/{preferred}"),
                terms,
            ),
        });
    }
    cases
}
