//! Checks and status: one thing of a healthy mesh is changed, one finding must say so.

mod build;

use std::collections::BTreeSet;

use build::{
    crd, deployment, destination_rule, healthy, in_version, mutating, namespace, object,
    peer_authentication, pod, service, typed, version,
};
use mesh::checks::{Category, Expected, Finding, Level, RIGHTS, Right, causes, check};
use mesh::codes::Guide;
use mesh::observed::{Forbidden, Observed, ServerVersion};
use mesh::status::{Management, summary};
use serde_json::{Value, json};

#[test]
fn a_healthy_mesh_has_no_finding_but_good_ones() {
    for finding in found(&healthy()) {
        assert_eq!(finding.level, Level::Ok, "{finding:?}");
    }
}

#[test]
fn one_change_makes_one_finding() {
    type Change = fn(&mut Observed);
    let cases: [(&str, Level, &str, Change); 31] = [
        (
            "KI-P001",
            Level::Error,
            "Kubernetes 1.31, expected 1.32 at least",
            |o| {
                o.server = Some(ServerVersion {
                    major: 1,
                    minor: 31,
                })
            },
        ),
        ("KI-P001", Level::Warning, "doesn't tell its version", |o| {
            o.server = None
        }),
        (
            "KI-P003",
            Level::Error,
            "was installed by Istio 1.31.0, expected 1.30.2 at most",
            |o| {
                let mut newer = crd("wasmplugins.extensions.istio.io", &["v1alpha1"]);
                newer["metadata"]["labels"] = json!({ "operator.istio.io/version": "1.31.0" });
                o.crds.push(typed(newer));
            },
        ),
        (
            "KI-P004",
            Level::Warning,
            "neither this plugin nor Kyma's module",
            |o| o.deployments[0].metadata.labels = None,
        ),
        (
            "KI-P007",
            Level::Warning,
            "`list leases.coordination.k8s.io` is forbidden",
            |o| {
                o.forbidden.push(Forbidden {
                    verb: "list".to_owned(),
                    resource: "leases.coordination.k8s.io".to_owned(),
                });
            },
        ),
        ("KI-P009", Level::Warning, "the mesh is ambient", |o| {
            o.namespaces.push(typed(namespace(
                "a",
                json!({ "istio.io/dataplane-mode": "ambient" }),
            )))
        }),
        (
            "KI-I001",
            Level::Error,
            "0 of 1 pods ready: container discovery is in ImagePullBackOff (no such image)",
            |o| {
                o.deployments[0].status = None;
                let mut broken = pod("istio-system", "istiod", None);
                broken["status"] = json!({ "phase": "Running", "containerStatuses": [{
                "name": "discovery", "ready": false, "image": "", "imageID": "", "restartCount": 0,
                "state": { "waiting": { "reason": "ImagePullBackOff", "message": "no such image\nmore" } },
            }] });
                o.pods.push(typed(broken));
            },
        ),
        ("KI-I002", Level::Error, "no webhook for validation", |o| {
            o.validating_webhooks.clear()
        }),
        ("KI-I002", Level::Error, "its CA bundle is empty", |o| {
            o.mutating_webhooks = vec![typed(mutating(
                "i",
                &["namespace.sidecar-injector.istio.io"],
                "",
            ))];
        }),
        (
            "KI-I003",
            Level::Error,
            "istio-ingressgateway: 0 of 1 pods ready",
            |o| o.deployments[1].status = None,
        ),
        (
            "KI-I004",
            Level::Warning,
            "several versions: 1.30.1 (Deployment istio-system/istio-ingressgateway); 1.30.2 (",
            |o| {
                o.deployments[1] = ours(deployment(
                    "istio-system",
                    "istio-ingressgateway",
                    "istio-proxy",
                    "a/proxyv2:1.30.1",
                    &["router"],
                ));
            },
        ),
        (
            "KI-I008",
            Level::Warning,
            "Istio 1.29.3 runs: not supported by this release of the plugin, which installs 1.30 and 1.31",
            |o| in_version(o, "1.29.3"),
        ),
        (
            "KI-I008",
            Level::Warning,
            "Istio 1.32.0 runs: not supported by this release of the plugin, which installs 1.30 and 1.31",
            |o| in_version(o, "1.32.0"),
        ),
        (
            "KI-I005",
            Level::Warning,
            "Service istio-system/gw has no address yet",
            |o| {
                let mut gateway = pod("istio-system", "istio-ingressgateway", Some("1.30.2"));
                gateway["spec"]["containers"][1]["args"] = json!(["router"]);
                o.pods.push(typed(gateway));
                let mut balanced = service("istio-system", "gw", "istio-ingressgateway");
                balanced["spec"]["type"] = json!("LoadBalancer");
                o.services.push(typed(balanced));
            },
        ),
        (
            "KI-I006",
            Level::Error,
            "Istio kyma-system/default: Error, bad field (ValidationFailed)",
            |o| {
                o.istio_crs.push(istio("kyma-system", "default", json!({
                "state": "Error", "description": "bad field", "conditions": [{ "type": "Ready", "status": "False", "reason": "ValidationFailed" }],
            })));
            },
        ),
        (
            "KI-I006",
            Level::Warning,
            "Istio other/default doesn't count",
            |o| o.istio_crs.push(istio("other", "default", json!({}))),
        ),
        (
            "KI-I007",
            Level::Error,
            "DaemonSet istio-system/istio-cni-node: 1 of 3 pods ready",
            |o| o.daemon_sets.push(typed(cni(3, 1))),
        ),
        (
            "KI-X001",
            Level::Warning,
            "1 pod has a sidecar 1.29.3, the control plane is 1.30.2: Deployment shop/web",
            |o| {
                o.pods.push(typed(pod("shop", "web", Some("1.29.3"))));
            },
        ),
        ("KI-X001", Level::Error, "1 pod has a sidecar 1.28.0", |o| {
            o.pods.push(typed(pod("shop", "web", Some("1.28.0"))))
        }),
        (
            "KI-X001",
            Level::Warning,
            "whose image tag tells no version",
            |o| o.pods.push(typed(pod("shop", "web", Some("mine")))),
        ),
        (
            "KI-X003",
            Level::Warning,
            "Pod shop/web-5d4f8c-x1 is Pending: 0/3 nodes are available",
            |o| {
                let mut pending = pod("shop", "web", Some("1.30.2"));
                pending["status"] = json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "message": "0/3 nodes are available" }] });
                o.pods.push(typed(pending));
            },
        ),
        (
            "KI-X003",
            Level::Warning,
            "Pod shop/web-5d4f8c-x1 is Failed",
            |o| {
                let mut failed = pod("shop", "web", Some("1.30.2"));
                failed["status"]["phase"] = json!("Failed");
                o.pods.push(typed(failed));
            },
        ),
        (
            "KI-X003",
            Level::Warning,
            "Pod shop/web-5d4f8c-x1 is Unknown",
            |o| {
                let mut unknown = pod("shop", "web", Some("1.30.2"));
                unknown["status"]["phase"] = json!("Unknown");
                o.pods.push(typed(unknown));
            },
        ),
        ("KI-X005", Level::Warning, "its proxy is not ready", |o| {
            let mut unready = pod("shop", "web", Some("1.30.2"));
            unready["status"]["containerStatuses"] = json!([{ "name": "istio-proxy", "ready": false, "image": "", "imageID": "", "restartCount": 0 }]);
            o.pods.push(typed(unready));
        }),
        (
            "KI-S002",
            Level::Warning,
            "PeerAuthentication shop/p: DISABLE (its namespace)",
            |o| {
                o.peer_authentications.push(peer_authentication(
                    "shop",
                    "p",
                    json!({ "mtls": { "mode": "DISABLE" } }),
                ));
            },
        ),
        (
            "KI-T001",
            Level::Warning,
            "Service shop/nobody: none of its 0 pods is ready",
            |o| o.services.push(typed(service("shop", "nobody", "nobody"))),
        ),
        (
            "KI-T002",
            Level::Error,
            "Service shop/api, port 80: target port `grpc` exists in none of its pods",
            |o| {
                let mut wrong = service("shop", "api", "api");
                wrong["spec"]["ports"][0]["targetPort"] = json!("grpc");
                o.services = vec![typed(wrong)];
            },
        ),
        (
            "KI-T003",
            Level::Warning,
            "towards pods without a sidecar: plain/far",
            |o| {
                o.pods.push(typed(pod("plain", "far", None)));
                o.services.push(typed(service("plain", "far", "far")));
                o.destination_rules.push(destination_rule("shop", "r", json!({ "host": "far.plain.svc.cluster.local", "trafficPolicy": { "tls": { "mode": "ISTIO_MUTUAL" } } })));
            },
        ),
        (
            "KI-X002",
            Level::Warning,
            "Deployment shop/old: 1 pod without the sidecar that is asked for by namespace label",
            |o| o.pods.push(typed(pod("shop", "old", None))),
        ),
        (
            "KI-T004",
            Level::Error,
            "towards pods under STRICT: shop/api",
            |o| {
                o.destination_rules.push(destination_rule(
                    "shop",
                    "r",
                    json!({ "host": "api", "trafficPolicy": { "tls": { "mode": "DISABLE" } } }),
                ));
            },
        ),
        (
            "KI-X004",
            Level::Warning,
            "no restart renews the sidecar of Pod shop/web-5d4f8c-x1",
            |o| {
                let mut alone = pod("shop", "web", Some("1.29.3"));
                alone["metadata"]
                    .as_object_mut()
                    .unwrap()
                    .remove("ownerReferences");
                o.pods.push(typed(alone));
            },
        ),
    ];
    // Where one fact is two findings by nature.
    let companions = |code: &str| match code {
        "KI-X002" => vec!["KI-S001"],
        "KI-T004" => vec!["KI-S003"],
        "KI-X004" => vec!["KI-X001"],
        _ => Vec::new(),
    };
    for (code, level, what, change) in cases {
        let mut observed = healthy_and_ours();
        change(&mut observed);
        let all = found(&observed);
        let bad: Vec<&Finding> = all
            .iter()
            .filter(|finding| finding.level != Level::Ok)
            .collect();
        let mut codes: Vec<&str> = bad
            .iter()
            .map(|finding| finding.code.id())
            .filter(|found| !companions(code).contains(found))
            .collect();
        codes.dedup();
        assert_eq!(codes, [code], "{bad:#?}");
        let it = bad
            .iter()
            .find(|finding| finding.code.id() == code)
            .unwrap();
        assert!(
            it.level == level && it.what.contains(what) && it.hint.is_some(),
            "no `{what}` in {it:#?}"
        );
    }
}

#[test]
fn a_right_that_is_missing_is_an_error_and_rights_nobody_asked_about_are_no_proof() {
    let with = |rights: Vec<Right>| {
        check(
            &healthy_and_ours(),
            &Expected {
                rights,
                ..expected()
            },
            &BTreeSet::from([Category::Preflight]),
        )
    };
    let of = |findings: Vec<Finding>| {
        findings
            .into_iter()
            .find(|finding| finding.code.id() == "KI-P002")
            .unwrap()
    };
    let mut rights = expected().rights;
    rights[7].allowed = false;
    let denied = of(with(rights));
    assert_eq!(
        (denied.level, denied.what.as_str()),
        (Level::Error, "no right to patch deployments.apps")
    );
    assert_eq!(of(with(Vec::new())).level, Level::Warning);
}

#[test]
fn without_istio_only_its_absence_is_told() {
    let all = check(
        &Observed::default(),
        &expected(),
        &BTreeSet::from([Category::Installation]),
    );
    assert_eq!(all.len(), 1);
    assert!(all[0].what.starts_with("Istio is not installed"));
}

#[test]
fn guides_find_their_causes() {
    let mut observed = healthy_and_ours();
    observed.pods.extend([
        typed(pod("shop", "old", None)),
        typed(pod("shop", "web", Some("1.29.3"))),
    ]);
    observed
        .services
        .push(typed(service("shop", "nobody", "nobody")));
    let all = found(&observed);
    let of = |guide| {
        causes(guide, &all)
            .iter()
            .map(|finding| finding.code.id())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Guide::NoAccess), ["KI-T001"]);
    assert_eq!(of(Guide::ConnectionRefused), ["KI-X002", "KI-S001"]);
    assert_eq!(of(Guide::NoSidecar), ["KI-X002"]);
    assert_eq!(of(Guide::SidecarVersion), ["KI-X001"]);
}

#[test]
fn status_sums_up_one_screen() {
    let mut observed = healthy_and_ours();
    observed.pods.extend([
        typed(pod("shop", "a", Some("1.29.3"))),
        typed(pod("shop", "b", Some("1.29.3"))),
        typed(pod("shop", "c", Some("mine"))),
    ]);
    observed
        .istio_crs
        .push(istio("kyma-system", "default", json!({ "state": "Ready" })));
    let status = summary(&observed);
    let counts: Vec<(&str, usize)> = status
        .data_plane
        .iter()
        .map(|count| (count.version.as_str(), count.sidecars))
        .collect();
    assert_eq!(counts, [("1.30.2", 1), ("1.29.3", 2), ("unknown", 1)]);
    assert_eq!(status.management, Management::Standalone);
    assert_eq!(status.control_planes[0].versions, ["1.30.2"]);
    assert!(status.gateways[0].is_ready);
    assert_eq!(
        status.custom_resource.unwrap().state.as_deref(),
        Some("Ready")
    );
    assert_eq!(summary(&Observed::default()).management, Management::Nobody);
    assert_eq!(summary(&healthy()).management, Management::Foreign);
}

fn found(observed: &Observed) -> Vec<Finding> {
    let mut observed = observed.clone();
    if let Some(labels) = observed
        .deployments
        .first_mut()
        .and_then(|istiod| istiod.metadata.labels.as_mut())
    {
        labels.insert("kyma-project.io/module".to_owned(), "istio".to_owned());
    }
    check(&observed, &expected(), &BTreeSet::from(Category::ALL))
}

fn healthy_and_ours() -> Observed {
    let mut observed = healthy();
    let labels = observed.deployments[0]
        .metadata
        .labels
        .get_or_insert_default();
    labels.insert("kyma-project.io/module".to_owned(), "istio".to_owned());
    observed
}

fn ours(value: Value) -> k8s_openapi::api::apps::v1::Deployment {
    typed(value)
}

fn expected() -> Expected {
    let rights = RIGHTS.iter().map(|(verb, group, resource)| Right {
        verb: (*verb).to_owned(),
        resource: if group.is_empty() {
            (*resource).to_owned()
        } else {
            format!("{resource}.{group}")
        },
        allowed: true,
    });
    Expected {
        version: version("1.30.2"),
        kubernetes: ServerVersion {
            major: 1,
            minor: 32,
        },
        rights: rights.collect(),
        profile: "production: 8 CPUs and 32 GB".to_owned(),
        provider: "kind".to_owned(),
    }
}

fn istio(namespace: &str, name: &str, status: Value) -> mesh::object::Object {
    object(json!({
        "apiVersion": "operator.kyma-project.io/v1alpha2", "kind": "Istio",
        "metadata": { "namespace": namespace, "name": name }, "spec": {}, "status": status,
    }))
}

fn cni(wanted: i32, ready: i32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "namespace": "istio-system", "name": "istio-cni-node" },
        "spec": { "selector": {}, "template": { "spec": { "containers": [{ "name": "install-cni", "image": "a/install-cni:1.30.2" }] } } },
        "status": { "desiredNumberScheduled": wanted, "numberReady": ready, "currentNumberScheduled": wanted, "numberMisscheduled": 0 },
    })
}
