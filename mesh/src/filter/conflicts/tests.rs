use serde_json::json;

use super::*;

fn pod(labels: Value, role: &str) -> Pod {
    serde_json::from_value(
        json!({"metadata": {"namespace": "istio-system", "name": "gw-1", "labels": labels},
        "spec": {"containers": [{"name": "istio-proxy", "image": "p", "args": ["proxy", role]}]}}),
    )
    .unwrap()
}

fn observed() -> Observed {
    Observed {
        pods: vec![pod(json!({"istio": "ingressgateway"}), "router")],
        ..Observed::default()
    }
}

fn policy(forwarded: Value) -> Value {
    json!({"metadata": {"name": "shop"}, "spec": {"position": "Gateway", "forwarded": forwarded}})
}

fn codes(policy: &Value, observed: &Observed, neighbours: Neighbours<'_>) -> Vec<(Code, bool)> {
    let target = Target::read(policy).unwrap();
    let wish = Wish {
        target: &target,
        policy,
        canary_of: None,
    };
    let found = conflicts(&wish, observed, neighbours);
    found
        .into_iter()
        .map(|finding| (finding.code, finding.refuses))
        .collect()
}

fn object(kind: &str, metadata: Value, spec: Value) -> Object {
    Object::new(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}))
        .unwrap()
}

/// Another plugin of ours on the gateway.
fn other(mode: &str, labels: Value) -> Object {
    let mut all = json!({"app.kubernetes.io/managed-by": "kubectl-kyma-istio"});
    all.as_object_mut()
        .unwrap()
        .extend(labels.as_object().unwrap().clone());
    object(
        "WasmPlugin",
        json!({"name": "bank", "namespace": "istio-system", "labels": all, "annotations": {super::super::FINGERPRINT: "f"}}),
        json!({"selector": {"matchLabels": {"istio": "ingressgateway"}}, "pluginConfig": {"spec": {"mode": mode}}}),
    )
}

#[test]
fn nothing_speaks_against_a_plain_policy() {
    assert_eq!(
        codes(
            &policy(json!({"trust": {"hops": 1}})),
            &observed(),
            Neighbours::default()
        ),
        []
    );
}

#[test]
fn no_proxy_is_refused() {
    let found = codes(
        &policy(json!({})),
        &Observed::default(),
        Neighbours::default(),
    );
    assert_eq!(found, [(Code::NoProxySelected, true)]);
}

#[test]
fn a_waypoint_is_refused_by_name() {
    let mut observed = observed();
    observed.pods = vec![pod(json!({"istio": "ingressgateway"}), "waypoint")];
    assert_eq!(
        codes(&policy(json!({})), &observed, Neighbours::default()),
        [(Code::AmbientTarget, true)]
    );
}

#[test]
fn two_enforcing_policies_exclude_each_other_a_shadow_does_not() {
    let mut observed = observed();
    observed.wasm_plugins = vec![other("Enforce", json!({}))];
    assert_eq!(
        codes(&policy(json!({})), &observed, Neighbours::default()),
        [(Code::PoliciesOverlap, true)]
    );
    observed.wasm_plugins = vec![other(
        "Enforce",
        json!({"policy.kyma-istio.dev/canary-of": "shop"}),
    )];
    assert_eq!(
        codes(&policy(json!({})), &observed, Neighbours::default()),
        [(Code::PoliciesOverlap, false)]
    );
    observed.wasm_plugins = vec![other("Shadow", json!({}))];
    assert_eq!(
        codes(&policy(json!({})), &observed, Neighbours::default()),
        []
    );
}

#[test]
fn an_external_authorizer_is_told() {
    let mut observed = observed();
    observed.authorization_policies = vec![object(
        "AuthorizationPolicy",
        json!({"name": "ask", "namespace": "istio-system"}),
        json!({"action": "CUSTOM"}),
    )];
    assert_eq!(
        codes(&policy(json!({})), &observed, Neighbours::default()),
        [(Code::AuthorizerFirst, false)]
    );
}

/// Names as oauth2-proxy's documentation has them in `headersToUpstreamOnAllow`.
#[test]
fn headers_of_an_external_authorizer_that_the_policy_removes_are_named() {
    let mesh = r#"extensionProviders:
- name: other
  envoyExtAuthzHttp: {headersToUpstreamOnAllow: [x-forwarded-host]}
- name: oauth2-proxy
  envoyExtAuthzHttp:
    headersToUpstreamOnAllow: [authorization, X-Forwarded-User, "x-forwarded-access*", "x-auth-request-*", x-shop-id, path]
- name: grpc
  envoyExtAuthzGrpc: {service: a, port: 9000}
"#;
    let map =
        json!({"metadata": {"name": "istio", "namespace": "istio-system"}, "data": {"mesh": mesh}});
    let mut observed = observed();
    observed.config_maps = vec![serde_json::from_value(map).unwrap()];
    let named = |observed: &mut Observed, provider: &str, forwarded: Value| {
        observed.authorization_policies = vec![object(
            "AuthorizationPolicy",
            json!({"name": "ask", "namespace": "istio-system"}),
            json!({"action": "CUSTOM", "provider": {"name": provider}}),
        )];
        let policy = match forwarded {
            Value::Null => json!({"metadata": {"name": "shop"}, "spec": {"position": "Gateway"}}),
            forwarded => policy(forwarded),
        };
        let target = Target::read(&policy).unwrap();
        let wish = Wish {
            target: &target,
            policy: &policy,
            canary_of: None,
        };
        let mut found = conflicts(&wish, observed, Neighbours::default());
        assert_eq!(found.len(), 1, "{found:?}");
        let what = found.remove(0).what;
        what.split_once("removed: ")
            .map(|(_, names)| names.to_owned())
    };
    let both = Some("`x-forwarded-user`, `x-forwarded-access*`".to_owned());
    for companions in [json!(null), json!("FromTrustedPeers"), json!("Strip")] {
        let forwarded = json!({"companions": companions});
        assert_eq!(named(&mut observed, "oauth2-proxy", forwarded), both);
    }
    let kept = json!({"companions": {"keep": ["x-forwarded-user"], "also": ["x-shop-*"]}});
    assert_eq!(
        named(&mut observed, "oauth2-proxy", kept).unwrap(),
        "`x-forwarded-access*`, `x-shop-id`"
    );
    let keep = json!({"companions": "Keep"});
    assert_eq!(named(&mut observed, "oauth2-proxy", keep), None);
    assert_eq!(named(&mut observed, "oauth2-proxy", Value::Null), None);
    assert_eq!(named(&mut observed, "grpc", json!({})), None);
    assert_eq!(named(&mut observed, "unknown", json!({})), None);
}

fn with_hosts() -> Value {
    let rules = json!([{"paths": ["/"], "access": "Open"}, {"hosts": ["admin.example.com"], "access": "Deny"}]);
    json!({"metadata": {"name": "shop"}, "spec": {"target": {"selector": {}}, "jwt": {"rules": rules}}})
}

#[test]
fn a_rule_with_hosts_at_a_sidecar_is_told() {
    let mut observed = observed();
    assert_eq!(codes(&with_hosts(), &observed, Neighbours::default()), []);
    observed.pods = vec![pod(json!({"app": "a"}), "sidecar")];
    assert_eq!(
        codes(&with_hosts(), &observed, Neighbours::default()),
        [(Code::HostChosen, false)]
    );
    let mut outbound = with_hosts();
    outbound["spec"]["position"] = json!("SidecarOutbound");
    let mut without = with_hosts();
    without["spec"]["jwt"]["rules"][1]["hosts"].take();
    without["spec"]["jwt"]["rules"]
        .as_array_mut()
        .unwrap()
        .truncate(1);
    for policy in [outbound, without] {
        assert_eq!(codes(&policy, &observed, Neighbours::default()), []);
    }
}

#[test]
fn a_rule_with_hosts_behind_a_route_for_any_host_is_told() {
    let mut observed = observed();
    observed.pods.push(
        serde_json::from_value(json!({"metadata": {"namespace": "istio-system", "name": "api-1",
            "labels": {"istio": "api", "gateway.networking.k8s.io/gateway-name": "api"}},
            "spec": {"containers": [{"name": "istio-proxy", "image": "p", "args": ["proxy", "router"]}]}}))
        .unwrap(),
    );
    let gateway = |selector: &str| {
        object(
            "Gateway",
            json!({"name": "public", "namespace": "edge"}),
            json!({"selector": {"istio": selector}}),
        )
    };
    let service = |hosts: Value, gateways: Value| {
        object(
            "VirtualService",
            json!({"name": "all", "namespace": "edge"}),
            json!({"hosts": hosts, "gateways": gateways}),
        )
    };
    let route = |spec: Value| {
        object(
            "HTTPRoute",
            json!({"name": "all", "namespace": "istio-system"}),
            spec,
        )
    };
    let ours = || gateway("ingressgateway");
    let rows = [
        (vec![ours(), service(json!(["*"]), json!(["public"]))], true),
        (
            vec![
                ours(),
                service(json!(["a.example", "*"]), json!(["mesh", "edge/public"])),
            ],
            true,
        ),
        (
            vec![ours(), service(json!(["a.example"]), json!(["public"]))],
            false,
        ),
        (vec![ours(), service(json!(["*"]), json!(["mesh"]))], false),
        (
            vec![ours(), service(json!(["*"]), json!(["shop/public"]))],
            false,
        ),
        (
            vec![gateway("egress"), service(json!(["*"]), json!(["public"]))],
            false,
        ),
        (vec![route(json!({"parentRefs": [{"name": "api"}]}))], true),
        (
            vec![route(
                json!({"parentRefs": [{"name": "api"}], "hostnames": ["a.example"]}),
            )],
            false,
        ),
        (
            vec![route(
                json!({"parentRefs": [{"name": "api", "namespace": "shop"}]}),
            )],
            false,
        ),
        (
            vec![route(
                json!({"parentRefs": [{"name": "api", "kind": "Service"}]}),
            )],
            false,
        ),
        (
            vec![route(json!({"parentRefs": [{"name": "other"}]}))],
            false,
        ),
    ];
    for (routes, is_told) in rows {
        let neighbours = Neighbours {
            routes: &routes,
            ..Neighbours::default()
        };
        let expected: &[_] = match is_told {
            true => &[(Code::HostChosen, false)],
            false => &[],
        };
        assert_eq!(
            codes(&with_hosts(), &observed, neighbours),
            expected,
            "{routes:?}"
        );
    }
}

#[test]
fn the_number_of_trusted_proxies_is_compared() {
    let mut observed = observed();
    let mesh = "defaultConfig: {gatewayTopology: {numTrustedProxies: 2}}";
    let map =
        json!({"metadata": {"name": "istio", "namespace": "istio-system"}, "data": {"mesh": mesh}});
    observed.config_maps = vec![serde_json::from_value(map).unwrap()];
    let with = |hops: u64| policy(json!({"trust": {"hops": hops}}));
    assert_eq!(codes(&with(2), &observed, Neighbours::default()), []);
    assert_eq!(
        codes(&with(1), &observed, Neighbours::default()),
        [(Code::HopsDisagree, false)]
    );
}

#[test]
fn hidden_addresses_matter_where_the_peer_is_looked_at() {
    let mut observed = observed();
    let service = json!({"metadata": {"name": "gw", "namespace": "istio-system"},
        "spec": {"type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "selector": {"istio": "ingressgateway"}}});
    observed.services = vec![serde_json::from_value(service).unwrap()];
    let by_range = policy(json!({"trust": {"cidrs": ["10.0.0.0/8"]}}));
    assert_eq!(
        codes(&by_range, &observed, Neighbours::default()),
        [(Code::AddressHidden, false)]
    );
    assert_eq!(
        codes(
            &policy(json!({"trust": {"hops": 1}})),
            &observed,
            Neighbours::default()
        ),
        []
    );
}

#[test]
fn proxy_protocol_takes_a_hop_away() {
    let filter = object(
        "EnvoyFilter",
        json!({"name": "proxy-protocol", "namespace": "istio-system"}),
        json!({"configPatches": [{"patch": {"value": {"name": "envoy.filters.listener.proxy_protocol"}}}]}),
    );
    let neighbours = Neighbours {
        envoy_filters: std::slice::from_ref(&filter),
        ..Neighbours::default()
    };
    assert_eq!(
        codes(
            &policy(json!({"trust": {"hops": 1}})),
            &observed(),
            neighbours
        ),
        [(Code::ProxyProtocol, false)]
    );
}

#[test]
fn kymas_network_policies_close_the_way_to_a_registry() {
    let network = |egress: Value| {
        object(
            "NetworkPolicy",
            json!({"name": "kyma-project.io--istio-ingressgateway", "namespace": "istio-system"}),
            json!({"podSelector": {"matchLabels": {"istio": "ingressgateway"}}, "policyTypes": ["Egress"], "egress": egress}),
        )
    };
    let found = |egress: Value| {
        let policies = [network(egress)];
        let neighbours = Neighbours {
            network_policies: &policies,
            ..Neighbours::default()
        };
        codes(&policy(json!({})), &observed(), neighbours)
    };
    assert_eq!(
        found(json!([{"ports": [{"port": 53}]}])),
        [(Code::RegistryBlocked, false)]
    );
    assert_eq!(found(json!([{}])), []);
}
