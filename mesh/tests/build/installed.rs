//! What an installation meets, what it wants, and what a cluster does when a step of a plan runs.

use mesh::object::Object;
use mesh::observed::Observed;
use mesh::plan::{Action, Wanted};
use serde_json::{Value, json};

use super::{crd, deployment, mutating, namespace, object, peer_authentication, typed, validating};

pub const PILOT: &str = "docker.example/istio/pilot:1.30.2-distroless";
const PROXY: &str = "docker.example/istio/proxyv2:1.30.2-distroless";

/// A cluster without Istio, with Kyma's namespace and CRD.
pub fn fresh() -> Observed {
    Observed {
        namespaces: vec![typed(namespace("kyma-system", json!({})))],
        crds: vec![typed(crd("istios.operator.kyma-project.io", &["v1alpha2"]))],
        ..Observed::default()
    }
}

/// The same mesh, installed by the module.
pub fn ours(mut observed: Observed) -> Observed {
    let labels = observed.deployments[0]
        .metadata
        .labels
        .get_or_insert_default();
    labels.insert("kyma-project.io/module".to_owned(), "istio".to_owned());
    observed.crds.clear();
    observed
}

/// What istioctl would print, in small: one object of each kind that matters.
pub fn wanted() -> Wanted {
    let component = |mut value: Value, component: &str| {
        value["metadata"]["labels"]["operator.istio.io/component"] = json!(component);
        value.as_object_mut().unwrap().remove("status");
        object(value)
    };
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "namespace": "istio-system", "name": "istiod" },
        "spec": { "maxReplicas": 5, "minReplicas": 2, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "istiod" } },
    });
    let mut validator = validating(
        "istio-validator-istio-system",
        &["rev.validation.istio.io"],
        "",
    );
    validator["webhooks"][0]["failurePolicy"] = json!("Ignore");
    // As printed by 1.30: roles carry no component.
    let role = |name: &str| {
        object(
            json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": name } }),
        )
    };
    Wanted {
        rendered: vec![
            object(crd("peerauthentications.security.istio.io", &["v1"])),
            role("istio-reader"),
            role("istiod-gateway-controller-istio-system"),
            object(validator),
            component(
                deployment(
                    "istio-system",
                    "istio-ingressgateway",
                    "istio-proxy",
                    PROXY,
                    &["proxy", "router"],
                ),
                "IngressGateways",
            ),
            component(
                deployment("istio-system", "istiod", "discovery", PILOT, &["discovery"]),
                "Pilot",
            ),
            component(autoscaler, "Pilot"),
            component(
                super::config_map("istio", "mesh", "trustDomain: cluster.local"),
                "Pilot",
            ),
            component(
                mutating(
                    "istio-sidecar-injector",
                    &["namespace.sidecar-injector.istio.io"],
                    "",
                ),
                "Pilot",
            ),
            component(cni(), "Cni"),
        ],
        extras: vec![
            object(namespace(
                "istio-system",
                json!({ "operator.kyma-project.io/managed-by": "kyma" }),
            )),
            object(
                json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": "istio-kyma-priority" }, "value": 2_100_000 }),
            ),
            peer_authentication(
                "istio-system",
                "default",
                json!({ "mtls": { "mode": "STRICT" } }),
            ),
        ],
        version: "1.30.2-distroless".to_owned(),
        istio_cr: Some(object(istio(
            json!({ "config": { "numTrustedProxies": 2 } }),
        ))),
    }
}

pub fn istio(spec: Value) -> Value {
    json!({
        "apiVersion": "operator.kyma-project.io/v1alpha2", "kind": "Istio",
        "metadata": { "namespace": "kyma-system", "name": "default" }, "spec": spec,
    })
}

pub fn cni() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "namespace": "istio-system", "name": "istio-cni-node" },
        "spec": { "selector": {}, "template": { "spec": { "containers": [{ "name": "install-cni", "image": "docker.example/istio/install-cni:1.30.2" }] } } },
    })
}

/// Does to the facts what a cluster does when a step runs: everything becomes ready at once.
pub fn perform(action: Action, observed: &mut Observed) {
    match action {
        Action::Apply(objects) => objects
            .into_iter()
            .for_each(|applied| store(applied, observed)),
        Action::Merge { id, patch } => {
            let store = match id.kind.as_str() {
                "Namespace" => {
                    let live = observed
                        .namespaces
                        .iter_mut()
                        .find(|live| live.metadata.name.as_ref() == Some(&id.name))
                        .unwrap();
                    let mut value = serde_json::to_value(&*live).unwrap();
                    merge(&mut value, &patch);
                    *live = typed(value);
                    return;
                }
                "Istio" => &mut observed.istio_crs,
                other => panic!("{other}"),
            };
            let live = store.iter_mut().find(|live| live.id() == id).unwrap();
            let mut value = live.clone().into_value();
            merge(&mut value, &patch);
            *live = object(value);
        }
        Action::WaitReady(_) => {}
        other => panic!("{other:?}"),
    }
}

fn store(applied: Object, observed: &mut Observed) {
    let mut value = applied.clone().into_value();
    value["metadata"]["uid"] = json!("u");
    if applied.label("app.kubernetes.io/managed-by").is_some() {
        observed.owned.retain(|live| live.id() != applied.id());
        observed.owned.push(object(value.clone()));
    }
    match applied.kind() {
        "Namespace" => replace(&mut observed.namespaces, typed(value), |live, new| {
            live.metadata.name == new.metadata.name
        }),
        "Deployment" => {
            value["status"] =
                json!({ "observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1 });
            replace(&mut observed.deployments, typed(value), |live, new| {
                live.metadata.name == new.metadata.name
            });
        }
        "DaemonSet" => {
            value["status"] = json!({ "desiredNumberScheduled": 1, "numberReady": 1, "updatedNumberScheduled": 1, "currentNumberScheduled": 1, "numberMisscheduled": 0 });
            replace(&mut observed.daemon_sets, typed(value), |live, new| {
                live.metadata.name == new.metadata.name
            });
        }
        "CustomResourceDefinition" => replace(&mut observed.crds, typed(value), |live, new| {
            live.metadata.name == new.metadata.name
        }),
        "PeerAuthentication" => {
            replace(&mut observed.peer_authentications, applied, |live, new| {
                live.id() == new.id()
            })
        }
        "Istio" => replace(&mut observed.istio_crs, applied, |live, new| {
            live.id() == new.id()
        }),
        _ => {}
    }
}

fn replace<T>(list: &mut Vec<T>, new: T, is_same: impl Fn(&T, &T) -> bool) {
    list.retain(|live| !is_same(live, &new));
    list.push(new);
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        return target.clone_from(patch);
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        match value {
            Value::Null => drop(target.as_object_mut().unwrap().remove(key)),
            value => merge(&mut target[key.as_str()], value),
        }
    }
}
