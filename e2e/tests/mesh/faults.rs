//! What is gone while a command works: the API server, istiod and with it its webhooks.

use std::thread;
use std::time::Duration;

use crate::support::{Cluster, Ran};

const INSTALL: [&str; 4] = ["install", "--yes", "--profile", "evaluation"];

/// As long as a machine takes to restart its API server: more than the six seconds in which a write is tried.
const GONE: Duration = Duration::from_secs(30);

#[test]
fn an_api_server_that_is_gone_for_half_a_minute_ends_a_write_which_the_next_run_completes_and_no_wait()
 {
    let cluster = Cluster::small();
    let gone = || cluster.without_api_server(|| thread::sleep(GONE));

    let first = "created CustomResourceDefinition authorizationpolicies.security.istio.io";
    Ran::while_at(&mut cluster.command(&INSTALL), first, gone)
        .exits(6)
        .says(&format!("written: {first}"))
        .says("after 6 tries: ")
        .says("running it again continues");

    let wait = "waiting for Deployment istio-system/istiod";
    let again = cluster.with_istiod(|| Ran::while_at(&mut cluster.command(&INSTALL), wait, gone));
    again.exits(0).says("all 5 criteria are met");
    cluster.plugin(&INSTALL).exits(0).says("nothing to do");
}

#[test]
fn a_webhook_that_nobody_answers_is_named_and_a_run_with_istiod_back_completes() {
    let cluster = Cluster::small();
    cluster.install(&["--profile", "evaluation"]).exits(0);
    cluster.end_istiod();
    let change = "--set=meshConfig.accessLogFile=/dev/stdout";
    cluster
        .plugin(&[&INSTALL[..], &[change]].concat())
        .exits(6)
        .says("failed calling webhook \"validation.istio.io\"")
        .says("look at istiod")
        .says("written: changed ConfigMap istio-system/istio ");
    // Nobody is asked about what is only read.
    cluster
        .plugin(&["verify"])
        .exits(1)
        .says("NOT MET  KI-V003");
    cluster
        .install(&["--profile", "evaluation", change])
        .exits(0)
        .says("all 5 criteria are met");
}
