//! A cluster for a test. Only this file knows where it comes from: a real control plane, kwok's nodes, and istiod as a process
//! beside it. Another source of kubeconfigs needs this file only.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lab::kubernetes::{ControlPlane, Istiod, IstiodOptions, NodeSpec};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Ran, plugin};

/// Dropped from top to bottom: istiod before what it talks to.
pub struct Cluster {
    istiod: Mutex<Option<Istiod>>,
    control_plane: ControlPlane,
    folder: TempDir,
    _place: Place,
}

impl Cluster {
    /// One node of 4 CPUs: too small for the production profile.
    pub fn small() -> Self {
        Self::with_nodes(&[NodeSpec::new("node-1")])
    }

    /// Three nodes in three zones, 12 CPUs and 24 GiB together.
    pub fn large() -> Self {
        let nodes = ["a", "b", "c"].map(|zone| NodeSpec {
            labels: vec![("topology.kubernetes.io/zone".into(), zone.into())],
            ..NodeSpec::new(format!("node-{zone}"))
        });
        Self::with_nodes(&nodes)
    }

    /// An API server alone: nobody but the test writes.
    pub fn quiet() -> Self {
        Self::new(ControlPlane::start)
    }

    fn with_nodes(nodes: &[NodeSpec]) -> Self {
        Self::new(|| ControlPlane::with_nodes(nodes))
    }

    fn new(start: impl FnOnce() -> lab::Result<ControlPlane>) -> Self {
        let place = Place::take();
        Self {
            istiod: Mutex::new(None),
            control_plane: start().expect("a control plane"),
            folder: TempDir::with_prefix("e2e-mesh-").expect("a folder"),
            _place: place,
        }
    }

    /// An administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        self.control_plane.kubeconfig()
    }

    /// The kubeconfig of somebody who may do what RBAC says.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> PathBuf {
        self.control_plane
            .kubeconfig_for(user, groups)
            .expect("a kubeconfig")
    }

    /// The kubeconfig of `ann`, who may read these API groups.
    #[track_caller]
    pub fn reader(&self, groups: &[&str]) -> String {
        let role = json!({ "apiVersion": "v1", "kind": "List", "items": [
            { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "reader" },
              "rules": [{ "apiGroups": groups, "resources": ["*"], "verbs": ["get", "list", "watch"] }] },
            { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "reader" },
              "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader" },
              "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers" }] },
        ] });
        self.apply(&role.to_string());
        let can = [
            "auth",
            "can-i",
            "list",
            "pods",
            "--as=ann",
            "--as-group=readers",
        ];
        self.until("the reader's rights", &can, |answer| answer.trim() == "yes");
        self.kubeconfig_for("ann", &["readers"])
            .display()
            .to_string()
    }

    /// A holder that died is waited for during the whole life of its Lease: a second is enough here.
    #[track_caller]
    pub fn shorten_the_lease(&self) {
        let short = r#"{"spec":{"leaseDurationSeconds":1}}"#;
        self.kubectl(&[
            "patch",
            "lease",
            "kyma-istio",
            "--namespace=default",
            "--type=merge",
            "--patch",
            short,
        ]);
    }

    /// The plugin as administrator, with more of its environment or as another user if need be.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = plugin();
        command.env("KUBECONFIG", self.kubeconfig()).args(arguments);
        command
    }

    /// What the plugin does as administrator.
    pub fn plugin(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// `install --yes`, with istiod starting as soon as its Deployment is there.
    pub fn install(&self, arguments: &[&str]) -> Ran {
        let arguments = [&["install", "--yes"], arguments].concat();
        self.with_istiod(|| self.plugin(&arguments))
    }

    /// Runs what brings istiod's Deployment. On a cluster with kubelets this would be all there is to do.
    pub fn with_istiod<T>(&self, installs: impl FnOnce() -> T) -> T {
        let mut istiod = self.istiod.lock().unwrap_or_else(PoisonError::into_inner);
        if istiod.is_some() {
            return installs();
        }
        thread::scope(|scope| {
            let starting =
                scope.spawn(|| Istiod::start(&self.control_plane, &IstiodOptions::default()));
            let installed = installs();
            match starting.join().expect("no panic") {
                Ok(started) => *istiod = Some(started),
                // What was installed says why.
                Err(error) => println!("istiod did not start: {error}"),
            }
            installed
        })
    }

    /// Ends istiod, as if its pods were gone; the objects stay, the webhooks too.
    ///
    /// Not before istiod has written `Fail` into them, which it does a moment after it serves: with the `Ignore` they are installed
    /// with, the API server goes on without an answer.
    #[track_caller]
    pub fn end_istiod(&self) {
        let policies = [
            "get",
            "validatingwebhookconfigurations",
            "--output=jsonpath={.items[*].webhooks[*].failurePolicy}",
        ];
        self.until("istiod's `Fail`", &policies, |answer| {
            let mut found = answer.split_whitespace().peekable();
            found.peek().is_some() && found.all(|policy| policy == "Fail")
        });
        drop(
            self.istiod
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    /// The API server is gone meanwhile.
    pub fn without_api_server(&self, meanwhile: impl FnOnce()) {
        self.control_plane
            .without_api_server(meanwhile)
            .expect("an API server that comes back");
    }

    /// What kubectl prints as administrator.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.control_plane
            .kubectl(arguments)
            .unwrap_or_else(|error| panic!("kubectl {}: {error}", arguments.join(" ")))
    }

    /// Objects as administrator, by `kubectl apply --server-side`.
    #[track_caller]
    pub fn apply(&self, manifests: &str) {
        self.apply_as(manifests, "somebody");
    }

    /// The same as this field manager.
    #[track_caller]
    pub fn apply_as(&self, manifests: &str, manager: &str) {
        let manager = format!("--field-manager={manager}");
        let apply = ["apply", "--server-side", &manager, "--filename=-"];
        self.control_plane
            .kubectl_with(manifests, &apply)
            .unwrap_or_else(|error| panic!("kubectl apply: {error}"));
    }

    /// One object, or several as a list.
    #[track_caller]
    pub fn get(&self, what: &[&str]) -> Value {
        let text = self.kubectl(&[&["get", "--output=json"], what].concat());
        serde_json::from_str(&text).expect("JSON of kubectl")
    }

    /// Waits until kubectl's answer is as wanted.
    #[track_caller]
    pub fn until(&self, what: &str, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        self.control_plane
            .kubectl_until(what, PATIENCE, arguments, wanted)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs the plugin again and again until it ends as wanted: the API server hears of changed webhooks a moment later.
    #[track_caller]
    pub fn plugin_until(&self, arguments: &[&str], wanted: impl Fn(&Ran) -> bool) -> Ran {
        let end = Instant::now() + PATIENCE;
        loop {
            let ran = self.plugin(arguments);
            if wanted(&ran) {
                return ran;
            }
            assert!(Instant::now() < end, "never as wanted: {ran}");
        }
    }

    /// A file with this text; its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

/// Controllers, kwok and istiod are done with anything long before.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of two: more control planes at once only get in each other's way.
struct Place;

static PLACES: (Mutex<usize>, Condvar) = (Mutex::new(2), Condvar::new());

impl Place {
    fn take() -> Self {
        let places = PLACES.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut places = PLACES
            .1
            .wait_while(places, |places| *places == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *places -= 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *PLACES.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        PLACES.1.notify_one();
    }
}
