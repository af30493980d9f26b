//! The plan of an uninstallation as a value: its order, what blocks it, what it leaves.

mod build;

use build::installed::{fresh, ours};
use build::{healthy, namespace, object, pod, typed};
use mesh::codes::Code;
use mesh::object::Object;
use mesh::observed::{Contents, Forbidden, Observed};
use mesh::plan::{Action, Answers, Uninstall, uninstall};
use serde_json::{Value, json};

#[test]
fn an_empty_cluster_has_nothing_to_remove() {
    let found = planned(&fresh(), &Contents::default());
    assert!(found.plan.is_empty() && found.blockers.is_empty());
}

/// Kyma's module leaves its label or a known name, and its manager: both together are Kyma's, either alone is somebody's.
#[test]
fn what_others_made_blocks_and_what_kyma_made_does_not() {
    let labels = || json!({ "kyma-project.io/module": "istio" });
    let known = |namespace: &str, name: &str| {
        resource("EnvoyFilter", namespace, name, json!({})).into_value()
    };
    let labelled = |name: &str| resource("VirtualService", "shop", name, labels()).into_value();
    let default = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": "istio-system", "uid": "d"},
    });
    let contents = Contents {
        custom_resources: vec![
            resource("VirtualService", "shop", "cart", json!({})),
            by("manager", known("istio-system", "stats-filter-1.17")),
            by("manager", known("istio-system", "stats-filter-mine")),
            by("istio-operator", known("shop", "kyma-referer")),
            by("istio-operator", known("istio-system", "kyma-referer")),
            by("kubectl", known("istio-system", "proxy-protocol")),
            by("manager", labelled("modules")),
            by("argocd", labelled("copied")),
            by("kubectl-edit", default),
        ],
        ..Contents::default()
    };
    let found = planned(&installed(), &contents);
    let names: Vec<String> = found
        .blockers
        .iter()
        .map(|one| one.id().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "EnvoyFilter istio-system/proxy-protocol",
            "EnvoyFilter istio-system/stats-filter-mine",
            "EnvoyFilter shop/kyma-referer",
            "VirtualService shop/cart",
            "VirtualService shop/copied",
            "PeerAuthentication istio-system/default",
        ]
    );
    // What is Kyma's by less than our own proof goes, but a backup holds it.
    assert_eq!(found.kept.len(), 9, "{:?}", found.kept);
    assert_eq!(found.blocked().map(|gate| gate.code), Some(Code::Blockers));
    // They are kept for a backup, and are not deleted unless that is asked for.
    assert!(found.plan.doomed().iter().all(|id| id.name != "cart"));
    let answers = Answers::default();
    let forced = uninstall(&installed(), &contents, &answers, true).unwrap();
    assert!(forced.plan.doomed().iter().any(|id| id.name == "cart"));
}

/// istiod pushes what it sees as long as it lives.
#[test]
fn no_policy_goes_before_istiod_went() {
    let policy = |name: &str| {
        object(json!({
            "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
            "metadata": {"name": name, "namespace": "shop", "uid": name},
        }))
    };
    let strict = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": "istio-system", "uid": "d",
            "labels": {"app.kubernetes.io/managed-by": "kubectl-kyma-istio"},
            "managedFields": [{"manager": "kubectl-kyma-istio", "operation": "Apply"}]},
    });
    let contents = Contents {
        custom_resources: vec![
            policy("deny"),
            resource("VirtualService", "shop", "cart", json!({})),
            object(strict),
        ],
        ..Contents::default()
    };
    let mut observed = installed();
    observed
        .pods
        .push(typed(pod("shop", "cart", Some("1.30.2"))));
    let found = uninstall(&observed, &contents, &Answers::default(), true).unwrap();
    let steps = &found.plan.steps;
    let gone = steps.iter().position(|step| step.name == "istiod-gone");
    let mut seen = 0;
    for (place, step) in steps.iter().enumerate() {
        let Action::Delete(doomed) = &step.action else {
            continue;
        };
        for (id, _) in doomed {
            let is_policy = ["security.istio.io", "networking.istio.io"]
                .iter()
                .any(|group| id.api_version.starts_with(group));
            seen += usize::from(is_policy);
            assert!(
                !is_policy || Some(place) > gone,
                "{id} goes in `{}`",
                step.name
            );
        }
    }
    assert_eq!(seen, 3);
    let told = |found: &Uninstall, words: &str| {
        let mut all = found.plan.consequences.iter();
        all.any(|one| one.what.contains(words))
    };
    assert!(told(&found, "sidecars enforce what istiod told them last"));

    // Kyma's operator waits for what others made, and removes istiod after that.
    observed.kyma_manager = observed.deployments.first().cloned();
    observed.istio_crs = vec![object(json!({
        "apiVersion": "operator.kyma-project.io/v1alpha2", "kind": "Istio",
        "metadata": {"name": "default", "namespace": "kyma-system", "uid": "i"},
    }))];
    let found = uninstall(&observed, &contents, &Answers::default(), true).unwrap();
    for words in [
        "gateways and sidecars lose them at once",
        "`AuthorizationPolicy shop/deny`",
        "`VirtualService shop/cart`",
    ] {
        assert!(told(&found, words), "{:?}", found.plan.consequences);
    }
    assert!(!told(&found, "sidecars enforce what istiod told them last"));
    // Without its resource the operator removes nothing, and nothing that protects the mesh goes.
    observed.istio_crs.clear();
    let found = uninstall(&observed, &contents, &Answers::default(), true).unwrap();
    assert!(found.plan.is_empty(), "{:?}", found.plan.steps);
    assert_eq!(found.plan.skips.len(), 1);
}

/// Another release's CRDs stay, and with them whatever is of their kinds.
#[test]
fn crds_go_only_when_they_are_ours_and_after_a_last_look() {
    let mut observed = installed();
    let theirs = "virtualservices.networking.istio.io";
    observed
        .crds
        .retain(|crd| crd.metadata.name.as_deref() != Some(theirs));
    for proof in [
        ("helm", "Update", true),
        ("kubectl-kyma-istio", "Update", true),
        ("kubectl-kyma-istio", "Apply", false),
        ("istio-operator", "Update", true),
    ] {
        let mut observed = observed.clone();
        observed
            .crds
            .push(typed(crd(theirs, "VirtualService", &proof)));
        let contents = Contents {
            custom_resources: vec![
                resource("VirtualService", "shop", "cart", json!({})),
                resource("Gateway", "shop", "front", json!({})),
            ],
            ..Contents::default()
        };
        let found = planned(&observed, &contents);
        let blockers: Vec<String> = found
            .blockers
            .iter()
            .map(|one| one.id().to_string())
            .collect();
        assert_eq!(blockers, ["Gateway shop/front"], "{proof:?}");
        assert!(found.plan.doomed().iter().all(|id| id.name != theirs));
        // One of theirs in Istio's namespace keeps the namespace.
        let mut inside = contents.clone();
        inside.custom_resources = vec![resource(
            "VirtualService",
            "istio-system",
            "theirs",
            json!({}),
        )];
        let kept = planned(&observed, &inside);
        assert!(found.plan.steps.iter().any(|step| step.name == "namespace"));
        assert!(kept.plan.steps.iter().all(|step| step.name != "namespace"));
        assert!(kept.leftovers.iter().any(|one| one.id.name == "theirs"));
        let left = found.leftovers.iter().find(|one| one.id.name == theirs);
        let why = &left.expect("it is named").why;
        assert!(why.contains(proof.0), "{why}");
        let steps: Vec<&str> = found.plan.steps.iter().map(|step| step.name).collect();
        let look = steps.iter().position(|name| *name == "last-look");
        assert_eq!(steps.get(look.unwrap() + 1), Some(&"crds"));
        let looked = found.plan.steps.iter().find_map(|step| match &step.action {
            Action::LastLook(looked) => Some(looked),
            _ => None,
        });
        assert_eq!(looked.unwrap().len(), 5);

        let take = Answers {
            take_ownership: true,
            ..Answers::default()
        };
        let taken = uninstall(&observed, &contents, &take, false).unwrap();
        assert!(taken.plan.doomed().iter().any(|id| id.name == theirs));
        assert_eq!(taken.blockers.len(), 2);
    }
    // istioctl's, and Kyma's module's, which calls its code.
    let istioctls = ("istio-operator", "Apply", false);
    observed
        .crds
        .push(typed(crd(theirs, "VirtualService", &istioctls)));
    let found = planned(&observed, &Contents::default());
    assert!(found.plan.doomed().iter().any(|id| id.name == theirs));
}

#[test]
fn header_policies_go_once_no_gateway_and_no_istiod_is_left_and_the_backup_holds_them() {
    let contents = Contents {
        custom_resources: vec![object(json!({
            "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
            "metadata": { "name": "ours", "namespace": "shop", "uid": "u", "labels": { "app.kubernetes.io/managed-by": "kubectl-kyma-istio" },
                "managedFields": [{ "manager": "kubectl-kyma-istio", "operation": "Apply" }] },
        }))],
        ..Contents::default()
    };
    let found = planned(&installed(), &contents);
    let steps: Vec<&str> = found.plan.steps.iter().map(|step| step.name).collect();
    assert_eq!(
        steps,
        [
            "webhooks",
            "gateways",
            "gateways-gone",
            "istiod",
            "istiod-gone",
            "filter",
            "filter-gone",
            "base",
            "last-look",
            "crds",
            "crds-gone",
            "namespace",
            "namespace-gone",
        ]
    );
    let kept: Vec<String> = found.kept.iter().map(|one| one.id().to_string()).collect();
    assert_eq!(kept, ["WasmPlugin shop/ours"]);
    for step in &found.plan.steps {
        if let Action::Delete(doomed) | Action::WaitGone(doomed) = &step.action {
            assert!(doomed.iter().all(|(_, uid)| !uid.is_empty()), "{step:?}");
        }
    }
}

#[test]
fn a_namespace_with_something_of_others_in_it_stays() {
    let claim = object(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data", "namespace": "istio-system", "uid": "c" },
    }));
    let contents = Contents {
        root: vec![claim],
        ..Contents::default()
    };
    let found = planned(&installed(), &contents);
    assert!(found.plan.steps.iter().all(|step| step.name != "namespace"));
    let left: Vec<String> = found
        .leftovers
        .iter()
        .map(|one| one.id.to_string())
        .collect();
    assert_eq!(
        left,
        [
            "Namespace istio-system",
            "PersistentVolumeClaim istio-system/data"
        ]
    );
}

#[test]
fn workloads_that_keep_a_sidecar_are_named() {
    let mut observed = installed();
    observed
        .pods
        .push(typed(pod("shop", "cart", Some("1.30.2"))));
    let found = planned(&observed, &Contents::default());
    let told: Vec<String> = found
        .meshed
        .iter()
        .filter(|one| one.workload.name == "cart")
        .map(|one| format!("{}: {}", one.workload, one.proxies()))
        .collect();
    assert_eq!(told, ["Deployment shop/cart: 1 sidecar"]);
}

#[test]
fn what_cannot_be_seen_or_is_anothers_is_refused() {
    let answers = Answers::default();
    let contents = Contents {
        forbidden: vec![Forbidden {
            verb: "list".to_owned(),
            resource: "gateways.networking.istio.io".to_owned(),
        }],
        ..Contents::default()
    };
    let codes = |found: Result<Uninstall, Vec<mesh::plan::Gate>>| -> Vec<Code> {
        found.unwrap_err().iter().map(|gate| gate.code).collect()
    };
    assert_eq!(
        codes(uninstall(&installed(), &contents, &answers, false)),
        [Code::CannotTell]
    );
    let foreign = healthy();
    assert_eq!(
        codes(uninstall(&foreign, &Contents::default(), &answers, false)),
        [Code::ForeignIstio]
    );
    let take = Answers {
        take_ownership: true,
        ..answers
    };
    // Its istiod isn't provably ours: it would stay at work while its CRDs and policies go.
    assert_eq!(
        codes(uninstall(&foreign, &Contents::default(), &take, false)),
        [Code::ForeignIstio]
    );
    let mut half = installed();
    half.owned
        .retain(|one| one.kind() != "Deployment" || one.name() != "istiod");
    assert_eq!(
        codes(uninstall(&half, &Contents::default(), &answers, false)),
        [Code::ForeignIstio]
    );
}

/// Our mesh, with the objects that a look finds by their labels.
fn installed() -> Observed {
    let mut observed = ours(healthy());
    observed
        .namespaces
        .retain(|one| one.metadata.name.as_deref() != Some("istio-system"));
    observed.namespaces.push(typed(with_uid(namespace(
        "istio-system",
        json!({ "operator.kyma-project.io/managed-by": "kyma" }),
    ))));
    observed.crds = [
        ("gateways.networking.istio.io", "Gateway"),
        ("virtualservices.networking.istio.io", "VirtualService"),
        ("envoyfilters.networking.istio.io", "EnvoyFilter"),
        (
            "peerauthentications.security.istio.io",
            "PeerAuthentication",
        ),
        (
            "authorizationpolicies.security.istio.io",
            "AuthorizationPolicy",
        ),
        ("wasmplugins.extensions.istio.io", "WasmPlugin"),
    ]
    .map(|(name, kind)| typed(crd(name, kind, &OURS)))
    .into();
    let owned = |version: &str, kind: &str, name: &str, component: &str| {
        object(json!({
            "apiVersion": version, "kind": kind,
            "metadata": { "name": name, "namespace": "istio-system", "uid": name, "labels": { "operator.istio.io/component": component } },
        }))
    };
    observed.owned = vec![
        owned("v1", "ServiceAccount", "istiod", "Pilot"),
        owned("apps/v1", "Deployment", "istiod", "Pilot"),
        owned("v1", "Service", "istio-ingressgateway", "IngressGateways"),
        owned(
            "apps/v1",
            "Deployment",
            "istio-ingressgateway",
            "IngressGateways",
        ),
        owned(
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration",
            "istio-sidecar-injector",
            "Pilot",
        ),
    ];
    observed
}

/// Manager, operation, and the label that we give.
const OURS: (&str, &str, bool) = ("kubectl-kyma-istio", "Apply", true);

fn crd(name: &str, kind: &str, (manager, operation, is_labelled): &(&str, &str, bool)) -> Value {
    let mut crd = with_uid(build::crd(name, &["v1"]));
    crd["spec"]["names"]["kind"] = json!(kind);
    crd["metadata"]["managedFields"] = json!([{"manager": manager, "operation": operation}]);
    if *is_labelled {
        crd["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "kubectl-kyma-istio"});
    }
    crd
}

/// With the field manager of Kyma's module.
fn by(manager: &str, mut object: Value) -> Object {
    object["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Update"}]);
    Object::new(object).unwrap()
}

fn with_uid(mut value: Value) -> Value {
    value["metadata"]["uid"] = json!("uid");
    value
}

fn resource(kind: &str, namespace: &str, name: &str, labels: Value) -> Object {
    object(json!({
        "apiVersion": "networking.istio.io/v1", "kind": kind,
        "metadata": { "name": name, "namespace": namespace, "uid": name, "labels": labels },
    }))
}

#[track_caller]
fn planned(observed: &Observed, contents: &Contents) -> Uninstall {
    uninstall(observed, contents, &Answers::default(), false).expect("no gate")
}
