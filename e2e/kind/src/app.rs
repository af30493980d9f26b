//! The app: answers every request with the request it got, and makes requests when told to.

use serde_json::{Value, json};

use crate::cluster::kubectl;
use crate::facts::facts;
use crate::http::Answer;
use crate::space::Space;

/// Whether an app's pod gets a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sidecar {
    /// As the namespace says.
    AsNamespace,
    /// Whatever the namespace says, none.
    Never,
}

/// One pod with the echo program, a Service `http://<name>` and a service account of that name.
#[derive(Debug)]
pub struct App<'s> {
    space: &'s Space,
    name: String,
}

impl Space {
    /// Starts an app. [`Space::ready`] waits for it.
    #[track_caller]
    #[must_use]
    pub fn app(&self, name: &str, sidecar: Sidecar) -> App<'_> {
        self.apply(&objects(name, sidecar));
        App {
            space: self,
            name: name.to_owned(),
        }
    }
}

fn objects(name: &str, sidecar: Sidecar) -> Value {
    let mut labels = json!({ "app": name });
    if sidecar == Sidecar::Never {
        labels["sidecar.istio.io/inject"] = json!("false");
    }
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } },
        { "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": {
            "selector": { "app": name }, "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }],
        } },
        { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name }, "spec": {
            "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": labels }, "spec": {
                "serviceAccountName": name,
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "app", "image": facts().echo, "ports": [{ "containerPort": 8080 }],
                    // Once ready it stays so, however busy the machine is.
                    "readinessProbe": {
                        "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 1, "failureThreshold": 60,
                    },
                }],
            } },
        } },
    ] })
}

impl App<'_> {
    /// A request from inside its pod, and what came back; no answer at all is an error.
    ///
    /// # Errors
    /// No connection, or one that was closed: kubectl's words.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        let deployment = format!("deployment/{}", self.name);
        let lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let mut arguments = vec!["exec", &deployment, "--container=app", "--"];
        arguments.extend(["/usr/local/bin/echo", "get"]);
        for line in &lines {
            arguments.extend(["-H", line]);
        }
        arguments.push(url);
        let said = kubectl(arguments).within(self.space.name()).tried()?;
        serde_json::from_str(&said).map_err(|error| format!("{error} in {said}"))
    }

    /// The SPIFFE identity of its sidecar.
    #[must_use]
    pub fn identity(&self) -> String {
        let namespace = self.space.name();
        format!("spiffe://cluster.local/ns/{namespace}/sa/{}", self.name)
    }
}
