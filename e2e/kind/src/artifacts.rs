//! What is kept of a scenario that failed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cluster::{Kubectl, kubectl};

/// Writes the state of a namespace, its proxies and istiod to `$KYMA_E2E_ARTIFACTS/<namespace>`. Failing here is told, no more.
pub(crate) fn collect(namespace: &str) {
    let folder = std::env::var_os("KYMA_E2E_ARTIFACTS")
        .map_or_else(|| PathBuf::from("out/e2e"), PathBuf::from)
        .join(namespace);
    if let Err(error) = fs::create_dir_all(&folder) {
        eprintln!("no artifacts: {}: {error}", folder.display());
        return;
    }
    let in_space = |arguments: &[&str]| kubectl(arguments.iter().copied()).within(namespace);
    let events = in_space(&["get", "events", "--sort-by=.lastTimestamp"]);
    keep(&folder, "events.txt", events);
    let mesh = "wasmplugins,gateways.networking.istio.io,virtualservices,authorizationpolicies,requestauthentications";
    keep(
        &folder,
        "mesh.yaml",
        in_space(&["get", mesh, "--output=yaml"]),
    );
    let pods = in_space(&["get", "pods", "--output=json"]).tried();
    for (pod, container) in containers(pods.as_deref().unwrap_or_default()) {
        let of = format!("--container={container}");
        let logs = in_space(&["logs", &pod, &of, "--tail=2000"]);
        keep(&folder, &format!("{pod}.{container}.log"), logs);
        if container == "istio-proxy" {
            for (what, file) in [("config_dump", "config.json"), ("stats", "stats.txt")] {
                let ask = in_space(&[
                    "exec",
                    &pod,
                    &of,
                    "--",
                    "pilot-agent",
                    "request",
                    "GET",
                    what,
                ]);
                keep(&folder, &format!("{pod}.{file}"), ask);
            }
        }
    }
    let described = in_space(&["describe", "pods"]);
    keep(&folder, "pods.txt", described);
    let istiod = kubectl(["logs", "deployment/istiod", "--tail=2000"]).within("istio-system");
    keep(&folder, "istiod.log", istiod);
    eprintln!("artifacts: {}", folder.display());
}

fn keep(folder: &Path, file: &str, call: Kubectl) {
    let text = call.tried().unwrap_or_else(|why| why);
    if let Err(error) = fs::write(folder.join(file), text) {
        eprintln!("no artifact {file}: {error}");
    }
}

/// Pods with each of their containers, sidecars of either kind among them.
fn containers(pods: &str) -> Vec<(String, String)> {
    let list: Value = serde_json::from_str(pods).unwrap_or_default();
    let mut found = Vec::new();
    for pod in list["items"].as_array().into_iter().flatten() {
        for kind in ["initContainers", "containers"] {
            for container in pod["spec"][kind].as_array().into_iter().flatten() {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                found.push((text(&pod["metadata"]["name"]), text(&container["name"])));
            }
        }
    }
    found
}
