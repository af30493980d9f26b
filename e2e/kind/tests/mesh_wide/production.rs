//! The other profile.

use e2e_kind::{install, kubectl, until, verify};

#[test]
fn the_production_profile_installs_and_verifies_and_the_evaluation_profile_comes_back() {
    let restored = Restored;
    let _ = install(&["--profile", "production", "--yes"]).exits(0);
    let _ = verify(&[]).exits(0);
    // The mission's table.
    for (deployment, replicas) in [("istiod", 2), ("istio-ingressgateway", 3)] {
        until("the replicas of the production profile", || {
            let object = kubectl(["get", "deployment", deployment, "--output=json"])
                .within("istio-system")
                .json();
            match object["status"]["readyReplicas"].as_u64() {
                Some(ready) if ready >= replicas => Ok(()),
                ready => Err(format!(
                    "{deployment}: {ready:?} ready, expected {replicas}"
                )),
            }
        });
    }
    drop(restored);
    let _ = verify(&[]).exits(0);
}

/// Whatever happens, the evaluation profile is back.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        let ran = install(&["--profile", "evaluation", "--yes"]);
        if ran.code != 0 {
            println!("{ran}");
        }
    }
}
