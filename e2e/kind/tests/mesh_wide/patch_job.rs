//! The Job `istio-kyma-patch`, as `patch --job` prints it: the plugin's image judges from inside the cluster.

use e2e_kind::{install, kubectl, plugin, until, variable};

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

/// The Job with its account and rights; they go when the test ends, whatever happens.
struct Job {
    manifests: String,
}

impl Job {
    fn printed() -> Self {
        let image = variable("KYMA_E2E_IMAGE");
        let print = ["patch", "--job", "--verify-only", "--image", &image];
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
