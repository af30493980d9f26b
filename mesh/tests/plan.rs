//! Plans as values: their order, what they refuse, what is left of them when it is there already.

mod build;

use build::installed::{PILOT, cni, fresh, istio, ours, perform, wanted};
use build::{
    crd, deployment, destination_rule, healthy, in_version, namespace, object, peer_authentication,
    pod, typed,
};
use mesh::codes::Code;
use mesh::diff::ObjectChange;
use mesh::object::Object;
use mesh::observed::{Forbidden, Observed};
use mesh::plan::{Action, Answers, Gate, Plan, Wanted, install, unsupported};
use serde_json::{Value, json};

#[test]
fn the_first_installation_goes_step_by_step() {
    let plan = planned(&fresh(), &wanted());
    let steps: Vec<&str> = plan.steps.iter().map(|step| step.name).collect();
    assert_eq!(
        steps,
        [
            "crds",
            "crds-ready",
            "namespaces",
            "base",
            "istiod",
            "istiod-ready",
            "cni",
            "cni-ready",
            "gateways",
            "gateways-ready",
            "policies",
            "kyma-namespace",
            "custom-resource",
            "record",
        ]
    );
    let of = |name: &str| -> Vec<String> {
        let step = plan.steps.iter().find(|step| step.name == name).unwrap();
        match &step.action {
            Action::Apply(objects) => objects
                .iter()
                .map(|object| object.id().to_string())
                .collect(),
            Action::WaitReady(ids) => ids.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(of("namespaces"), ["Namespace istio-system"]);
    assert_eq!(
        of("base"),
        [
            "ClusterRole istio-reader",
            "PriorityClass istio-kyma-priority",
            "ValidatingWebhookConfiguration istio-validator-istio-system"
        ]
    );
    assert_eq!(
        of("istiod"),
        [
            "ClusterRole istiod-gateway-controller-istio-system",
            "ConfigMap istio-system/istio",
            "MutatingWebhookConfiguration istio-sidecar-injector",
            "Deployment istio-system/istiod",
            "HorizontalPodAutoscaler istio-system/istiod",
        ]
    );
    assert_eq!(of("istiod-ready"), ["Deployment istio-system/istiod"]);
    assert_eq!(of("cni-ready"), ["DaemonSet istio-system/istio-cni-node"]);
    assert_eq!(of("policies"), ["PeerAuthentication istio-system/default"]);
}

#[test]
fn what_is_applied_says_whose_it_is_and_leaves_others_their_fields() {
    let plan = planned(&fresh(), &wanted());
    let find = |kind: &str, name: &str| {
        plan.objects()
            .find(|object| object.kind() == kind && object.name() == name)
            .unwrap()
    };
    let istiod = find("Deployment", "istiod");
    for (key, value) in [
        ("app.kubernetes.io/managed-by", "kubectl-kyma-istio"),
        ("kyma-project.io/module", "istio"),
        ("operator.istio.io/component", "Pilot"),
        ("operator.istio.io/version", "1.30.2-distroless"),
    ] {
        assert_eq!(istiod.label(key), Some(value));
    }
    assert_eq!(
        istiod.pointer("/spec/replicas"),
        None,
        "the autoscaler owns the count"
    );
    assert_eq!(
        find("Deployment", "istio-ingressgateway").pointer("/spec/replicas"),
        Some(&json!(1))
    );
    assert_eq!(
        find("MutatingWebhookConfiguration", "istio-sidecar-injector")
            .pointer("/webhooks/0/clientConfig/caBundle"),
        None
    );
    // The first time the chart's word counts; once istiod has closed the webhook, nobody opens it again.
    let policy = |plan: &Plan| {
        let mut objects = plan.objects();
        let webhook = objects
            .find(|object| object.kind() == "ValidatingWebhookConfiguration")
            .unwrap();
        webhook
            .string("/webhooks/0/failurePolicy")
            .map(str::to_owned)
    };
    assert_eq!(policy(&plan).as_deref(), Some("Ignore"));
    assert_eq!(policy(&planned(&ours(healthy()), &wanted())), None);
}

#[test]
fn kyma_system_is_labelled_and_otherwise_left_alone() {
    let plan = planned(&fresh(), &wanted());
    let step = plan
        .steps
        .iter()
        .find(|step| step.name == "kyma-namespace")
        .unwrap();
    let Action::Merge { id, patch } = &step.action else {
        panic!("{step:?}")
    };
    assert_eq!(
        (id.to_string().as_str(), patch),
        (
            "Namespace kyma-system",
            &json!({ "metadata": { "labels": { "istio-injection": "enabled" } } })
        )
    );
    // What we would put on a namespace of our own stays away from Kyma's.
    let mut given = wanted();
    given.extras.push(object(namespace(
        "kyma-system",
        json!({ "istio-injection": "enabled", "kyma-project.io/module": "istio" }),
    )));
    let plan = planned(&fresh(), &given);
    assert!(plan.objects().all(|object| object.name() != "kyma-system"));
    let step = plan
        .steps
        .iter()
        .find(|step| step.name == "kyma-namespace")
        .unwrap();
    assert!(
        matches!(&step.action, Action::Merge { patch, .. } if patch == &json!({ "metadata": { "labels": { "istio-injection": "enabled" } } }))
    );
    assert_eq!(
        plan.consequences[0].what,
        "new pods of kyma-system get a sidecar"
    );
    let mut without = fresh();
    without.namespaces = Vec::new();
    assert!(
        planned(&without, &given)
            .objects()
            .any(|object| object.name() == "kyma-system")
    );
    let mut observed = fresh();
    observed.namespaces = Vec::new();
    let plan = planned(&observed, &wanted());
    assert!(
        plan.skips
            .iter()
            .any(|skip| skip.what.contains("kyma-system") && skip.why == "it doesn't exist")
    );
}

#[test]
fn the_custom_resource_records_what_was_applied_in_the_modules_words() {
    let mut observed = fresh();
    let mut live = istio(json!({ "config": { "numTrustedProxies": 1 } }));
    live["metadata"]["finalizers"] = json!(["other"]);
    observed.istio_crs = vec![object(live)];
    let plan = planned(&observed, &wanted());
    let step = plan
        .steps
        .iter()
        .find(|step| step.name == "record")
        .unwrap();
    let Action::Merge { patch, .. } = &step.action else {
        panic!("{step:?}")
    };
    let text = patch
        .pointer("/metadata/annotations/operator.kyma-project.io~1lastAppliedConfiguration")
        .unwrap()
        .as_str()
        .unwrap();
    let recorded: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        recorded,
        json!({ "config": { "numTrustedProxies": 2 }, "IstioTag": "1.30.2-distroless" })
    );
    assert_eq!(
        patch["metadata"]["finalizers"],
        json!([
            "other",
            "istios.operator.kyma-project.io/istio-installation"
        ])
    );
    assert_eq!(
        patch["metadata"]["labels"],
        json!({ "kyma-project.io/module": "istio" })
    );
    observed.crds.clear();
    let plan = planned(&observed, &wanted());
    assert!(
        plan.skips
            .iter()
            .any(|skip| skip.why.contains("no CRD istios.operator.kyma-project.io"))
    );
}

#[test]
fn after_a_plan_has_run_nothing_remains() {
    let mut observed = fresh();
    let first = planned(&observed, &wanted());
    for step in first.clone().steps {
        perform(step.action, &mut observed);
    }
    let again = planned(&observed, &wanted());
    let unchanged: Vec<ObjectChange> = again
        .objects()
        .map(|object| ObjectChange::of(Some(object.clone()), Some(object.clone())).unwrap())
        .collect();
    let remaining = again.remaining(&unchanged, &observed);
    assert!(
        remaining.is_empty() && remaining.consequences.is_empty(),
        "{:#?}",
        remaining.steps
    );
}

#[test]
fn killed_at_any_boundary_a_second_run_does_the_rest() {
    let first = planned(&fresh(), &wanted());
    for killed_after in 0..first.steps.len() {
        let mut observed = fresh();
        for step in first.steps.iter().take(killed_after).cloned() {
            perform(step.action, &mut observed);
        }
        let second = planned(&observed, &wanted());
        for step in second.steps {
            perform(step.action, &mut observed);
        }
        let third = planned(&observed, &wanted());
        let unchanged: Vec<ObjectChange> = third
            .objects()
            .map(|object| ObjectChange::of(Some(object.clone()), Some(object.clone())).unwrap())
            .collect();
        assert!(
            third.remaining(&unchanged, &observed).is_empty(),
            "killed after {killed_after} steps"
        );
    }
}

#[test]
fn what_changed_remains_with_its_wait_and_its_consequence() {
    let observed = ours(healthy());
    let plan = planned(&observed, &wanted());
    let dry_run: Vec<ObjectChange> = plan
        .objects()
        .map(|object| {
            let mut live = object.clone().into_value();
            if object.id().to_string() == "Deployment istio-system/istiod" {
                live["spec"]["template"]["spec"]["containers"][0]["image"] = json!("old");
                live["status"]["replicas"] = json!(2);
            }
            ObjectChange::of(Some(Object::new(live).unwrap()), Some(object.clone())).unwrap()
        })
        .collect();
    let remaining = plan.remaining(&dry_run, &observed);
    let steps: Vec<&str> = remaining.steps.iter().map(|step| step.name).collect();
    // Neither the CRDs nor the node agents of this cluster are ready, so they are waited for.
    assert_eq!(steps, ["crds-ready", "istiod", "istiod-ready", "cni-ready"]);
    let told: Vec<&str> = remaining
        .consequences
        .iter()
        .map(|told| told.what.as_str())
        .collect();
    assert_eq!(
        told,
        ["restarts the control plane istio-system/istiod (2 pods)"]
    );
}

#[test]
fn a_rollout_that_is_not_finished_is_waited_for_although_nothing_differs() {
    type Change = fn(&mut Observed);
    let cases: [(&str, Change); 5] = [
        ("", |_| {}),
        ("istiod-ready", |o| {
            set(&mut o.deployments[0], "/metadata/generation", json!(2))
        }),
        ("istiod-ready", |o| {
            set(&mut o.deployments[0], "/status/updatedReplicas", json!(0))
        }),
        ("istiod-ready", |o| {
            set(&mut o.deployments[0], "/status/readyReplicas", json!(0))
        }),
        ("cni-ready", |o| {
            set(&mut o.daemon_sets[0], "/status/numberReady", json!(0))
        }),
    ];
    for (expected, change) in cases {
        let mut observed = fresh();
        for step in planned(&observed, &wanted()).steps {
            perform(step.action, &mut observed);
        }
        observed
            .deployments
            .sort_by_key(|found| found.metadata.name != Some("istiod".to_owned()));
        change(&mut observed);
        let again = planned(&observed, &wanted());
        let unchanged: Vec<ObjectChange> = again
            .objects()
            .map(|object| ObjectChange::of(Some(object.clone()), Some(object.clone())).unwrap())
            .collect();
        let left: Vec<&str> = again
            .remaining(&unchanged, &observed)
            .steps
            .iter()
            .map(|step| step.name)
            .collect();
        assert_eq!(left.join(" "), expected);
    }
}

#[test]
fn what_is_ours_and_no_longer_wanted_is_pruned() {
    let labelled = |name: &str, labels: Value| {
        object(
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "istio-system", "name": name, "uid": format!("uid-{name}"), "labels": labels } }),
        )
    };
    let mut observed = ours(healthy());
    observed.owned = vec![
        labelled("istio", json!({ "operator.istio.io/component": "Pilot" })),
        labelled("old", json!({ "operator.istio.io/component": "Pilot" })),
        labelled(
            "mine",
            json!({ "app.kubernetes.io/managed-by": "kubectl-kyma-istio" }),
        ),
        labelled(
            "kept",
            json!({ "operator.istio.io/component": "Pilot", "install.operator.istio.io/owning-resource-not-pruned": "true" }),
        ),
        labelled(
            "canary",
            json!({ "operator.istio.io/component": "Pilot", "istio.io/rev": "canary" }),
        ),
        object(
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "istio-system", "name": "istio-ingressgateway-certs", "uid": "s", "labels": { "app.kubernetes.io/managed-by": "kubectl-kyma-istio" } } }),
        ),
        object(
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "namespace": "istio-system", "name": "istio-egressgateway", "uid": "e", "labels": { "operator.istio.io/component": "EgressGateways" } },
            "spec": { "template": { "spec": { "containers": [{ "name": "istio-proxy" }] } } }, "status": { "replicas": 3 } }),
        ),
    ];
    let plan = planned(&observed, &wanted());
    let step = plan.steps.last().unwrap();
    let Action::Delete(doomed) = &step.action else {
        panic!("{step:?}")
    };
    let doomed: Vec<String> = doomed
        .iter()
        .map(|(id, uid)| format!("{id} {uid}"))
        .collect();
    assert_eq!(
        doomed,
        [
            "ConfigMap istio-system/old uid-old",
            "ConfigMap istio-system/mine uid-mine",
            "Deployment istio-system/istio-egressgateway e"
        ]
    );
    assert_eq!(
        plan.skips
            .iter()
            .filter(|skip| skip.what.contains("is not pruned"))
            .count(),
        3
    );
    let told = plan.remaining(&[], &observed).consequences;
    assert_eq!(
        told[0].what,
        "stops the gateway istio-system/istio-egressgateway (3 pods)"
    );
}

#[test]
fn gates_refuse_and_say_why() {
    type Change = fn(&mut Observed, &mut Wanted);
    let cases: [(Code, &str, Change); 20] = [
        (
            Code::ForeignIstio,
            "Istio 1.30.2 is installed (Deployment istio-system/istiod), and neither",
            |o, _| o.deployments[0].metadata.labels = None,
        ),
        (Code::RevisionedMesh, "has revision `canary`", |o, _| {
            let mut canary = deployment("istio-system", "istiod-canary", "discovery", PILOT, &[]);
            canary["metadata"]["labels"]["istio.io/rev"] = json!("canary");
            o.deployments.push(typed(canary));
        }),
        (Code::AmbientMesh, "ztunnel runs", |o, _| {
            let mut ztunnel = cni();
            ztunnel["metadata"]["name"] = json!("ztunnel");
            o.daemon_sets.push(typed(ztunnel));
        }),
        (Code::AmbientMesh, "ztunnel runs", |o, _| {
            o.namespaces.push(typed(namespace(
                "a",
                json!({ "istio.io/dataplane-mode": "ambient" }),
            )))
        }),
        (
            Code::Downgrade,
            "Istio 1.30.2 runs, 1.30.1 is wanted: a downgrade",
            |_, w| w.version = "1.30.1".to_owned(),
        ),
        (
            Code::Downgrade,
            "Istio 1.30.2 runs, 1.29.9 is wanted",
            |_, w| w.version = "1.29.9-distroless".to_owned(),
        ),
        (Code::MajorJump, "another major version", |_, w| {
            w.version = "2.0.0".to_owned()
        }),
        (
            Code::MinorJump,
            "Istio 1.29.3 runs, 1.31.0 is wanted: 2 minor versions at once, expected one at most",
            |o, w| {
                in_version(o, "1.29.3");
                w.version = "1.31.0".to_owned();
            },
        ),
        // What is not installed anyhow is not called a jump.
        (
            Code::UnsupportedVersion,
            "Istio 1.32.0 is wanted: not supported by this release of the plugin, which installs 1.30 and 1.31",
            |_, w| w.version = "1.32.0".to_owned(),
        ),
        (
            Code::UnsupportedVersion,
            "Istio 1.29.9 is wanted: not supported",
            |o, w| {
                in_version(o, "1.29.3");
                w.version = "1.29.9-distroless".to_owned();
            },
        ),
        (
            Code::UnsupportedVersion,
            "Istio 1.32.0 is wanted: not supported",
            |o, w| {
                in_version(o, "1.32.0");
                w.version = "1.32.0".to_owned();
            },
        ),
        (
            Code::UnknownVersion,
            "neither an image tag nor the custom resource",
            |o, _| {
                let mut istiod = deployment(
                    "istio-system",
                    "istiod",
                    "discovery",
                    "a/pilot@sha256:1",
                    &[],
                );
                istiod["metadata"]["labels"]["kyma-project.io/module"] = json!("istio");
                o.deployments = vec![typed(istiod)];
                o.pods.truncate(1);
            },
        ),
        (
            Code::UnknownVersion,
            "`latest` is no Istio version",
            |_, w| w.version = "latest".to_owned(),
        ),
        (
            Code::StrictNeedsAcceptance,
            "found 1 workload without a sidecar, 1 weaker policy, 1 DestinationRule without TLS",
            |o, _| {
                o.peer_authentications = vec![peer_authentication(
                    "shop",
                    "p",
                    json!({ "mtls": { "mode": "PERMISSIVE" } }),
                )];
                o.pods.push(typed(pod("shop", "old", None)));
                o.destination_rules = vec![destination_rule(
                    "shop",
                    "r",
                    json!({ "host": "api", "trafficPolicy": { "tls": { "mode": "DISABLE" } } }),
                )];
            },
        ),
        (Code::CannotTell, "`list pods` forbidden", |o, _| {
            o.forbidden.push(Forbidden {
                verb: "list".to_owned(),
                resource: "pods".to_owned(),
            })
        }),
        (
            Code::NewerCrds,
            "stores version v2, which the wanted one doesn't have",
            |o, _| {
                let mut newer = crd("peerauthentications.security.istio.io", &["v2"]);
                newer["status"]["storedVersions"] = json!(["v1", "v2"]);
                o.crds = vec![typed(newer)];
            },
        ),
        (
            Code::NewerCrds,
            "was installed by Istio 1.31.0, wanted is 1.30.2",
            |o, _| {
                let mut newer = crd("peerauthentications.security.istio.io", &["v1"]);
                newer["metadata"]["labels"] = json!({ "operator.istio.io/version": "1.31.0" });
                o.crds = vec![typed(newer)];
            },
        ),
        (
            Code::SeveralIstioCrs,
            "exists and counts, the given one is named `default`",
            |o, _| {
                let mut other = istio(json!({}));
                other["metadata"]["name"] = json!("older");
                o.istio_crs = vec![object(other)];
            },
        ),
        (Code::CrBeingDeleted, "is being deleted", |o, _| {
            let mut going = istio(json!({}));
            going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            o.istio_crs = vec![object(going)];
        }),
        (
            Code::ManagedMode,
            "no Istio custom resource was given",
            |o, w| {
                o.kyma_manager = Some(typed(deployment(
                    "kyma-system",
                    "istio-controller-manager",
                    "manager",
                    "m:1",
                    &[],
                )));
                w.istio_cr = None;
            },
        ),
    ];
    for (code, what, change) in cases {
        let (mut observed, mut wanted) = (ours(healthy()), wanted());
        change(&mut observed, &mut wanted);
        let gates = install(&observed, &wanted, &Answers::default()).expect_err(what);
        assert!(
            gates.len() == 1
                && gates[0].code == code
                && gates[0].what.contains(what)
                && gates[0].hint.is_some(),
            "no `{what}` in {gates:#?}"
        );
    }
}

/// An Istio that is already there counts, whatever its version: from it one minor version up, if that one is supported.
#[test]
fn steps_between_minors_are_told_apart() {
    let judged = |running: Option<&str>, version: &str| {
        let mut observed = match running {
            Some(_) => ours(healthy()),
            None => fresh(),
        };
        if let Some(running) = running {
            in_version(&mut observed, running);
        }
        let wanted = Wanted {
            version: format!("{version}-distroless"),
            ..wanted()
        };
        install(&observed, &wanted, &Answers::default())
            .err()
            .map(|gates| (gates[0].code, gates[0].hint.clone().unwrap()))
    };
    for (running, version) in [
        (None, "1.30.0"),
        (None, "1.31.1"),
        (Some("1.29.3"), "1.30.4"),
        (Some("1.30.2"), "1.31.1"),
        (Some("1.30.9"), "1.31.0"),
        (Some("1.31.1"), "1.31.1"),
    ] {
        assert_eq!(judged(running, version), None, "{running:?} {version}");
    }
    let know = "`render`, `diff`, `verify` and `check` know it";
    let cases = [
        (
            None,
            "1.29.3",
            Code::UnsupportedVersion,
            format!("use `--istio-version 1.30.4`, or a release of the plugin that supports 1.29; {know}"),
        ),
        (
            None,
            "1.32.0",
            Code::UnsupportedVersion,
            format!("use `--istio-version 1.31.1`, or a release of the plugin that supports 1.32; {know}"),
        ),
        (
            Some("1.29.3"),
            "1.29.3",
            Code::UnsupportedVersion,
            format!("use `--istio-version 1.30.4`, or a release of the plugin that supports 1.29; {know}"),
        ),
        // 1.31.1 would be a downgrade here, so it isn't named.
        (
            Some("1.31.4"),
            "1.32.0",
            Code::UnsupportedVersion,
            format!("use a release of the plugin that supports 1.32; {know}"),
        ),
        // And here 1.30.4 would be a jump.
        (
            Some("1.28.0"),
            "1.29.3",
            Code::UnsupportedVersion,
            format!("use a release of the plugin that supports 1.29; {know}"),
        ),
        (
            Some("1.29.3"),
            "1.31.1",
            Code::MinorJump,
            "`upgrade --istio-version 1.30.4` first, then `sync`, then go on".to_owned(),
        ),
        (
            Some("1.28.0"),
            "1.31.1",
            Code::MinorJump,
            "go to 1.29 first, with a release of this plugin that supports it, then `sync`, then go on".to_owned(),
        ),
        (
            Some("1.32.0"),
            "1.31.1",
            Code::Downgrade,
            "use the version that runs, or a newer one".to_owned(),
        ),
    ];
    for (running, version, code, hint) in cases {
        assert_eq!(
            judged(running, version),
            Some((code, hint)),
            "{running:?} {version}"
        );
    }
}

#[test]
fn differences_are_shown_for_every_version_that_is_rendered() {
    let answers = Answers {
        only_shows: true,
        ..Answers::default()
    };
    let mut observed = ours(healthy());
    in_version(&mut observed, "1.31.1");
    let wanted = Wanted {
        version: "1.32.0".to_owned(),
        ..wanted()
    };
    assert!(install(&observed, &wanted, &answers).is_ok());
    let gate = unsupported(&observed, "1.32.0").unwrap();
    assert_eq!(gate.code, Code::UnsupportedVersion);
    assert_eq!(unsupported(&observed, "1.31.9"), None);
    // A downgrade is called so, whether or not the version is supported.
    for version in ["1.29.3", "1.30.4"] {
        let gate = unsupported(&observed, version).unwrap();
        assert_eq!(gate.code, Code::Downgrade, "{version}");
    }
}

#[test]
fn answers_open_the_gates_that_ask() {
    let mut observed = healthy();
    let take = Answers {
        take_ownership: true,
        ..Answers::default()
    };
    assert!(install(&observed, &wanted(), &take).is_ok());
    observed = ours(observed);
    observed.peer_authentications.clear();
    observed.pods.push(typed(pod("shop", "old", None)));
    let gates: Vec<Gate> = install(&observed, &wanted(), &Answers::default()).unwrap_err();
    assert_eq!(gates[0].code, Code::StrictNeedsAcceptance);
    let plan = install(
        &observed,
        &wanted(),
        &Answers {
            accept_strict: true,
            ..Answers::default()
        },
    )
    .unwrap();
    assert!(
        plan.warnings.iter().any(
            |warning| warning.code == Code::WithoutSidecar && warning.what.contains("shop/old")
        )
    );
}

#[test]
fn one_minor_version_up_and_another_flavour_are_fine() {
    for version in ["1.30.2", "1.30.3-distroless", "1.31.0"] {
        let wanted = Wanted {
            version: version.to_owned(),
            ..wanted()
        };
        assert!(
            install(&ours(healthy()), &wanted, &Answers::default()).is_ok(),
            "{version}"
        );
    }
}

#[test]
fn the_modules_record_tells_the_version_where_images_do_not() {
    let recorded = |tag: &str| {
        let mut observed = ours(healthy());
        observed.deployments = vec![typed(deployment(
            "istio-system",
            "istiod",
            "discovery",
            "a/pilot@sha256:1",
            &[],
        ))];
        // The second pod is istiod's, and its image has a tag.
        observed.pods.truncate(1);
        let mut live = istio(json!({}));
        live["metadata"]["annotations"]["operator.kyma-project.io/lastAppliedConfiguration"] =
            json!(format!("{{\"IstioTag\": \"{tag}\"}}"));
        observed.istio_crs = vec![object(live)];
        install(&observed, &wanted(), &Answers::default()).map_err(|gates| gates[0].code)
    };
    assert!(recorded("1.29.3-distroless").is_ok());
    assert_eq!(recorded("1.31.0-distroless").unwrap_err(), Code::Downgrade);
    assert_eq!(recorded("1.28.0").unwrap_err(), Code::MinorJump);
}

#[test]
fn with_kymas_operator_only_the_custom_resource_is_edited() {
    let mut observed = ours(healthy());
    observed.kyma_manager = Some(typed(deployment(
        "kyma-system",
        "istio-controller-manager",
        "manager",
        "m:1",
        &[],
    )));
    let names = |plan: &Plan| plan.steps.iter().map(|step| step.name).collect::<Vec<_>>();
    let created = planned(&observed, &wanted());
    assert_eq!(
        names(&created),
        ["custom-resource", "custom-resource-ready"]
    );
    assert!(matches!(
        &created.steps[1].action,
        Action::WaitCondition { unlike: None, .. }
    ));

    let mut live = istio(
        json!({ "config": { "numTrustedProxies": 1, "trustDomain": "old" }, "compatibilityMode": true }),
    );
    live["status"] = json!({ "state": "Ready", "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z" }] });
    observed.istio_crs = vec![object(live.clone())];
    let edited = planned(&observed, &wanted());
    assert_eq!(names(&edited), ["custom-resource", "custom-resource-ready"]);
    let Action::Merge { patch, .. } = &edited.steps[0].action else {
        panic!("{edited:?}")
    };
    assert_eq!(
        patch,
        &json!({ "spec": { "config": { "numTrustedProxies": 2, "trustDomain": null }, "compatibilityMode": null } })
    );
    // The state of before the edit says nothing about it.
    assert!(
        matches!(&edited.steps[1].action, Action::WaitCondition { unlike: Some(since), .. } if since == "2026-01-01T00:00:00Z")
    );

    live["spec"] = json!({ "config": { "numTrustedProxies": 2 } });
    observed.istio_crs = vec![object(live.clone())];
    assert!(planned(&observed, &wanted()).is_empty());
    live["status"]["state"] = json!("Processing");
    observed.istio_crs = vec![object(live)];
    assert_eq!(
        names(&planned(&observed, &wanted())),
        ["custom-resource-ready"]
    );
}

fn planned(observed: &Observed, wanted: &Wanted) -> Plan {
    install(observed, wanted, &Answers::default()).expect("no gate holds")
}

/// Sets one field of a typed object.
fn set<T: serde::Serialize + serde::de::DeserializeOwned>(of: &mut T, pointer: &str, to: Value) {
    let mut value = serde_json::to_value(&*of).unwrap();
    *value.pointer_mut(pointer).unwrap() = to;
    *of = typed(value);
}
