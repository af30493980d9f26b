//! Roll-outs that fail, and what stands then.

use std::fs::File;
use std::process::Command;

use e2e_kind::{Space, plugin, until, variable};
use serde_json::json;

use crate::edge::{ALSO_BANNED, BANNED, Edge, WELCOME, other_policy, policy, push, push_one_layer};
use crate::logs::interrupt;

#[test]
fn a_deploy_that_no_proxy_can_follow_leaves_the_earlier_filter_in_force() {
    let space = Space::new("failed");
    let edge = Edge::new(&space);
    let broken = push_one_layer();
    let blindly = ["--image", &broken, "--skip-rehearsal"];

    let first = edge.deploy(policy(), &blindly).exits(1);
    assert!(
        first
            .stdout
            .contains("it was taken away again: nothing was there before"),
        "{first}"
    );
    assert_eq!(edge.plugin(), None);
    edge.comes_to_answer(BANNED, 200);

    let good = push("good", None);
    edge.brings(policy(), &good);
    let later = edge.deploy(other_policy(), &blindly).exits(1);
    assert!(
        later.stdout.contains("what was there before is back:"),
        "{later}"
    );
    assert!(later.stdout.contains("KI-F003"), "{later}");
    assert_eq!(
        edge.plugin().expect("the plugin")["spec"]["url"],
        json!(good)
    );
    edge.judges();
    assert_eq!(edge.answers(ALSO_BANNED), (200, None));
}

#[test]
fn a_rollback_to_an_image_that_is_gone_is_refused_and_a_blind_one_is_undone() {
    let space = Space::new("gone");
    let edge = Edge::new(&space);
    let (good, broken, name) = (push("good", None), push_one_layer(), edge.policy());
    edge.brings(policy(), &good);
    let stays = ["--image", &broken, "--skip-rehearsal", "--no-rollback"];
    let left = edge.deploy(policy(), &stays).exits(1);
    assert!(left.stdout.contains("it stays deployed"), "{left}");
    assert_eq!(edge.answers(WELCOME).0, 403);
    let _back = plugin(&["filter", "rollback", &name, "--yes"]).exits(0);
    edge.judges();

    // What is gone back to now is the broken one.
    let refused = plugin(&["filter", "rollback", &name, "--yes"]).exits(5);
    assert!(refused.stderr.contains("KI-F019"), "{refused}");
    edge.judges();
    let blind = ["filter", "rollback", &name, "--yes", "--skip-rehearsal"];
    let undone = plugin(&blind).exits(1);
    assert!(
        undone.stdout.contains("what was there before is back:"),
        "{undone}"
    );
    assert_eq!(
        edge.plugin().expect("the plugin")["spec"]["url"],
        json!(good)
    );
    edge.judges();
}

#[test]
fn an_interrupted_deploy_says_what_stays_and_the_same_command_brings_back_what_was_there_before() {
    let space = Space::new("interrupted");
    let edge = Edge::new(&space);
    let (good, broken) = (push("good", None), push_one_layer());
    edge.brings(policy(), &good);
    let file = edge.file(other_policy());
    let blindly = ["--image", &broken, "--skip-rehearsal"];
    let mut deploying = Command::new(variable("KYMA_ISTIO"))
        .args(["filter", "deploy", "--yes", "--file", &file])
        .args(blindly)
        .stdout(File::create(edge.path("answer")).expect("a file"))
        .spawn()
        .expect("a plugin that starts");
    let url = || edge.plugin().expect("the plugin")["spec"]["url"].clone();
    until("the broken image to be written", || {
        match url() == json!(broken) {
            true => Ok(()),
            false => Err("not yet"),
        }
    });
    // From the gateway's 403 on, the command waits and hears.
    edge.comes_to_answer(WELCOME, 403);
    interrupt(&deploying);
    assert_eq!(deploying.wait().expect("an end").code(), Some(6));
    let answer = std::fs::read_to_string(edge.path("answer")).expect("the answer");
    assert!(
        answer.contains("it stays deployed") && answer.contains("filter rollback"),
        "{answer}"
    );
    assert_eq!(url(), json!(broken));

    let again = edge.deploy(other_policy(), &blindly).exits(1);
    assert!(
        again.stdout.contains("nothing to write")
            && again.stdout.contains("what was there before is back:"),
        "{again}"
    );
    assert_eq!(url(), json!(good));
    edge.judges();
}

/// A colleague's policy is in the plugin by the time that ours is known to fail: it is not taken away with ours.
#[test]
fn what_somebody_else_wrote_meanwhile_is_left_where_ours_failed() {
    let space = Space::new("colleague");
    let edge = Edge::new(&space);
    let broken = push_one_layer();
    let file = edge.file(policy());
    let mut deploying = Command::new(variable("KYMA_ISTIO"))
        .args(["filter", "deploy", "--yes", "--file", &file])
        .args(["--image", &broken, "--skip-rehearsal"])
        .stdout(File::create(edge.path("answer")).expect("a file"))
        .spawn()
        .expect("a plugin that starts");
    edge.comes_to_answer(WELCOME, 403);
    edge.patch(json!({ "priority": 11 }));
    assert_eq!(deploying.wait().expect("an end").code(), Some(6));
    let answer = std::fs::read_to_string(edge.path("answer")).expect("the answer");
    let said = format!(
        "somebody else changed `{}` meanwhile: it is left as it is",
        edge.policy()
    );
    assert!(answer.contains(&said), "{answer}");
    let left = edge.plugin().expect("it is left");
    assert_eq!(left["spec"]["priority"], json!(11), "{left}");
    let _gone = plugin(&["filter", "remove", &edge.policy(), "--yes"]).exits(0);
}

#[test]
fn an_edit_that_was_rejected_comes_back_as_it_was_and_is_not_said_to_run() {
    let space = Space::new("edited");
    let edge = Edge::new(&space);
    let (good, broken) = (push("good", None), push_one_layer());
    edge.brings(policy(), &good);
    let edit = json!({ "pluginConfig": { "spec": { "forwarded": { "trust": { "hops": 99 } } } } });
    edge.patch(edit);
    edge.comes_to("Rejected", "KI-F001");
    let edited = edge.plugin().expect("the plugin")["spec"].clone();

    let blindly = ["--image", &broken, "--skip-rehearsal", "--force-conflicts"];
    let failed = edge.deploy(other_policy(), &blindly).exits(6);
    assert!(
        failed
            .stdout
            .contains("is back, but not every selected proxy says that it runs it:")
            && failed.stdout.contains("KI-F003"),
        "{failed}"
    );
    assert_eq!(edge.plugin().expect("the plugin")["spec"], edited);

    edge.brings(policy(), &good);
    edge.judges();
}
