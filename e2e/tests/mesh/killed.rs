//! An installation that is killed between any two steps, or in the middle of one, is completed by the next.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Cluster, Ran};

const INSTALL: [&str; 4] = ["install", "--yes", "--profile", "evaluation"];

#[test]
fn an_installation_that_is_killed_is_completed_by_the_next() {
    let cluster = Cluster::small();
    let steps = steps(&cluster);
    for wanted in ["crds", "istiod", "gateways", "policies"] {
        assert!(steps.iter().any(|step| step == wanted), "{steps:?}");
    }
    // What is done is not planned again, so that each run gets one step further.
    for step in &steps {
        let ran = match step.as_str() {
            // Its Deployment is there from now on.
            "istiod" => cluster.with_istiod(|| aborted(&cluster, step)),
            _ => aborted(&cluster, step),
        };
        ran.exits(6).says("running it again continues");
        if step == "cni" {
            killed_in_the_middle(&cluster);
        }
    }
    cluster
        .plugin(&INSTALL)
        .exits(0)
        .says("all 5 criteria are met");
    cluster.plugin(&INSTALL).exits(0).says("nothing to do");
}

/// Steps that write. A wait that is killed leaves what the step before it left.
fn steps(cluster: &Cluster) -> Vec<String> {
    let planned = cluster
        .plugin(&[
            "install",
            "--dry-run",
            "--profile",
            "evaluation",
            "-o",
            "json",
        ])
        .exits(0)
        .json();
    let steps = planned["plan"]["steps"].as_array().unwrap();
    let writing = steps.iter().filter(|step| step["verb"] != "wait");
    writing
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect()
}

fn aborted(cluster: &Cluster, step: &str) -> Ran {
    Ran::of(
        cluster
            .command(&INSTALL)
            .env("KYMA_ISTIO_ABORT_AFTER", step),
    )
}

/// By a signal that nobody can handle: the Lease stays.
fn killed_in_the_middle(cluster: &Cluster) {
    let mut child = cluster
        .command(&INSTALL)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut story = BufReader::new(child.stderr.take().unwrap()).lines();
    let half = story.find(|line| {
        line.as_ref()
            .unwrap()
            .contains("created Service istio-system/")
    });
    assert!(
        half.is_some(),
        "it ended before it wrote the gateway's Service"
    );
    child.kill().unwrap();
    child.wait().unwrap();

    let lease = ["lease", "kyma-istio", "--namespace=default"];
    let held = cluster.get(&lease);
    assert!(
        held["spec"]["holderIdentity"]
            .as_str()
            .unwrap()
            .starts_with("install by "),
        "{held}"
    );
    cluster.shorten_the_lease();
}
