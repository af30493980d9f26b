//! Each criterion in both states and both forms: one thing of a healthy mesh is changed, one criterion must say so.

mod build;

use build::{
    base64, config_map, deployment, healthy, healthy_legacy, in_version, mesh_policy, mutating,
    namespace, object, peer_authentication, pod, proven, typed, version,
};
use mesh::criteria::{Criterion, Form, Required, judge};
use mesh::observed::{Forbidden, Observed, ProbeResult, Probes};
use serde_json::json;

const NAMES: [(&str, &str); 5] = [
    ("KI-V001", "version"),
    ("KI-V002", "mtls-strict"),
    ("KI-V003", "policy-enforcement"),
    ("KI-V004", "sidecar-injection"),
    ("KI-V005", "crds"),
];

#[test]
fn a_healthy_mesh_meets_all_five_with_evidence() {
    for (observed, required, form) in [
        (healthy(), "1.30.2", Form::Modern),
        (healthy_legacy(), "1.4.7", Form::Legacy),
    ] {
        let judged = judged(&observed, &proven(), required);
        let names: Vec<(String, &str)> = judged
            .iter()
            .map(|c| (c.code.to_string(), c.name))
            .collect();
        assert_eq!(names, NAMES.map(|(code, name)| (code.to_owned(), name)));
        for criterion in judged {
            assert!(
                criterion.met && criterion.fix.is_none() && !criterion.evidence.is_empty(),
                "{criterion:?}"
            );
            assert_eq!(criterion.form, form);
        }
    }
}

#[test]
fn one_change_fails_one_criterion_and_names_the_cause() {
    type Change = fn(&mut Observed);
    let cases: [(&str, &str, Change); 26] = [
        (
            "KI-V001",
            "Deployment istio-system/istiod: 1.29.3 in its template, expected 1.30.2",
            |o| {
                o.deployments[0] = typed(deployment(
                    "istio-system",
                    "istiod",
                    "discovery",
                    "a/pilot:1.29.3",
                    &[],
                ));
            },
        ),
        (
            "KI-V001",
            "istio-ingressgateway: 1.29.3, distroless in its template, expected 1.30.2",
            |o| {
                o.deployments[1] = typed(deployment(
                    "istio-system",
                    "istio-ingressgateway",
                    "istio-proxy",
                    "a/proxyv2:1.29.3-distroless",
                    &["router"],
                ));
            },
        ),
        (
            "KI-V001",
            "image `a/pilot@sha256:11` in its template has no version in its tag",
            |o| {
                o.deployments[0] = typed(deployment(
                    "istio-system",
                    "istiod",
                    "discovery",
                    "a/pilot@sha256:11",
                    &[],
                ));
            },
        ),
        (
            "KI-V001",
            "istiod-canary (revision canary): 1.31.0-rc.0",
            |o| {
                let mut canary = deployment(
                    "istio-system",
                    "istiod-canary",
                    "discovery",
                    "a/pilot:1.31.0-rc.0",
                    &[],
                );
                canary["metadata"]["labels"]["istio.io/rev"] = json!("canary");
                o.deployments.push(typed(canary));
            },
        ),
        (
            "KI-V001",
            "Deployment edge/gw: 1.28.0 in 1 pod, expected 1.30.2",
            |o| {
                let mut gateway = pod("edge", "gw", Some("1.28.0"));
                gateway["spec"]["containers"][1]["args"] = json!(["proxy", "router"]);
                o.pods.push(typed(gateway));
            },
        ),
        (
            "KI-V001",
            "its template says `auto` and it has no pods",
            |o| {
                let mut gateway = deployment("edge", "gw", "istio-proxy", "auto", &[]);
                gateway["spec"]["template"]["metadata"]["annotations"] =
                    json!({ "inject.istio.io/templates": "gateway" });
                o.deployments.push(typed(gateway));
            },
        ),
        (
            "KI-V001",
            "its template says 1.30.2, but no pod runs it",
            |o| o.pods.truncate(1),
        ),
        ("KI-V001", "no istiod found", |o| o.deployments.clear()),
        (
            "KI-V001",
            "can't be proved: `list deployments.apps` is forbidden",
            |o| forbid(o, "deployments.apps"),
        ),
        ("KI-V002", "no PeerAuthentication without a selector", |o| {
            o.peer_authentications.clear()
        }),
        (
            "KI-V002",
            "no PeerAuthentication without a selector in the root namespace `mesh-root`",
            |o| {
                let mesh = "rootNamespace: mesh-root";
                o.config_maps = vec![typed(config_map("istio", "mesh", mesh))];
            },
        ),
        (
            "KI-V002",
            "can't be proved: `list configmaps` is forbidden",
            |o| forbid(o, "configmaps"),
        ),
        (
            "KI-V004",
            "namespace plain asks for revision `ghost`, which no injector has",
            |o| {
                o.namespaces[2] = typed(namespace("plain", json!({ "istio.io/rev": "ghost" })));
            },
        ),
        ("KI-V002", "PERMISSIVE, expected STRICT", |o| {
            o.peer_authentications = vec![peer_authentication(
                "istio-system",
                "default",
                json!({ "mtls": { "mode": "PERMISSIVE" } }),
            )];
        }),
        ("KI-V002", "UNSET, expected STRICT", |o| {
            o.peer_authentications =
                vec![peer_authentication("istio-system", "default", json!({}))];
        }),
        ("KI-V002", "no PeerAuthentication without a selector", |o| {
            let spec = json!({ "selector": { "matchLabels": { "app": "x" } }, "mtls": { "mode": "STRICT" } });
            o.peer_authentications = vec![peer_authentication("istio-system", "default", spec)];
        }),
        (
            "KI-V002",
            "`list peerauthentications.security.istio.io` is forbidden",
            |o| forbid(o, "peerauthentications.security.istio.io"),
        ),
        (
            "KI-V003",
            "`list wasmplugins.extensions.istio.io` is forbidden",
            |o| forbid(o, "wasmplugins.extensions.istio.io"),
        ),
        ("KI-V004", "no injector", |o| o.mutating_webhooks.clear()),
        (
            "KI-V004",
            "webhook namespace.sidecar-injector.istio.io: its CA bundle is empty",
            |o| {
                o.mutating_webhooks = vec![typed(mutating(
                    "i",
                    &["namespace.sidecar-injector.istio.io"],
                    "",
                ))];
            },
        ),
        ("KI-V004", "its CA bundle holds no certificate", |o| {
            o.mutating_webhooks = vec![typed(mutating(
                "i",
                &["namespace.sidecar-injector.istio.io"],
                "ca",
            ))];
        }),
        ("KI-V004", "its CA bundle holds a broken certificate", |o| {
            let short: Vec<&str> = build::CA
                .lines()
                .enumerate()
                .filter(|(line, _)| *line != 2)
                .map(|(_, text)| text)
                .collect();
            let cut = short.join("\n");
            o.mutating_webhooks = vec![typed(mutating(
                "i",
                &["namespace.sidecar-injector.istio.io"],
                &cut,
            ))];
        }),
        ("KI-V004", "deactivated", |o| {
            let mut off = mutating("i", &["namespace.sidecar-injector.istio.io"], build::CA);
            off["webhooks"][0]["namespaceSelector"] =
                json!({ "matchLabels": { "istio.io/deactivated": "never-match" } });
            o.mutating_webhooks = vec![typed(off)];
        }),
        ("KI-V004", "`list mutatingwebhookconfigurations", |o| {
            forbid(
                o,
                "mutatingwebhookconfigurations.admissionregistration.k8s.io",
            );
        }),
        (
            "KI-V005",
            "peerauthentications.security.istio.io: missing",
            |o| drop(o.crds.remove(0)),
        ),
        (
            "KI-V005",
            "peerauthentications.security.istio.io: not Established",
            |o| o.crds[0].status = None,
        ),
    ];
    for (code, evidence, change) in cases {
        let mut observed = healthy();
        change(&mut observed);
        expect(&judged(&observed, &proven(), "1.30.2"), &[code], evidence);
    }
}

/// The neighbours of what is installed are judged like any other version, and it is said that they are not supported.
#[test]
fn a_version_that_is_not_supported_is_judged_and_called_so() {
    let of = |running: &str, required: &str| {
        let mut observed = healthy();
        in_version(&mut observed, running);
        judged(&observed, &proven(), required).remove(0)
    };
    for version in ["1.29.3", "1.32.0"] {
        let met = of(version, version);
        assert!(met.met && met.fix.is_none(), "{met:?}");
        let said = format!(
            "Istio {version} was asked for: not supported by this release of the plugin, which installs 1.30 and 1.31"
        );
        assert!(met.evidence.contains(&said), "{met:?}");
        // `upgrade` would refuse this version, so it is no fix.
        let unmet = of("1.30.2", version);
        assert!(
            !unmet.met && !unmet.fix.as_ref().unwrap().contains("upgrade"),
            "{unmet:?}"
        );
    }
    for version in ["1.30.4", "1.31.1"] {
        let met = of(version, version);
        let is_silent = |line: &String| !line.contains("supported");
        assert!(met.met && met.evidence.iter().all(is_silent), "{met:?}");
        let fix = of("1.29.3", version).fix;
        let upgrade = format!("kubectl kyma-istio upgrade --istio-version {version}");
        assert_eq!(fix.as_deref(), Some(upgrade.as_str()));
    }
}

#[test]
fn a_missing_policy_crd_fails_enforcement_too() {
    let mut observed = healthy();
    observed.crds.remove(2);
    let judged = judged(&observed, &proven(), "1.30.2");
    expect(
        &judged,
        &["KI-V003", "KI-V005"],
        "authorizationpolicies.security.istio.io: missing",
    );
}

#[test]
fn the_legacy_form_fails_for_legacy_reasons() {
    type Change = fn(&mut Observed);
    let cases: [(&str, &str, Change); 10] = [
        ("KI-V001", "istio-pilot: 1.4.6", |o| {
            o.deployments[0] = typed(deployment(
                "istio-system",
                "istio-pilot",
                "discovery",
                "a/pilot:1.4.6",
                &[],
            ));
        }),
        ("KI-V002", "no MeshPolicy `default`", |o| {
            o.mesh_policies.clear()
        }),
        ("KI-V002", "MeshPolicy default: PERMISSIVE", |o| {
            o.mesh_policies = vec![mesh_policy(
                json!({ "peers": [{ "mtls": { "mode": "PERMISSIVE" } }] }),
            )];
        }),
        ("KI-V002", "MeshPolicy default: DISABLE", |o| {
            o.mesh_policies = vec![mesh_policy(json!({}))]
        }),
        (
            "KI-V003",
            "`disablePolicyChecks: true`, expected false",
            |o| {
                o.config_maps[0] = typed(config_map("istio", "mesh", "disablePolicyChecks: true"));
            },
        ),
        ("KI-V003", "says nothing about `disablePolicyChecks`", |o| {
            o.config_maps[0] = typed(config_map("istio", "mesh", "enableTracing: true"));
        }),
        ("KI-V003", "no ConfigMap `istio-system/istio`", |o| {
            drop(o.config_maps.remove(0))
        }),
        ("KI-V004", "`policy: disabled`, expected enabled", |o| {
            o.config_maps[1] = typed(config_map(
                "istio-sidecar-injector",
                "config",
                "policy: disabled",
            ));
        }),
        ("KI-V004", "no injector", |o| o.mutating_webhooks.clear()),
        (
            "KI-V005",
            "policies.authentication.istio.io: missing",
            |o| o.crds.clear(),
        ),
    ];
    for (code, evidence, change) in cases {
        let mut observed = healthy_legacy();
        change(&mut observed);
        let judged = judged(&observed, &Probes::unproved("not asked"), "1.4.7");
        assert!(
            judged
                .iter()
                .all(|criterion| criterion.form == Form::Legacy)
        );
        expect(&judged, &[code], evidence);
    }
}

#[test]
fn without_a_version_the_crds_choose_the_form() {
    let only = |name: &str| Observed {
        crds: vec![typed(build::crd(name, &["v1"]))],
        ..Observed::default()
    };
    assert_eq!(
        only("policies.authentication.istio.io").form(),
        Form::Legacy
    );
    assert_eq!(
        only("peerauthentications.security.istio.io").form(),
        Form::Modern
    );
    assert_eq!(Observed::default().form(), Form::Modern);
}

#[test]
fn probes_decide_what_only_a_dry_run_can_prove() {
    let no = ProbeResult::No {
        evidence: "the cluster took it".to_owned(),
    };
    let unproved = ProbeResult::Unproved {
        why: "the webhook did not answer".to_owned(),
    };
    for (answer, evidence) in [
        (no, "the cluster took it"),
        (unproved, "can't be proved: the webhook did not answer"),
    ] {
        let probes = Probes {
            invalid_policy_refused: answer.clone(),
            ..proven()
        };
        expect(
            &judged(&healthy(), &probes, "1.30.2"),
            &["KI-V003"],
            evidence,
        );
        let probes = Probes {
            pod_injected: answer.clone(),
            ..proven()
        };
        expect(
            &judged(&healthy(), &probes, "1.30.2"),
            &["KI-V004"],
            evidence,
        );
        // The filter is asked about only where a WasmPlugin of ours is.
        let probes = Probes {
            filter_enforced: answer,
            ..proven()
        };
        assert!(
            judged(&healthy(), &probes, "1.30.2")
                .iter()
                .all(|criterion| criterion.met)
        );
        let mut observed = healthy();
        observed.wasm_plugins.push(object(json!({
            "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
            "metadata": { "name": "p", "labels": { "app.kubernetes.io/managed-by": "kubectl-kyma-istio" } },
        })));
        expect(
            &judged(&observed, &probes, "1.30.2"),
            &["KI-V003"],
            evidence,
        );
    }
}

#[test]
fn every_weaker_override_is_listed_and_the_mesh_wide_mode_decides() {
    let mut observed = healthy();
    observed.peer_authentications.extend([
        peer_authentication(
            "shop",
            "default",
            json!({ "mtls": { "mode": "PERMISSIVE" } }),
        ),
        peer_authentication(
            "shop",
            "ports",
            json!({
                "selector": { "matchLabels": { "app": "api" } }, "mtls": { "mode": "STRICT" },
                "portLevelMtls": { "8080": { "mode": "DISABLE" }, "9090": { "mode": "STRICT" } },
            }),
        ),
        peer_authentication("shop", "strict", json!({ "mtls": { "mode": "STRICT" } })),
    ]);
    let judged = judged(&observed, &proven(), "1.30.2");
    assert!(judged[1].met);
    assert_eq!(
        judged[1].evidence,
        [
            "PeerAuthentication istio-system/default: STRICT (the whole mesh)",
            "weaker: PeerAuthentication shop/default: PERMISSIVE (its namespace)",
            "weaker: PeerAuthentication shop/ports, port 8080: DISABLE (workloads app=api)",
        ]
    );
}

#[test]
fn of_two_mesh_wide_policies_the_older_counts() {
    let mut old = peer_authentication(
        "istio-system",
        "z",
        json!({ "mtls": { "mode": "PERMISSIVE" } }),
    )
    .into_value();
    old["metadata"]["creationTimestamp"] = json!("2024-01-01T00:00:00Z");
    let mut new = peer_authentication("istio-system", "a", json!({ "mtls": { "mode": "STRICT" } }))
        .into_value();
    new["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
    let observed = Observed {
        peer_authentications: vec![object(new), object(old)],
        ..healthy()
    };
    expect(
        &judged(&observed, &proven(), "1.30.2"),
        &["KI-V002"],
        "istio-system/z: PERMISSIVE",
    );
}

#[test]
fn the_namespace_default_is_reported() {
    let mut observed = healthy();
    let evidence =
        |observed: &Observed| judged(observed, &proven(), "1.30.2")[3].evidence.join("\n");
    assert!(
        evidence(&observed)
            .contains("namespace default: off\nnamespaces labelled for injection: shop")
    );
    let injectors = [
        "namespace.sidecar-injector.istio.io",
        "auto.sidecar-injector.istio.io",
    ];
    observed.mutating_webhooks = vec![typed(mutating("i", &injectors, build::CA))];
    observed.namespaces = vec![typed(namespace("shop", json!({})))];
    assert!(evidence(&observed).contains("namespace default: on\nno namespace is labelled"));
}

#[test]
fn the_builder_encodes_base64_as_rfc_4648_does() {
    let vectors = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foobar", "Zm9vYmFy"),
    ];
    assert!(
        vectors
            .iter()
            .all(|(text, encoded)| base64(text) == *encoded)
    );
}

fn judged(observed: &Observed, probes: &Probes, required: &str) -> Vec<Criterion> {
    judge(
        observed,
        probes,
        &Required {
            version: version(required),
        },
    )
}

fn forbid(observed: &mut Observed, resource: &str) {
    observed.forbidden.push(Forbidden {
        verb: "list".to_owned(),
        resource: resource.to_owned(),
    });
}

/// Exactly these criteria fail, each with a fix, and the first of them tells this.
fn expect(judged: &[Criterion], codes: &[&str], evidence: &str) {
    let failed: Vec<&Criterion> = judged.iter().filter(|criterion| !criterion.met).collect();
    let failed_codes: Vec<&str> = failed.iter().map(|criterion| criterion.code.id()).collect();
    assert_eq!(failed_codes, codes, "{judged:#?}");
    assert!(failed.iter().all(|criterion| criterion.fix.is_some()));
    assert!(
        failed[0]
            .evidence
            .iter()
            .any(|line| line.contains(evidence)),
        "no `{evidence}` in {:#?}",
        failed[0].evidence
    );
}
