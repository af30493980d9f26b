//! The Job `istio-kyma-patch` (lab/kind/patch-job.yaml): `verify` from inside the cluster.

use e2e_kind::{install, kubectl, until, variable};

const JOB: &str = include_str!("../../../../lab/kind/patch-job.yaml");
const MESH_WIDE: &str = "peerauthentication/default";

#[test]
fn the_patch_job_fails_on_a_permissive_mesh_and_its_log_names_the_criterion() {
    let _removed = Removed;
    let (condition, log) = run();
    assert_eq!(condition, "Complete", "{log}");
    assert!(log.contains("all 5 criteria are met"), "{log}");

    let restored = Restored;
    let patch = r#"{"spec": {"mtls": {"mode": "PERMISSIVE"}}}"#;
    kubectl(["patch", MESH_WIDE, "--type=merge", "--patch", patch])
        .within("istio-system")
        .done();
    let (condition, log) = run();
    assert_eq!(condition, "Failed", "{log}");
    assert!(log.contains("KI-V002  mtls-strict"), "{log}");
    assert!(log.contains("PERMISSIVE, expected STRICT"), "{log}");

    // Whose field it is now, install says first; told so, it repairs what drifted.
    let _ = install(&["--profile", "evaluation", "--yes"]).exits(5);
    let _ = install(&["--profile", "evaluation", "--yes", "--force-conflicts"]).exits(0);
    let (condition, log) = run();
    assert_eq!(condition, "Complete", "{log}");
    drop(restored);
}

/// How the Job ended, and what `kubectl logs -l app=istio-kyma-patch` prints.
fn run() -> (String, String) {
    let within = |arguments: &[&str]| kubectl(arguments.iter().copied()).within("istio-system");
    within(&["delete", "job", "istio-kyma-patch", "--ignore-not-found"]).done();
    let job = JOB.replace(
        "image: IMAGE",
        &format!("image: {}", variable("KYMA_E2E_IMAGE")),
    );
    kubectl([
        "apply",
        "--server-side",
        "--field-manager=e2e",
        "--filename=-",
    ])
    .given(job)
    .done();
    let ended = until("the Job to end", || {
        let job = within(&["get", "job", "istio-kyma-patch", "--output=json"]).json();
        let conditions = job["status"]["conditions"].as_array().cloned();
        let types = conditions
            .unwrap_or_default()
            .into_iter()
            .filter_map(|one| {
                let kind = one["type"].as_str()?.to_owned();
                (one["status"] == "True").then_some(kind)
            });
        let mut ends = types.filter(|kind| kind == "Complete" || kind == "Failed");
        ends.next().ok_or_else(|| job["status"].to_string())
    });
    let log = within(&["logs", "--selector=app=istio-kyma-patch", "--tail=-1"]).done();
    (ended, log)
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

/// Whatever happens, the Job and its rights go.
struct Removed;

impl Drop for Removed {
    fn drop(&mut self) {
        let delete = kubectl(["delete", "--ignore-not-found", "--filename=-"]);
        if let Err(why) = delete.given(JOB.to_owned()).tried() {
            println!("{why}");
        }
    }
}
