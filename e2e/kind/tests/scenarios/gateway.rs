//! The filter in ingress gateways: who is the client?

use std::collections::BTreeMap;

use e2e_kind::{Gateway, Plugin, Registry, Sidecar, Space};
use serde_json::{Value, json};

/// What the gateway in front believes, and what the app gets: the client, or a reason for refusing.
type Row<'r> = (&'r [&'r str], Result<&'r str, &'r str>);

/// Stands for our own address, which the gateway sees as its peer.
const PEER: &str = "the peer";

#[test]
fn the_client_is_found_in_chains_of_length_0_to_4_behind_0_1_and_2_trusted_proxies() {
    let space = Space::new("chains");
    let _app = space.app("app", Sidecar::Never);
    let gateways = [0, 1, 2].map(|hops| space.gateway(&format!("hops-{hops}"), hops, "app"));
    let registry = Registry::shared();
    for (hops, gateway) in gateways.iter().enumerate() {
        gateway.serves();
        space.enforce(&registry, &hop_counting(gateway, hops));
    }
    // The numbers are those of Istio's `numTrustedProxies`; the gateway itself appends us as the last element.
    let longest = ["198.51.100.4", "203.0.113.9", "10.2.1.1", "10.0.0.1"];
    let expected: BTreeMap<usize, [Result<&str, &str>; 5]> = BTreeMap::from([
        (0, [Ok(PEER); 5]),
        (
            1,
            [
                Err("TooFewHops"),
                Ok("10.0.0.1"),
                Ok("10.0.0.1"),
                Ok("10.0.0.1"),
                Ok("10.0.0.1"),
            ],
        ),
        (
            2,
            [
                Err("TooFewHops"),
                Err("TooFewHops"),
                Ok("10.2.1.1"),
                Ok("10.2.1.1"),
                Ok("10.2.1.1"),
            ],
        ),
    ]);
    for (hops, rows) in expected {
        for (length, expected) in rows.into_iter().enumerate() {
            let chain = longest[4 - length..].join(",");
            let sent: &[&str] = if length == 0 { &[] } else { &[&chain] };
            check(&gateways[hops], (sent, expected));
        }
    }
}

#[test]
fn spoofed_malformed_and_over_long_chains_give_no_false_client() {
    let space = Space::new("spoofed");
    let _app = space.app("app", Sidecar::Never);
    let gateway = space.gateway("edge", 1, "app");
    gateway.serves();
    space.enforce(&Registry::shared(), &hop_counting(&gateway, 1));
    let long = vec!["203.0.113.9"; 40].join(",");
    let wide = format!("{},10.0.0.1", "203.0.113.9".repeat(500));
    let rows: [Row<'_>; 10] = [
        (&["6.6.6.6,10.0.0.1"], Ok("10.0.0.1")),
        // Lines of one name are one chain.
        (&["6.6.6.6", "10.0.0.1"], Ok("10.0.0.1")),
        (&["10.0.0.1, 6.6.6.6"], Ok("6.6.6.6")),
        (&["unknown"], Err("ChainMalformed")),
        (&["10.0.0.1,"], Err("ChainMalformed")),
        (&["10.0.0.1:80"], Err("ChainMalformed")),
        (&["10.0.0.1,nonsense"], Err("ChainMalformed")),
        // Left of the client a visitor writes what he likes.
        (&["nonsense,10.0.0.1"], Ok("10.0.0.1")),
        (&[&long], Err("ChainTooLong")),
        (&[&wide], Err("ChainTooLong")),
    ];
    for row in rows {
        check(&gateway, row);
    }
}

fn hop_counting<'g>(gateway: &'g Gateway<'_>, hops: usize) -> Plugin<'g> {
    Plugin {
        name: gateway.name(),
        app: gateway.name(),
        phase: "AUTHN",
        mode: None,
        spec: policy(hops),
    }
}

fn policy(hops: usize) -> Value {
    json!({
        "position": "Gateway",
        "forwarded": { "trust": { "hops": hops }, "outbound": "Replace", "clientIpHeader": "x-client-ip" },
        "replies": { "reasonHeader": "x-refused" },
    })
}

/// One request, which also claims to know the client already, in two spellings and by companions of the chain.
#[track_caller]
fn check(gateway: &Gateway<'_>, (chain, expected): Row<'_>) {
    let forged = [
        ("x-client-ip", "6.6.6.6"),
        ("x_client_ip", "6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
    ];
    let chain_lines = chain.iter().map(|line| ("x-forwarded-for", *line));
    let headers: Vec<(&str, &str)> = chain_lines.chain(forged).collect();
    let answer = gateway.get("/", &headers);
    let case = format!("{chain:?} at {}", gateway.name());
    match expected {
        Err(reason) => {
            assert_eq!(answer.status, 400, "{case}: {answer:?}");
            assert_eq!(
                answer.header("x-refused").as_deref(),
                Some(reason),
                "{case}"
            );
        }
        Ok(client) => {
            let client = if client == PEER {
                gateway.our_address().to_string()
            } else {
                client.to_owned()
            };
            assert_eq!(
                answer.seen("x-client-ip").as_deref(),
                Some(client.as_str()),
                "{case}"
            );
            assert_eq!(
                answer.seen("x-forwarded-for").as_deref(),
                Some(client.as_str()),
                "{case}"
            );
            assert_eq!(answer.seen("x_client_ip"), None, "{case}");
        }
    }
}
