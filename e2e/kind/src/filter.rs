//! The filter: pushed to a registry in the cluster, deployed as a WasmPlugin, and proved to run.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use delivery::{Credentials, Deliverable, Image, Layout, Options, Provenance, Reference};
use serde_json::{Value, json};

use crate::cluster::{kubectl, until};
use crate::facts::{facts, variable};
use crate::program::plugin;
use crate::space::{LABEL, Space};

/// Shared by all scenarios; `e2e/run.sh` removes it in the end.
const NAMESPACE: &str = "e2e-registry";
/// A name in `.local` is what istio-agent takes for a registry that may speak plain HTTP.
const INSIDE: &str = "registry.e2e-registry.svc.cluster.local:5000";
const REPOSITORY: &str = "kyma-istio/header-policy";

/// A registry in the cluster with the filter in it.
#[derive(Debug)]
pub struct Registry {
    digest: String,
}

/// A WasmPlugin of ours.
#[derive(Debug, Clone)]
pub struct Plugin<'p> {
    /// Its name.
    pub name: &'p str,
    /// The app or gateway whose proxies run it.
    pub app: &'p str,
    /// `AUTHN`, `AUTHZ`, `STATS`; `UNSPECIFIED_PHASE` is in front of the router.
    pub phase: &'p str,
    /// Only these: `SERVER` is traffic to the app; none is all.
    pub mode: Option<&'p str>,
    /// The policy's `spec`.
    pub spec: Value,
}

impl Registry {
    /// Starts the registry and pushes the filter (`$KYMA_ISTIO_WASM`), once for all scenarios of a process.
    ///
    /// # Panics
    /// It doesn't start, or doesn't take the filter.
    #[track_caller]
    #[must_use]
    pub fn shared() -> Self {
        static DIGEST: Mutex<Option<String>> = Mutex::new(None);
        let mut digest = DIGEST.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = digest.get_or_insert_with(|| {
            start();
            push(address())
        });
        Self {
            digest: digest.clone(),
        }
    }

    /// The filter as proxies fetch it, pinned.
    #[must_use]
    pub fn url(&self) -> String {
        format!("oci://{INSIDE}/{REPOSITORY}@{}", self.digest)
    }

    /// An image that isn't there.
    #[must_use]
    pub fn no_such_url() -> String {
        format!("oci://{INSIDE}/no/such-image:1")
    }
}

fn start() {
    let metadata = json!({ "name": "registry", "namespace": NAMESPACE });
    let labels = json!({ "app": "registry" });
    let config = "version: 0.1\nstorage: {filesystem: {rootdirectory: /tmp/registry}}\nhttp: {addr: ':5000'}\n";
    let objects = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE, "labels": { LABEL: "registry" } } },
        { "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "config.yml": config } },
        { "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {
            "type": "NodePort", "selector": labels, "ports": [{ "port": 5000 }],
        } },
        { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": {
                "containers": [{
                    "name": "registry", "image": facts().registry, "args": ["serve", "/etc/registry/config.yml"],
                    "volumeMounts": [{ "name": "config", "mountPath": "/etc/registry" }],
                    "readinessProbe": { "httpGet": { "path": "/v2/", "port": 5000 }, "periodSeconds": 1 },
                }],
                "volumes": [{ "name": "config", "configMap": { "name": "registry" } }],
            } },
        } },
    ] });
    kubectl([
        "apply",
        "--server-side",
        "--field-manager=e2e",
        "--filename=-",
    ])
    .given(objects.to_string())
    .done();
    kubectl(["rollout", "status", "--timeout=120s", "deployment/registry"])
        .within(NAMESPACE)
        .done();
}

/// Where we reach it.
fn address() -> SocketAddr {
    let service = kubectl(["get", "service", "registry", "--output=json"])
        .within(NAMESPACE)
        .json();
    let port = service["spec"]["ports"][0]["nodePort"].as_u64();
    let port = port.and_then(|port| u16::try_from(port).ok());
    SocketAddr::new(facts().node_address, port.expect("a NodePort"))
}

fn push(registry: SocketAddr) -> String {
    let bytes = fs::read(variable("KYMA_ISTIO_WASM")).expect("the filter: run `make wasm`");
    let deliverable = Deliverable::check(bytes).expect("a module that Envoy can load");
    let image = Image::build(&deliverable, Layout::Compat, &Provenance::default());
    let reference: Reference = format!("{registry}/{REPOSITORY}:e2e")
        .parse()
        .expect("a reference");
    let options = Options {
        plain_http: true,
        ..Options::default()
    };
    // The port of a Service that is seconds old may not be open yet.
    until("the registry to take the filter", || {
        delivery::Registry::connect(&reference, Credentials::Anonymous, &options)?
            .push(&reference, &image)
    });
    image.digest().to_string()
}

impl Space {
    /// Applies a plugin and waits until every proxy of its app runs exactly this policy, as the filter's own gauge says.
    #[track_caller]
    pub fn enforce(&self, registry: &Registry, wanted: &Plugin<'_>) {
        self.deploy(wanted, &registry.url());
        let fingerprint = fingerprint(&wanted.spec);
        until("the filter's gauge to name the policy", || {
            match self.running(wanted) {
                found if found == fingerprint => Ok(()),
                found => Err(format!("expected {fingerprint}, found {found}")),
            }
        });
    }

    /// Applies a plugin with this image, and waits for nothing.
    #[track_caller]
    pub fn deploy(&self, wanted: &Plugin<'_>, url: &str) {
        let Plugin {
            name, app, phase, ..
        } = wanted;
        let matches: Vec<Value> = wanted
            .mode
            .map(|mode| json!({ "mode": mode }))
            .into_iter()
            .collect();
        self.apply(&json!({
            "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": { "name": name },
            "spec": {
                "url": url, "phase": phase, "failStrategy": "FAIL_CLOSE", "match": matches,
                "selector": { "matchLabels": { "app": app } },
                "pluginConfig": { "apiVersion": "policy.kyma-istio.dev/v1alpha1", "spec": wanted.spec },
            },
        }));
    }

    /// The gauge of the plugin in the one proxy of its app; 0 where it isn't.
    #[track_caller]
    #[must_use]
    pub fn running(&self, wanted: &Plugin<'_>) -> u64 {
        let deployment = format!("deployment/{}", wanted.app);
        let ask = "stats?filter=policy_fingerprint&format=json";
        let arguments = ["exec", &deployment, "--container=istio-proxy", "--"];
        let stats = kubectl(
            arguments
                .into_iter()
                .chain(["pilot-agent", "request", "GET", ask]),
        )
        .within(self.name())
        .json();
        // Istio calls a plugin `<namespace>.<name>…`; the filter writes `~2e` for the dot, which would cut the metric's name.
        let ours = format!(".{}~2e{}", self.name(), wanted.name);
        let gauges = stats["stats"].as_array().into_iter().flatten();
        gauges
            .filter(|gauge| {
                gauge["name"]
                    .as_str()
                    .is_some_and(|name| name.contains(&ours))
            })
            .find_map(|gauge| gauge["value"].as_u64())
            .unwrap_or(0)
    }
}

/// What the gauge must read: the first 52 bits of the fingerprint that the plugin computes.
#[track_caller]
fn fingerprint(spec: &Value) -> u64 {
    let policy = json!({
        "apiVersion": "policy.kyma-istio.dev/v1alpha1", "kind": "HeaderPolicy", "metadata": { "name": "e2e" }, "spec": spec,
    });
    let file = std::env::temp_dir().join(format!(
        "kyma-istio-e2e-{:?}.json",
        std::thread::current().id()
    ));
    fs::write(&file, policy.to_string()).expect("a temporary file");
    let path = file.display().to_string();
    let ran = plugin(&["filter", "validate", "--output=json", &path]).exits(0);
    let _ = fs::remove_file(&file);
    let answer: Value = serde_json::from_str(&ran.stdout).expect("JSON of the plugin");
    let hex = answer["documents"][0]["fingerprint"].as_str();
    let first = hex.and_then(|hex| hex.get(..13)).expect("a fingerprint");
    u64::from_str_radix(first, 16).expect("hexadecimal digits")
}
