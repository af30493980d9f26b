//! Policies that change while requests come.

use e2e_kind::{Gateway, Plugin, Registry, Sidecar, Space, kubectl, under_load, until};
use serde_json::{Value, json};

#[test]
fn a_policy_edit_takes_effect_without_a_restart_and_without_a_failed_request() {
    let space = Space::new("edit");
    let _app = space.app("app", Sidecar::Never);
    let gateway = space.gateway("edge", 1, "app");
    gateway.serves();
    let registry = Registry::shared();
    space.enforce(&registry, &naming(&gateway, "x-before"));
    let before = proxies(&space);

    let (answered, failures) = under_load(
        || judged_once(&gateway),
        || {
            space.enforce(&registry, &naming(&gateway, "x-after"));
        },
    );
    assert!(failures.is_empty(), "{failures:?}");
    println!("{answered} requests meanwhile");
    let answer = request(&gateway).expect("an answer");
    assert_eq!(answer, (None, Some("203.0.113.9".to_owned())));
    assert_eq!(proxies(&space), before);
}

#[test]
fn a_policy_that_does_not_compile_leaves_the_last_good_one_running() {
    let space = Space::new("broken");
    let _app = space.app("app", Sidecar::Never);
    let gateway = space.gateway("edge", 1, "app");
    gateway.serves();
    let registry = Registry::shared();
    let good = naming(&gateway, "x-before");
    space.enforce(&registry, &good);
    let running = space.running(&good);

    let mut broken = naming(&gateway, "x-after");
    broken.spec["forwarded"]["trust"] = json!({ "hops": "one" });
    let (_, failures) = under_load(
        || judged_once(&gateway),
        || {
            space.deploy(&broken, &registry.url());
            until("the proxy to reject the policy", || {
                let logs = kubectl(["logs", "deployment/edge", "--container=istio-proxy"])
                    .within(space.name())
                    .done();
                match logs
                    .lines()
                    .find(|line| line.contains("forwarded.trust.hops"))
                {
                    Some(_) if logs.contains("rejected") => Ok(()),
                    found => Err(format!("the filter says {found:?}")),
                }
            });
        },
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(
        request(&gateway),
        Ok((Some("203.0.113.9".to_owned()), None))
    );
    assert_eq!(space.running(&good), running);
}

#[test]
fn an_image_that_can_not_be_fetched_fails_closed() {
    let space = Space::new("unreachable");
    let _app = space.app("app", Sidecar::Never);
    let gateway = space.gateway("edge", 1, "app");
    gateway.serves();
    // So that what is missing is the image, not the registry.
    let _registry = Registry::shared();
    space.deploy(&naming(&gateway, "x-client"), &Registry::no_such_url());
    until("requests to be refused", || {
        let answer = gateway.tried("/", &[("x-forwarded-for", "203.0.113.9")])?;
        match (answer.status, answer.body.as_str()) {
            (403, "RBAC: access denied") => Ok(()),
            _ => Err(format!("{answer:?}")),
        }
    });
    // Whoever takes it away gets the app back.
    space.remove("wasmplugin", gateway.name());
    gateway.serves();
}

/// The client in a header of this name.
fn naming<'g>(gateway: &'g Gateway<'_>, header: &str) -> Plugin<'g> {
    Plugin {
        name: gateway.name(),
        app: gateway.name(),
        phase: "AUTHN",
        mode: None,
        spec: json!({
            "position": "Gateway",
            "forwarded": { "trust": { "hops": 1 }, "outbound": "Replace", "clientIpHeader": header },
        }),
    }
}

/// What the app got in `x-before` and `x-after`.
fn request(gateway: &Gateway<'_>) -> Result<(Option<String>, Option<String>), String> {
    let answer = gateway.tried_again("/", &[("x-forwarded-for", "203.0.113.9")])?;
    if answer.status != 200 {
        return Err(format!("{answer:?}"));
    }
    Ok((answer.seen("x-before"), answer.seen("x-after")))
}

/// Judged by one of the two policies; not by none, nor by both.
fn judged_once(gateway: &Gateway<'_>) -> Result<(), String> {
    match request(gateway)? {
        (before, after) if before.is_some() != after.is_some() => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// The gateway's pods, and how often their containers were restarted.
fn proxies(space: &Space) -> Vec<(Value, Value)> {
    let one = |pod: &Value| {
        let restarts = pod["status"]["containerStatuses"][0]["restartCount"].clone();
        (pod["metadata"]["uid"].clone(), restarts)
    };
    space.pods("edge").iter().map(one).collect()
}
