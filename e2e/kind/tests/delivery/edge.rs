//! A gateway with a policy on it, brought by the plugin's own verbs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use delivery::Digest;
use e2e_kind::{
    App, Gateway, Ran, Registry, Sidecar, Space, facts, kubectl, plugin, until, variable, verify,
};
use serde_json::{Value, json};

/// Refused by [`policy`].
pub const BANNED: &str = "203.0.113.66";
/// Refused by [`other_policy`].
pub const ALSO_BANNED: &str = "203.0.113.67";
/// Refused by neither.
pub const WELCOME: &str = "203.0.113.9";

/// One trusted proxy; the client goes on alone, and BANNED doesn't.
pub fn policy() -> Value {
    banning(BANNED)
}

/// The same against ALSO_BANNED.
pub fn other_policy() -> Value {
    banning(ALSO_BANNED)
}

fn banning(client: &str) -> Value {
    json!({
        "position": "Gateway",
        "forwarded": { "trust": { "hops": 1 }, "outbound": "Replace", "clientIpHeader": "x-client-ip", "deny": [format!("{client}/32")] },
        "replies": { "reasonHeader": "x-refused" },
    })
}

/// A namespace with an app, a gateway in front of it, and a policy named as the gateway.
#[derive(Debug)]
pub struct Edge<'s> {
    pub space: &'s Space,
    pub gateway: Gateway<'s>,
    _app: App<'s>,
    folder: PathBuf,
}

const NAME: &str = "edge";

impl<'s> Edge<'s> {
    #[track_caller]
    pub fn new(space: &'s Space) -> Self {
        let app = space.app("app", Sidecar::Never);
        let gateway = space.gateway(NAME, 0, "app");
        let folder = std::env::temp_dir().join(space.name());
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        gateway.serves();
        Self {
            space,
            gateway,
            _app: app,
            folder,
        }
    }

    /// `[NAMESPACE/]NAME` of the policy.
    pub fn policy(&self) -> String {
        format!("{}/{NAME}", self.space.name())
    }

    /// A policy file for this gateway; its path.
    #[track_caller]
    pub fn file(&self, mut spec: Value) -> String {
        if spec["target"].is_null() {
            spec["target"] = json!({ "selector": { "app": NAME } });
        }
        let policy = json!({
            "apiVersion": "policy.kyma-istio.dev/v1alpha1", "kind": "HeaderPolicy",
            "metadata": { "name": NAME, "namespace": self.space.name() }, "spec": spec,
        });
        let path = self.folder.join("policy.json");
        std::fs::write(&path, policy.to_string()).expect("a policy file");
        path.display().to_string()
    }

    /// A file of the test's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `filter deploy` of this policy, with more arguments.
    #[track_caller]
    pub fn deploy(&self, spec: Value, arguments: &[&str]) -> Ran {
        let file = self.file(spec);
        let all = ["filter", "deploy", "--yes", "--file", &file];
        plugin(&[&all, arguments].concat())
    }

    /// Brings this policy, whatever somebody wrote into the plugin before, and it runs.
    #[track_caller]
    pub fn brings(&self, spec: Value, image: &str) {
        let arguments = ["--image", image, "--pull-secret", "", "--force-conflicts"];
        let ran = self.deploy(spec, &arguments).exits(0);
        assert!(
            ran.stdout
                .contains("running: every selected proxy says so itself"),
            "{ran}"
        );
    }

    /// Writes into the plugin past our verbs.
    #[track_caller]
    pub fn patch(&self, spec: Value) {
        let patch = json!({ "spec": spec }).to_string();
        kubectl([
            "patch",
            "wasmplugin",
            NAME,
            "--type=merge",
            "--patch",
            &patch,
        ])
        .within(self.space.name())
        .done();
    }

    /// The plugin as it stands on the cluster; none when it is gone.
    #[track_caller]
    pub fn plugin(&self) -> Option<Value> {
        let found = kubectl(["get", "wasmplugins", "--output=json"])
            .within(self.space.name())
            .json();
        let all = found["items"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["metadata"]["name"] == NAME)
    }

    /// `filter status -o json` of the one policy.
    #[track_caller]
    pub fn status(&self) -> Value {
        let ran = plugin(&["filter", "status", &self.policy(), "--output=json"]);
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
        answer["policies"][0].clone()
    }

    /// Waits until the proxies are in this state; the line that people see, with its code.
    #[track_caller]
    pub fn comes_to(&self, state: &str, code: &str) -> String {
        until(state, || {
            let status = self.status();
            let proxies = status["proxies"].as_array().cloned().unwrap_or_default();
            let states: BTreeSet<&str> = proxies
                .iter()
                .filter_map(|proxy| proxy["state"].as_str())
                .collect();
            match states == BTreeSet::from([state]) {
                true => Ok(()),
                false => Err(status.to_string()),
            }
        });
        let ran = plugin(&["filter", "status", &self.policy()]).exits(1);
        let is_it = |line: &&str| line.trim_start().starts_with(state) && line.contains(code);
        let line = ran
            .stdout
            .lines()
            .find(is_it)
            .unwrap_or_else(|| panic!("no {state} with {code}: {ran}"));
        println!("{}", line.trim());
        line.trim().to_owned()
    }

    /// `verify` says no to this policy, too; with what it says. Other scenarios break their own meanwhile.
    #[track_caller]
    pub fn is_not_verified(&self) -> String {
        let ran = verify(&["--output=json"]).exits(1);
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
        let mut criteria = answer["criteria"].as_array().into_iter().flatten();
        let enforcement = criteria
            .find(|one| one["code"] == "KI-V003")
            .unwrap_or_else(|| panic!("no KI-V003: {ran}"));
        assert_eq!(enforcement["met"], json!(false), "{ran}");
        let evidence = enforcement["evidence"].as_array().into_iter().flatten();
        let own = format!("policy {}: ", self.policy());
        let lines = evidence.filter_map(Value::as_str);
        let mut said = lines.flat_map(|line| line.split("; ")).map(str::to_owned);
        said.find(|line| line.starts_with(&own))
            .unwrap_or_else(|| panic!("nothing of {own}{ran}"))
    }

    /// The status that a client gets, and the filter's reason for it.
    #[track_caller]
    pub fn answers(&self, client: &str) -> (u16, Option<String>) {
        let answer = self.gateway.get("/", &[("x-forwarded-for", client)]);
        (answer.status, answer.header("x-refused"))
    }

    /// Waits until a client gets this status.
    #[track_caller]
    pub fn comes_to_answer(&self, client: &str, status: u16) {
        self.comes_to_answer_with(&[("x-forwarded-for", client)], status);
    }

    /// Waits until a request with these headers gets this status. A gateway that restarts gives none for a while.
    #[track_caller]
    pub fn comes_to_answer_with(&self, headers: &[(&str, &str)], status: u16) {
        until(&format!("{status} for {headers:?}"), || {
            match self.gateway.tried("/", headers)? {
                found if found.status == status => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
    }

    /// The filter judges: [`BANNED`] is refused by it and nobody else.
    #[track_caller]
    pub fn judges(&self) {
        assert_eq!(self.answers(BANNED), (403, Some("ClientDenied".to_owned())));
        assert_eq!(self.answers(WELCOME), (200, None));
    }
}

impl Drop for Edge<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where the registry is, from here as from the cluster's nodes and pods.
#[track_caller]
pub fn registry() -> SocketAddr {
    let _started = Registry::shared();
    let service = kubectl(["get", "service", "registry", "--output=json"])
        .within("e2e-registry")
        .json();
    let port = service["spec"]["ports"][0]["nodePort"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok());
    SocketAddr::new(facts().node_address, port.expect("a NodePort"))
}

/// `filter push` of a module, the embedded one without a file; the pinned reference.
#[track_caller]
pub fn push(tag: &str, file: Option<&str>) -> String {
    let reference = format!("{}/delivery/filter:{tag}", registry());
    let mut arguments = vec!["filter", "push", &reference];
    arguments.extend(file);
    arguments.extend(["--plain-http", "--output=json"]);
    // Two uploads of the same bytes that end at once in a new repository: the registry's folder answers one with 500.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let ran = {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        plugin(&arguments).exits(0)
    };
    let answer: Value = serde_json::from_str(&ran.stdout).expect("JSON of the plugin");
    answer["reference"]
        .as_str()
        .expect("a reference")
        .to_owned()
}

/// One bare layer, as many a command on the web makes it: past `filter push`, which makes only what works.
#[track_caller]
pub fn push_one_layer() -> String {
    let registry = format!("http://{}/v2/delivery/broken", registry());
    let blob = |bytes: &[u8]| -> Digest {
        let digest = Digest::of(bytes);
        let begun = ureq::post(format!("{registry}/blobs/uploads/"))
            .send_empty()
            .expect("an upload");
        let place = begun.headers()["location"].to_str().expect("a location");
        let put = ureq::put(format!("{place}&digest={digest}"))
            .header("content-type", "application/octet-stream");
        put.send(bytes).expect("a blob");
        digest
    };
    let (config, layer) = (b"{}".as_slice(), b"\0asm and more".as_slice());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.module.wasm.config.v1+json", "digest": blob(config), "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.module.wasm.content.layer.v1+wasm", "digest": blob(layer), "size": layer.len() }],
    })
    .to_string();
    ureq::put(format!("{registry}/manifests/one-layer"))
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .send(manifest.as_bytes())
        .expect("a manifest");
    let digest = Digest::of(manifest.as_bytes());
    format!("oci://{}/delivery/broken@{digest}", self::registry())
}

/// The filter with some bytes of its end, where its own sections are, replaced by as many others; its path.
#[track_caller]
pub fn changed_module(space: &Space, from: &str, to: &str) -> String {
    assert_eq!(from.len(), to.len());
    let mut bytes =
        std::fs::read(variable("KYMA_ISTIO_WASM")).expect("the filter: run `make wasm`");
    let at = bytes
        .windows(from.len())
        .rposition(|window| window == from.as_bytes())
        .expect("what is to be changed");
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    let path = std::env::temp_dir().join(format!("{}-{to}.wasm", space.name()).replace('/', "-"));
    std::fs::write(&path, bytes).expect("a module");
    path.display().to_string()
}
