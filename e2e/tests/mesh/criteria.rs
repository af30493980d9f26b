//! Each criterion of `verify`, made to fail on a live mesh and then repaired.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Cluster, Ran};

#[test]
fn each_criterion_fails_for_its_own_reason_and_can_be_repaired() {
    let cluster = Cluster::small();
    cluster.install(&["--profile", "evaluation"]).exits(0);
    mtls_is_permissive(&cluster);
    istiod_has_another_version(&cluster);
    the_injectors_are_gone(&cluster);
    the_injector_cannot_be_reached(&cluster);
    the_validators_are_gone(&cluster);
    a_crd_is_gone(&cluster);
    a_crd_is_not_established(&cluster);
}

fn mtls_is_permissive(cluster: &Cluster) {
    cluster.kubectl(&patch(
        "peerauthentication",
        "default",
        r#"{"spec":{"mtls":{"mode":"PERMISSIVE"}}}"#,
    ));
    let failed = fails(cluster, &["KI-V002"], "PERMISSIVE, expected STRICT");
    // Its fix is a command that a user copies.
    run_the_fix(cluster, &failed, "KI-V002");
    is_repaired(cluster);
}

fn istiod_has_another_version(cluster: &Cluster) {
    let image =
        "discovery=europe-docker.pkg.dev/kyma-project/prod/external/istio/pilot:1.30.4-distroless";
    cluster.kubectl(&[
        "set",
        "image",
        "deployment/istiod",
        image,
        "--namespace=istio-system",
        "--field-manager=somebody",
    ]);
    fails(cluster, &["KI-V001"], "1.30.4, distroless");
    // Who changed it is told, and keeps it until the user says otherwise.
    cluster
        .plugin(&["install", "--profile", "evaluation", "--yes"])
        .exits(5)
        .says("`somebody`")
        .says("--force-conflicts");
    fails(cluster, &["KI-V001"], "1.30.4, distroless");
    repair(cluster, &["--force-conflicts"]);
}

fn the_injectors_are_gone(cluster: &Cluster) {
    cluster.kubectl(&["delete", "mutatingwebhookconfigurations", "--all"]);
    fails(cluster, &["KI-V004"], "no injector");
    repair(cluster, &[]);
}

fn the_injector_cannot_be_reached(cluster: &Cluster) {
    let names = cluster.kubectl(&["get", "mutatingwebhookconfigurations", "--output=name"]);
    let set = |service: &str| {
        for name in names.lines() {
            let object = cluster.get(&[name]);
            let count = object["webhooks"].as_array().unwrap().len();
            let operations: Vec<String> = (0..count)
                .map(|index| {
                    format!(r#"{{"op":"replace","path":"/webhooks/{index}/clientConfig/service/name","value":"{service}"}}"#)
                })
                .collect();
            let patch = format!("--patch=[{}]", operations.join(","));
            cluster.kubectl(&["patch", name, "--type=json", &patch]);
        }
    };
    set("nobody");
    fails(cluster, &["KI-V004"], "can't be proved");
    set("istiod");
    is_repaired(cluster);
}

fn the_validators_are_gone(cluster: &Cluster) {
    cluster.kubectl(&["delete", "validatingwebhookconfigurations", "--all"]);
    fails(
        cluster,
        &["KI-V003"],
        "an AuthorizationPolicy with an unknown attribute is accepted",
    );
    repair(cluster, &[]);
}

/// Policies need this CRD as well, so their enforcement fails with it.
fn a_crd_is_gone(cluster: &Cluster) {
    cluster.kubectl(&["delete", "crd", "requestauthentications.security.istio.io"]);
    fails(
        cluster,
        &["KI-V003", "KI-V005"],
        "requestauthentications.security.istio.io: missing",
    );
    repair(cluster, &[]);
}

/// Somebody else's CRD has taken the names. Without the CRD there is no PeerAuthentication, so mTLS fails with it.
fn a_crd_is_not_established(cluster: &Cluster) {
    const CRD: &str = "peerauthentications.security.istio.io";
    let mut original = cluster.get(&["crd", CRD]);
    cluster.kubectl(&["delete", "crd", CRD]);
    let mut other = original.clone();
    other["metadata"] = serde_json::json!({ "name": "others.security.istio.io" });
    other["spec"]["names"]["plural"] = serde_json::json!("others");
    other["spec"]["names"]["singular"] = serde_json::json!("other");
    for crd in [&mut other, &mut original] {
        crd.as_object_mut().unwrap().remove("status");
        let metadata = crd["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| ["name", "labels"].contains(&key.as_str()));
        cluster.apply_as(&crd.to_string(), "kubectl-kyma-istio");
        let name = crd["metadata"]["name"].as_str().unwrap();
        cluster.until(
            "names that are judged",
            &["get", "crd", name, "--output=jsonpath={.status.conditions}"],
            |text| text.contains("NamesAccepted"),
        );
    }
    fails(
        cluster,
        &["KI-V002", "KI-V005"],
        "peerauthentications.security.istio.io: not Established",
    );
    // A CRD that never becomes ready: the wait tells which, and ends.
    cluster
        .plugin(&[
            "install",
            "--profile",
            "evaluation",
            "--yes",
            "--timeout=3s",
        ])
        .exits(4)
        .says(CRD);
    cluster.kubectl(&["delete", "crd", "others.security.istio.io"]);
    repair(cluster, &[]);
}

/// `verify` exits with 1; these codes fail and no others, with this evidence and a fix.
#[track_caller]
fn fails(cluster: &Cluster, codes: &[&str], evidence: &str) -> Value {
    let failing = |verified: &Value| -> Vec<String> {
        let criteria = verified["criteria"].as_array().unwrap();
        let failing = criteria.iter().filter(|one| one["met"] == false);
        failing
            .map(|one| one["code"].as_str().unwrap().to_owned())
            .collect()
    };
    let is_it = |ran: &Ran| ran.code == 1 && failing(&ran.json()) == codes;
    let ran = cluster.plugin_until(&["verify", "-o", "json"], is_it);
    let verified = ran.json();
    assert_eq!(verified["met"], false, "{ran}");
    assert!(ran.stdout.contains(evidence), "`{evidence}` in: {ran}");
    for criterion in verified["criteria"].as_array().unwrap() {
        assert_eq!(
            criterion["fix"].is_null(),
            criterion["met"] == true,
            "{ran}"
        );
    }
    verified
}

#[track_caller]
fn is_repaired(cluster: &Cluster) {
    cluster.plugin_until(&["verify"], |ran| ran.code == 0);
}

/// `install` brings back what is missing, and says so itself.
#[track_caller]
fn repair(cluster: &Cluster, more: &[&str]) {
    cluster
        .install(&[&["--profile", "evaluation"], more].concat())
        .exits(0)
        .says("all 5 criteria are met");
    cluster.plugin(&["verify"]).exits(0);
}

fn run_the_fix(cluster: &Cluster, verified: &Value, code: &str) {
    let criteria = verified["criteria"].as_array().unwrap();
    let failed = criteria.iter().find(|one| one["code"] == code).unwrap();
    let kubectl = lab::kubernetes::kubectl().unwrap();
    let folder = Path::new(kubectl.get_program()).parent().unwrap().display();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", failed["fix"].as_str().unwrap()])
        .env("PATH", path)
        .env("KUBECONFIG", cluster.kubeconfig());
    Ran::of(&mut shell).exits(0);
}

fn patch<'a>(kind: &'a str, name: &'a str, patch: &'a str) -> [&'a str; 8] {
    [
        "patch",
        kind,
        name,
        "--namespace=istio-system",
        "--type=merge",
        "--field-manager=somebody",
        "--patch",
        patch,
    ]
}
