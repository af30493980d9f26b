//! The filter in sidecars, behind a gateway.

use e2e_kind::{Gateway, Plugin, Registry, Sidecar, Space, login, until};
use serde_json::{Value, json};

/// The client of a request that came by one trusted proxy.
const CLIENT: &str = "203.0.113.9";

#[test]
fn a_sidecar_trusts_the_gateway_by_its_identity_and_no_other_pod() {
    let space = Space::injected("identity");
    let _shop = space.app("shop", Sidecar::AsNamespace);
    let stranger = space.app("stranger", Sidecar::AsNamespace);
    let gateway = space.gateway("edge", 1, "shop");
    space.ready(&["shop", "stranger"]);
    let registry = Registry::shared();
    let at_shop = Plugin {
        name: "at-shop",
        app: "shop",
        phase: "AUTHN",
        mode: Some("SERVER"),
        spec: json!({
            "position": "SidecarInbound", "replies": { "reasonHeader": "x-refused" },
            "forwarded": {
                "trust": { "identities": [gateway.identity()] }, "gatewaySends": "Canonical",
                "anomalies": { "untrustedPeer": "Reject" }, "clientIpHeader": "x-app-client",
            },
        }),
    };
    // Before the gateway's first request: it keeps its connections, and those that are open when a filter comes do without.
    space.enforce(&registry, &at_shop);
    gateway.serves();
    space.enforce(&registry, &rewriting(&gateway));

    let answer = gateway.get(
        "/",
        &[("x-forwarded-for", CLIENT), ("x-app-client", "6.6.6.6")],
    );
    assert_eq!(answer.seen("x-app-client").as_deref(), Some(CLIENT));

    // Its sidecar speaks mutual TLS, too: only the name in its certificate is another.
    assert_ne!(stranger.identity(), gateway.identity());
    let answer = stranger
        .get("http://shop/", &[("x-forwarded-for", CLIENT)])
        .expect("an answer");
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.header("x-refused").as_deref(), Some("UntrustedPeer"));
}

#[test]
fn remote_ip_blocks_at_a_sidecar_become_right_once_the_gateway_rewrites_the_chain() {
    let space = Space::injected("blocks");
    let _shop = space.app("shop", Sidecar::AsNamespace);
    let gateway = space.gateway("edge", 1, "shop");
    space.ready(&["shop"]);
    gateway.serves();
    space.apply(&json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": { "name": "clients" },
        "spec": { "selector": { "matchLabels": { "app": "shop" } }, "rules": [
            { "from": [{ "source": { "remoteIpBlocks": ["203.0.113.0/24"] } }] },
        ] },
    }));
    let status = |client| gateway.get("/", &[("x-forwarded-for", client)]).status;
    // Without the filter the sidecar takes the gateway's peer, us, for the client: right ones are refused.
    // Each worker of the gateway has a connection to the sidecar, and one that was open when the policy came does without until it is
    // drained: one refusal says nothing of the other worker.
    until(
        "the policy at the sidecar, on every connection",
        || match (0..20)
            .map(|_| status(CLIENT))
            .find(|status| *status != 403)
        {
            None => Ok(()),
            Some(other) => Err(format!("{other}, expected 403")),
        },
    );

    space.enforce(&Registry::shared(), &rewriting(&gateway));
    assert_eq!(status(CLIENT), 200);
    assert_eq!(status("198.51.100.4"), 403);
    // Whoever writes himself into the block, left of what the proxy in front says, stays outside.
    assert_eq!(status("203.0.113.9,198.51.100.4"), 403);
}

#[test]
fn an_app_calls_out_without_a_token_while_callers_of_the_app_need_one() {
    let space = Space::injected("outbound");
    let shop = space.app("shop", Sidecar::AsNamespace);
    let caller = space.app("caller", Sidecar::AsNamespace);
    let _elsewhere = space.app("elsewhere", Sidecar::Never);
    space.ready(&["shop", "caller", "elsewhere"]);
    // No `match`: Istio runs it on what the app receives and on what it sends.
    let plugin = Plugin {
        name: "at-shop",
        app: "shop",
        phase: "AUTHN",
        mode: None,
        spec: json!({
            "replies": { "reasonHeader": "x-refused" },
            "jwt": { "providers": [login()], "otherwise": "Require" },
        }),
    };
    space.enforce(&Registry::shared(), &plugin);

    let refused = caller.get("http://shop/", &[]).expect("an answer");
    assert_eq!(refused.status, 401, "{refused:?}");
    assert_eq!(refused.header("x-refused").as_deref(), Some("MissingToken"));
    let answer = shop.get("http://elsewhere/", &[]).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// At the gateway: one proxy in front of it is trusted, and the next hop gets the client alone.
fn rewriting<'g>(gateway: &'g Gateway<'_>) -> Plugin<'g> {
    let spec: Value = json!({
        "position": "Gateway", "forwarded": { "trust": { "hops": 1 }, "outbound": "Replace" },
    });
    Plugin {
        name: gateway.name(),
        app: gateway.name(),
        phase: "AUTHN",
        mode: None,
        spec,
    }
}
