//! From one version to the next while requests come.

use std::collections::BTreeSet;

use e2e_kind::{Sidecar, Space, facts, install, kubectl, plugin, under_load, variable};

use crate::{away, met};

#[test]
fn an_upgrade_loses_no_request_through_the_ingress_gateway_and_says_what_sidecars_still_run() {
    away();
    let facts = facts();
    let older = facts.older_tag.trim_end_matches("-distroless");
    let istioctl = variable("KYMA_E2E_OLDER_ISTIOCTL");
    let from = [
        "--filename",
        &facts.overlay,
        "--hub",
        &facts.hub,
        "--tag",
        &facts.older_tag,
    ];
    let version = ["--istioctl", istioctl.as_str()];
    let _ = plugin(
        &[
            &["install", "--yes", "--profile=evaluation"],
            &from[..],
            &version,
        ]
        .concat(),
    )
    .exits(0);
    let space = Space::injected("upgrade");
    let _app = space.app("app", Sidecar::AsNamespace);
    space.ready(&["app"]);
    let gateway = space.ingress("app");
    gateway.answers();
    assert_eq!(
        tags("istio-system", "app=istio-ingressgateway"),
        facts.older_tag
    );

    let request = || match gateway.tried_again("/", &[])?.status {
        200 => Ok(()),
        other => Err(format!("status {other}")),
    };
    let mut upgraded = None;
    let (sent, failures) = under_load(request, || {
        let to = [
            "--filename",
            &facts.overlay,
            "--hub",
            &facts.hub,
            "--tag",
            &facts.tag,
        ];
        upgraded = Some(
            plugin(&[&["upgrade", "--yes", "--profile=evaluation"], &to[..]].concat()).exits(0),
        );
    });
    let upgraded = upgraded.expect("an upgrade that ran");
    assert!(
        failures.is_empty(),
        "{} of {sent}: {failures:?}",
        failures.len()
    );
    println!("{sent} requests, none failed");
    assert_eq!(tags("istio-system", "app=istio-ingressgateway"), facts.tag);
    // Sidecars are their owners': named, not restarted.
    assert!(
        upgraded.stdout.contains(&format!("1 on {older}")),
        "{upgraded}"
    );
    assert_eq!(tags(space.name(), "app=app"), facts.older_tag);
    gateway.answers();
    met();
    // And not down again.
    let down = plugin(
        &[
            &["upgrade", "--yes", "--profile=evaluation"],
            &from[..],
            &version,
        ]
        .concat(),
    )
    .exits(5);
    assert!(down.stderr.contains("KI-G004"), "{down}");
    let _ = install(&["--profile", "evaluation", "--yes"]).exits(0);
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
