//! A namespace of a scenario's own.

use std::thread;

use serde_json::{Value, json};

use crate::artifacts;
use crate::cluster::kubectl;

/// Marks what may be removed at any time; `e2e/run.sh` removes what killed runs left.
pub(crate) const LABEL: &str = "kyma-istio.test/e2e";

/// A namespace that goes when the scenario ends; if that fails, what can be known of it is kept in the artifacts first.
#[derive(Debug)]
pub struct Space {
    name: String,
}

impl Space {
    /// A namespace without injection: `e2e-<name>-<process>`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::labelled(name, json!({}))
    }

    /// A namespace whose pods get sidecars.
    #[must_use]
    pub fn injected(name: &str) -> Self {
        Self::labelled(name, json!({ "istio-injection": "enabled" }))
    }

    fn labelled(name: &str, mut labels: Value) -> Self {
        labels[LABEL] = json!("scenario");
        let space = Self {
            name: format!("e2e-{name}-{}", std::process::id()),
        };
        space.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": space.name, "labels": labels },
        }));
        space
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Applies an object; those without a namespace are put into this one.
    #[track_caller]
    pub fn apply(&self, object: &Value) {
        let namespaced = object["kind"] != "Namespace";
        let call = kubectl([
            "apply",
            "--server-side",
            "--field-manager=e2e",
            "--filename=-",
        ]);
        let call = if namespaced {
            call.within(&self.name)
        } else {
            call
        };
        call.given(object.to_string()).done();
    }

    /// Removes an object of this namespace.
    #[track_caller]
    pub fn remove(&self, kind: &str, name: &str) {
        kubectl(["delete", kind, name]).within(&self.name).done();
    }

    /// The pods of an app or a gateway that are not going away.
    #[track_caller]
    #[must_use]
    pub fn pods(&self, app: &str) -> Vec<Value> {
        let selector = format!("--selector=app={app}");
        let list = kubectl(["get", "pods", "--output=json", &selector])
            .within(&self.name)
            .json();
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .into_iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .collect()
    }

    /// Waits for Deployments to be rolled out, all their pods ready.
    #[track_caller]
    pub fn ready(&self, deployments: &[&str]) {
        for name in deployments {
            let deployment = format!("deployment/{name}");
            kubectl(["rollout", "status", "--timeout=150s", &deployment])
                .within(&self.name)
                .done();
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if thread::panicking() {
            artifacts::collect(&self.name);
        }
        if std::env::var_os("KEEP").is_none() {
            let delete = kubectl(["delete", "namespace", &self.name, "--wait=false"]);
            if let Err(why) = delete.tried() {
                eprintln!("{why}");
            }
        }
    }
}
