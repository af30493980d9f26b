//! Questions that only a try answers: dry-run creates, which the server judges and forgets.

use http::Method;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::Status;
use mesh::observed::{ISTIO_SYSTEM, KYMA_SYSTEM, ProbeResult, Probes};
use serde_json::{Value, json};

use crate::api::{About, Answer, Body, Failure, send_once};
use crate::connect::Connection;
use crate::error::first_line;
use crate::kinds::{self, Kind};
use crate::list::{Query, list};
use crate::proxy::enforced;

/// The name of what is never created.
const NAME: &str = "kyma-istio-probe";
/// Namespaces with one of these labels have injection.
const INJECTION: [&str; 2] = ["istio-injection", "istio.io/rev"];

/// Asks. Whatever goes wrong makes an answer unproved, with the reason. `gauge` is that of [`enforced`].
pub async fn probe(connection: &Connection, gauge: &dyn Fn(&str) -> Option<u64>) -> Probes {
    let (invalid_policy_refused, pod_injected, filter_enforced) = tokio::join!(
        invalid_policy(connection),
        injection(connection),
        enforced(connection, gauge)
    );
    Probes {
        invalid_policy_refused,
        pod_injected,
        filter_enforced,
    }
}

/// A policy that its CRD's schema allows and istiod's validation does not.
async fn invalid_policy(connection: &Connection) -> ProbeResult {
    let value = json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": { "name": NAME, "namespace": ISTIO_SYSTEM },
        "spec": { "rules": [{ "when": [{ "key": "kyma-istio.no-such-attribute", "values": ["x"] }] }] },
    });
    let kind = match authorization_policies(connection).await {
        Ok(kind) => kind,
        Err(why) => return unproved(why),
    };
    match create(connection, &kind, ISTIO_SYSTEM, &kind_of(value, &kind)).await {
        Ok(_) => ProbeResult::No {
            evidence: "an AuthorizationPolicy with an unknown attribute is accepted".to_owned(),
        },
        Err(Refusal {
            status: Some(status),
            ..
        }) if is_by_istio(&status) => ProbeResult::Yes {
            evidence: first_line(&status.message),
        },
        Err(refusal) => unproved(refusal.why),
    }
}

/// In the version that the server has: before Istio 1.22 there was no `v1`.
async fn authorization_policies(connection: &Connection) -> Result<Kind, String> {
    for version in ["security.istio.io/v1", "security.istio.io/v1beta1"] {
        match kinds::find(connection, version, "AuthorizationPolicy").await {
            Ok(Some(kind)) => return Ok(kind),
            Ok(None) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("the cluster has no AuthorizationPolicy".to_owned())
}

/// A pod where injection is on; where it is on nowhere, a pod that asks for it by its own label.
async fn injection(connection: &Connection) -> ProbeResult {
    let namespaces = list::<Namespace>(
        connection,
        &Kind::known("v1", "namespaces", false),
        Query::default(),
    )
    .await;
    let labelled = namespaces
        .unwrap_or_default()
        .into_iter()
        .filter(has_injection)
        .filter_map(|it| it.metadata.name);
    // Kyma's own first: it is the one that must have it.
    let namespace = labelled.min_by_key(|name| (name != KYMA_SYSTEM, name.clone()));
    let by_label = namespace.is_none();
    let namespace = namespace.unwrap_or_else(|| "default".to_owned());
    let kind = Kind::known("v1", "pods", true);
    let pod = pod(&namespace, by_label);
    match create(connection, &kind, &namespace, &pod).await {
        Ok(answer) => match proxy_image(&answer.body) {
            Some(image) => ProbeResult::Yes {
                evidence: format!("a pod in `{namespace}` gets `istio-proxy` ({image})"),
            },
            None => ProbeResult::No {
                evidence: format!("a pod in `{namespace}` gets no `istio-proxy`"),
            },
        },
        Err(refusal) => unproved(refusal.why),
    }
}

fn has_injection(namespace: &Namespace) -> bool {
    let labels = namespace.metadata.labels.as_ref();
    let label = |key: &str| {
        labels
            .and_then(|labels| labels.get(key))
            .map(String::as_str)
    };
    let is_going = namespace.metadata.deletion_timestamp.is_some();
    let is_on = INJECTION
        .iter()
        .any(|key| label(key).is_some_and(|value| value != "disabled"));
    is_on && label("istio-injection") != Some("disabled") && !is_going
}

/// As harmless as a pod can be, so that no admission rule but injection has something to say.
fn pod(namespace: &str, asks: bool) -> Value {
    let labels = if asks {
        json!({ "sidecar.istio.io/inject": "true" })
    } else {
        json!({})
    };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": NAME, "namespace": namespace, "labels": labels },
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false,
            "securityContext": { "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "probe", "image": "probe",
                "resources": { "requests": { "cpu": "1m", "memory": "1Mi" }, "limits": { "cpu": "1m", "memory": "1Mi" } },
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        },
    })
}

/// A native sidecar is an init container.
fn proxy_image(pod: &Value) -> Option<String> {
    let lists = ["/spec/containers", "/spec/initContainers"];
    let containers = lists
        .iter()
        .filter_map(|list| pod.pointer(list)?.as_array())
        .flatten();
    let mut proxies = containers.filter(|container| container["name"] == "istio-proxy");
    Some(
        proxies
            .next()?
            .get("image")
            .and_then(Value::as_str)
            .unwrap_or("no image")
            .to_owned(),
    )
}

/// The server's no, if it gave one, and what it means.
struct Refusal {
    status: Option<Box<Status>>,
    why: String,
}

async fn create(
    connection: &Connection,
    kind: &Kind,
    namespace: &str,
    value: &Value,
) -> Result<Answer, Refusal> {
    let path = format!(
        "{}?dryRun=All&fieldManager={}",
        kind.collection(Some(namespace)),
        crate::apply::MANAGER
    );
    let body = Body {
        media: "application/json",
        value,
    };
    let about = About {
        namespace: Some(namespace.to_owned()),
        ..About::all("create", kind.resource())
    };
    // Once: a webhook that can't be called answers 500, and that is an answer here.
    match send_once(connection, &about, Method::POST, &path, Some(body)).await {
        Ok(answer) => Ok(answer),
        Err(Failure::Status(status)) if status.code != 403 => {
            let why = format!(
                "the server answers {}: {}",
                status.code,
                first_line(&status.message)
            );
            Err(Refusal {
                status: Some(status),
                why,
            })
        }
        Err(Failure::Status(status)) => {
            let why = about
                .error(connection, Failure::Status(status.clone()))
                .to_string();
            Err(Refusal {
                status: Some(status),
                why,
            })
        }
        Err(failure) => Err(Refusal {
            status: None,
            why: about.error(connection, failure).to_string(),
        }),
    }
}

fn kind_of(mut value: Value, kind: &Kind) -> Value {
    value["apiVersion"] = json!(kind.api_version);
    value
}

/// `admission webhook "validation.istio.io" denied the request: …`; older ones are called `pilot.validation.istio.io`.
fn is_by_istio(status: &Status) -> bool {
    status.message.contains("admission webhook")
        && status.message.contains("validation.istio.io")
        && status.message.contains("denied the request")
}

fn unproved(why: String) -> ProbeResult {
    ProbeResult::Unproved { why }
}
