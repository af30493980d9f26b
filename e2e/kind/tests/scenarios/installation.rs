//! What `install` left, and what STRICT mutual TLS does to real connections.

use e2e_kind::{Sidecar, Space, install, until, verify};

#[test]
fn installing_the_evaluation_profile_again_has_nothing_to_do() {
    let ran = install(&["--profile", "evaluation", "--yes"]).exits(0);
    assert!(ran.stdout.contains("nothing to do"), "{ran}");
}

#[test]
fn verify_meets_all_criteria() {
    let ran = verify(&["--output=json"]).exits(0);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let criteria = report["criteria"].as_array().expect("criteria");
    let met = criteria.iter().filter(|one| one["met"] == true);
    assert_eq!((criteria.len(), met.count()), (5, 5), "{ran}");
}

#[test]
fn strict_mutual_tls_refuses_plain_text_from_outside_the_mesh_and_accepts_a_sidecar() {
    let space = Space::injected("strict");
    let _server = space.app("server", Sidecar::AsNamespace);
    let _plain = space.app("plain", Sidecar::Never);
    let inside = space.app("inside", Sidecar::AsNamespace);
    let outside = space.app("outside", Sidecar::Never);
    space.ready(&["server", "plain", "inside", "outside"]);

    let answer = until("a sidecar to reach a sidecar", || {
        inside.get("http://server/", &[])
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    // The one outside can make requests, so what is refused below is refused by the sidecar.
    let answer = until("a pod without sidecar to reach another", || {
        outside.get("http://plain/", &[])
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    let refused = outside.get("http://server/", &[]).expect_err("no answer");
    assert!(
        refused.contains("connection reset") || refused.contains("EOF"),
        "{refused}"
    );
}
