//! What is refused, each with its exit code, one line of reason, and nothing written.

use lab::kubernetes::istioctl;

use crate::support::{Cluster, Ran, Snapshot, manifests, plugin};

#[test]
fn without_rights_the_verb_and_the_resource_are_named() {
    let cluster = Cluster::quiet();
    let before = Snapshot::of(&cluster);
    let nobody = cluster.kubeconfig_for("nobody", &[]);
    let nobody = nobody.display().to_string();
    cluster
        .plugin(&["install", "--yes", "--kubeconfig", &nobody])
        .exits(3)
        .says("list")
        .says("namespaces");
    // A verdict without evidence is no.
    let judged = cluster
        .plugin(&["verify", "--kubeconfig", &nobody])
        .exits(1)
        .says("`list deployments.apps` is forbidden");
    // Nor is what nobody could see called missing.
    assert!(!judged.stdout.contains("no istiod"), "{judged}");

    // Who may read everything gets as far as the first write.
    let reader = cluster.reader(&["*"]);
    let refused = cluster
        .plugin(&[
            "install",
            "--yes",
            "--profile=evaluation",
            "--kubeconfig",
            &reader,
        ])
        .exits(3)
        .says("forbidden: can't ")
        .says("patch")
        .says("kubectl auth can-i");
    assert!(refused.stdout.is_empty(), "{refused}");
    let new = before.new_in(&Snapshot::of(&cluster)).join("\n");
    assert!(!new.contains("istio"), "{new}");
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_written() {
    let cluster = Cluster::quiet();
    let before = Snapshot::of(&cluster);
    cluster
        .plugin(&["install", "--profile", "evaluation"])
        .exits(2)
        .says("no terminal")
        .says("--yes");
    before.assert_same(&Snapshot::of(&cluster), "a question without an answer");
}

#[test]
fn the_wrong_cluster_is_told_in_one_line_with_a_hint() {
    let cluster = Cluster::quiet();
    for verb in ["install", "diff", "verify", "status", "check"] {
        // Port 9 is `discard`; nobody listens there.
        let unreachable = cluster
            .plugin(&[verb, "--server", "https://127.0.0.1:9"])
            .exits(3);
        in_one_line(&unreachable, "can't reach `https://127.0.0.1:9`");
        let context = cluster.plugin(&[verb, "--context", "nowhere"]).exits(2);
        in_one_line(&context, "nowhere");
    }
}

#[test]
fn inputs_that_are_no_longer_served_are_refused_with_their_line() {
    let cluster = Cluster::quiet();
    let before = Snapshot::of(&cluster);
    let old = manifests::istio(" {}").replace("v1alpha2", "v1alpha1");
    let old = cluster.file("old.yaml", &old);
    let experimental = manifests::istio("\n  experimental:\n    enableAmbient: true");
    let experimental = cluster.file("experimental.yaml", &experimental);
    for verb in ["install", "diff", "render"] {
        let refused = cluster.plugin(&[verb, "-f", &old]).exits(2);
        refused.says("old.yaml:1:").says("v1alpha1");
        let refused = cluster.plugin(&[verb, "-f", &experimental]).exits(2);
        refused.says("experimental.yaml:7:").says("experimental");
    }
    before.assert_same(&Snapshot::of(&cluster), "an invalid input");
}

#[test]
fn an_istioctl_of_another_version_is_not_used() {
    let other = istioctl(Some("1.30.4")).unwrap();
    Ran::of(
        plugin()
            .args(["render", "--profile=evaluation", "--istioctl"])
            .arg(other),
    )
    .exits(2)
    .says("1.30.4")
    .says("1.31.1");
}

#[test]
fn an_istio_that_is_only_rendered_is_not_installed() {
    let cluster = Cluster::quiet();
    let before = Snapshot::of(&cluster);
    for (version, instead) in [("1.29.3", "1.30.4"), ("1.32.0", "1.31.1")] {
        let minor = &version[..4];
        // No istioctl of that version is here; the gate is told before one is looked for.
        cluster
            .plugin(&[
                "install",
                "--yes",
                "--profile=evaluation",
                "--istio-version",
                version,
            ])
            .exits(5)
            .says("KI-G016")
            .says("not supported by this release of the plugin, which installs 1.30 and 1.31")
            .says(&format!("use `--istio-version {instead}`"))
            .says(&format!("supports {minor}"));
    }
    before.assert_same(&Snapshot::of(&cluster), "a version that is not supported");
}

/// What is wrong stands in the first line of stderr, what helps in the second; there is no third.
#[track_caller]
fn in_one_line(ran: &Ran, what: &str) {
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let [error, hint] = lines[..] else {
        panic!("expected two lines: {ran}")
    };
    assert!(error.contains(what), "{ran}");
    assert!(hint.contains("hint:"), "{ran}");
    assert!(ran.stdout.is_empty(), "{ran}");
}
