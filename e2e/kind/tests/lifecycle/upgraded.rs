//! From one version to the next while requests come.

use std::collections::BTreeSet;

use e2e_kind::{Space, facts, kubectl, plugin, variable};

use crate::met;

const GATEWAY: &str = "app=istio-ingressgateway";

/// An Istio of the older version that istioctl installed. `space` has an app `app` with a sidecar.
pub fn under_load(space: &Space) {
    let facts = facts();
    let older = facts.older_version();
    space.ready(&["app"]);
    let gateway = space.ingress("app");
    gateway.answers();
    assert_eq!(tags("istio-system", GATEWAY), facts.older_tag);

    let upgrade = [
        "upgrade",
        "--yes",
        "--profile=evaluation",
        "--filename",
        &facts.overlay,
        "--hub",
        &facts.hub,
        "--tag",
    ];
    let to = |tag: &[&str]| plugin(&[&upgrade[..], tag].concat());
    // Somebody else's: not without being told so.
    let refused = to(&[&facts.tag]).exits(5);
    assert!(refused.stderr.contains("KI-G001"), "{refused}");

    // A connection of its own, and one that stays.
    let request = || {
        let answers = [gateway.tried("/", &[])?, gateway.tried_again("/", &[])?];
        match answers.iter().find(|answer| answer.status != 200) {
            None => Ok(()),
            Some(other) => Err(format!("{other:?}")),
        }
    };
    let mut upgraded = None;
    let (sent, failures) = e2e_kind::under_load(request, || {
        let theirs = ["--take-ownership", "--force-conflicts"];
        upgraded = Some(to(&[&[facts.tag.as_str()], &theirs[..]].concat()).exits(0));
    });
    let upgraded = upgraded.expect("an upgrade that ran");
    let failed = failures.len();
    assert!(failures.is_empty(), "{failed} of {sent}: {failures:?}");
    println!("{sent} pairs of requests, none failed");
    assert_eq!(tags("istio-system", GATEWAY), facts.tag);
    // Sidecars are their owners': named, not restarted.
    let left = format!("1 on {older}");
    assert!(upgraded.stdout.contains(&left), "`{left}` in {upgraded}");
    assert_eq!(tags(space.name(), "app=app"), facts.older_tag);
    gateway.answers();
    met(facts.version());
    // And not down again.
    let istioctl = variable("KYMA_E2E_OLDER_ISTIOCTL");
    let down = to(&[&facts.older_tag, "--istioctl", &istioctl]).exits(5);
    assert!(down.stderr.contains("KI-G004"), "{down}");
}

/// The tag of the proxies' images, in pods that are not going away.
fn tags(namespace: &str, selector: &str) -> String {
    let selector = format!("--selector={selector}");
    let list = kubectl(["get", "pods", &selector, "--output=json"])
        .within(namespace)
        .json();
    let pods = list["items"].as_array().expect("items").iter();
    let staying = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let containers = staying.flat_map(|pod| {
        let of = |kind: &str| pod["spec"][kind].as_array().cloned().unwrap_or_default();
        [of("initContainers"), of("containers")].concat()
    });
    let images = containers.filter_map(|container| container["image"].as_str().map(str::to_owned));
    let proxies = images.filter(|image| image.contains("/proxyv2:"));
    let tags: BTreeSet<String> = proxies
        .filter_map(|image| image.rsplit(':').next().map(str::to_owned))
        .collect();
    tags.into_iter().collect::<Vec<_>>().join(" ")
}
