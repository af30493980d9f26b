//! The Job `istio-kyma-patch`, as `patch --job` prints it: the plugin's image judges from inside the cluster.

use e2e_kind::{Registry, Sidecar, Space, facts, install, kubectl, plugin, until, variable};
use serde_json::json;

const MESH_WIDE: &str = "peerauthentication/default";

#[test]
fn the_patch_job_fails_on_a_permissive_mesh_and_its_log_names_the_criterion() {
    let job = Job::printed();
    let (condition, log) = job.run();
    assert_eq!(condition, "Complete", "{log}");
    assert!(log.contains("all 5 criteria are met"), "{log}");

    let restored = Restored;
    let patch = r#"{"spec": {"mtls": {"mode": "PERMISSIVE"}}}"#;
    kubectl(["patch", MESH_WIDE, "--type=merge", "--patch", patch])
        .within("istio-system")
        .done();
    let (condition, log) = job.run();
    assert_eq!(condition, "Failed", "{log}");
    assert!(log.contains("KI-V002  mtls-strict"), "{log}");
    assert!(log.contains("PERMISSIVE, expected STRICT"), "{log}");

    // Whose field it is now, install says first; told so, it repairs what drifted.
    let _ = install(&["--profile", "evaluation", "--yes"]).exits(5);
    let _ = install(&["--profile", "evaluation", "--yes", "--force-conflicts"]).exits(0);
    let (condition, log) = job.run();
    assert_eq!(condition, "Complete", "{log}");
    drop(restored);
}

#[test]
fn the_patch_job_asks_proxies_whether_they_run_their_policy() {
    let space = Space::new("job");
    let _app = space.app("app", Sidecar::Never);
    let gateway = space.gateway("edge", 0, "app");
    gateway.serves();
    deploy(&space, &Registry::shared().url());
    let job = Job::printed();
    let (condition, log) = job.run();
    assert_eq!(condition, "Complete", "{log}");
    assert!(log.contains("says itself that it runs its policy"), "{log}");

    let broken = json!({ "spec": { "url": Registry::no_such_url() } }).to_string();
    kubectl([
        "patch",
        "wasmplugin",
        "edge",
        "--type=merge",
        "--patch",
        &broken,
    ])
    .within(space.name())
    .done();
    let policy = format!("{}/edge", space.name());
    until("the proxy to have no module", || {
        let ran = plugin(&["filter", "status", &policy]);
        match ran.stdout.contains("DenyAll") {
            true => Ok(()),
            false => Err(ran.to_string()),
        }
    });
    let (condition, log) = job.run();
    assert_eq!(condition, "Failed", "{log}");
    assert!(log.contains("KI-V003  policy-enforcement"), "{log}");
    // Other scenarios judge the whole mesh too.
    space.remove("wasmplugin", "edge");
}

/// `filter deploy` on the gateway `edge`. The image's address is the cluster's own: from here it can't be rehearsed.
#[track_caller]
fn deploy(space: &Space, image: &str) {
    let policy = json!({
        "apiVersion": "policy.kyma-istio.dev/v1alpha1", "kind": "HeaderPolicy",
        "metadata": { "name": "edge", "namespace": space.name() },
        "spec": {
            "target": { "selector": { "app": "edge" } }, "position": "Gateway",
            "forwarded": { "trust": { "hops": 1 }, "outbound": "Replace", "clientIpHeader": "x-client-ip" },
        },
    });
    let file = std::env::temp_dir().join(format!("{}.json", space.name()));
    std::fs::write(&file, policy.to_string()).expect("a policy file");
    let path = file.display().to_string();
    let deploy = [
        "filter", "deploy", "--yes", "--file", &path, "--image", image,
    ];
    let ran = plugin(&[&deploy[..], &["--pull-secret", "", "--skip-rehearsal"]].concat());
    let _ = std::fs::remove_file(&file);
    let _ = ran.exits(0);
}

/// The Job with its account and rights; they go when the test ends, whatever happens.
struct Job {
    manifests: String,
}

impl Job {
    fn printed() -> Self {
        let image = variable("KYMA_E2E_IMAGE");
        let version = facts().version();
        let print = [
            "patch",
            "--job",
            "--verify-only",
            "--istio-version",
            version,
            "--image",
            &image,
        ];
        let manifests = plugin(&print).exits(0).stdout;
        Self { manifests }
    }

    /// How it ended, and what `kubectl logs -l app=istio-kyma-patch` prints.
    fn run(&self) -> (String, String) {
        let within = |arguments: &[&str]| kubectl(arguments.iter().copied()).within("istio-system");
        within(&["delete", "job", "istio-kyma-patch", "--ignore-not-found"]).done();
        let apply = [
            "apply",
            "--server-side",
            "--field-manager=e2e",
            "--filename=-",
        ];
        kubectl(apply).given(self.manifests.clone()).done();
        let ended = until("the Job to end", || {
            let job = within(&["get", "job", "istio-kyma-patch", "--output=json"]).json();
            let conditions = job["status"]["conditions"].as_array();
            let mut types = conditions
                .into_iter()
                .flatten()
                .filter(|one| one["status"] == "True")
                .filter_map(|one| one["type"].as_str());
            types
                .find(|kind| ["Complete", "Failed"].contains(kind))
                .map(str::to_owned)
                .ok_or_else(|| job["status"].to_string())
        });
        let log = within(&["logs", "--selector=app=istio-kyma-patch", "--tail=-1"]).done();
        (ended, log)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let delete = kubectl(["delete", "--ignore-not-found", "--filename=-"]);
        if let Err(why) = delete.given(self.manifests.clone()).tried() {
            println!("{why}");
        }
    }
}

/// Whatever happens, the mesh is STRICT again.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        let patch = r#"{"spec": {"mtls": {"mode": "STRICT"}}}"#;
        let call = kubectl(["patch", MESH_WIDE, "--type=merge", "--patch", patch]);
        if let Err(why) = call.within("istio-system").tried() {
            println!("{why}");
        }
    }
}
