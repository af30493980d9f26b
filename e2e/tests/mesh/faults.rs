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

    // Not among the CRDs: one that the API server has accepted but not established when it ends is established by the next
    // only minutes later.
    let first = "created Namespace kyma-system";
    Ran::while_at(&mut cluster.command(&INSTALL), first, gone)
        .exits(6)
        .says(&format!("written: {first}"))
        .says("after 6 tries: ")
        .says("running it again continues");
    // Nobody could take it back while the server was away.
    cluster.shorten_the_lease();
    cluster
        .install(&["--profile", "evaluation"])
        .exits(0)
        .says("all 5 criteria are met");

    // istiod's pods are made anew, which is waited for.
    let change = [
        &INSTALL[..],
        &["--set=values.pilot.podAnnotations.changed=yes"],
    ]
    .concat();
    let wait = "waiting for Deployment istio-system/istiod";
    Ran::while_at(&mut cluster.command(&change), wait, gone)
        .exits(0)
        .says("all 5 criteria are met");
    cluster.plugin(&change).exits(0).says("nothing to do");
}

#[test]
fn a_webhook_that_nobody_answers_is_named_and_a_run_with_istiod_back_completes() {
    let cluster = Cluster::small();
    cluster.install(&["--profile", "evaluation"]).exits(0);
    cluster.end_istiod();
    let change = "--set=meshConfig.accessLogFile=/dev/stdout";
    let install = [&INSTALL[..], &[change]].concat();
    // The API server hears of the webhook's `Fail` a moment later.
    let rehearsed = [&install[..], &["--dry-run"]].concat();
    cluster.plugin_until(&rehearsed, |ran| {
        ran.stderr.contains("can't rehearse") && ran.stderr.contains("validation.istio.io")
    });
    cluster
        .plugin(&install)
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
