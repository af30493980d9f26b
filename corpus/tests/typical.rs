//! What five typical requests cost: fuel and host calls, of the real module. Host calls are deterministic, so those of the hot path are asserted one by one (design.md, "Hot path").
//!
//! `cargo test -p corpus --test typical -- --nocapture` prints the table.
#![cfg(feature = "wasm")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use corpus::{Keys, Suite};
use wasm_host::{Effects, Module, Settings, Simulator};

/// One measured step.
struct Measured {
    name: String,
    effects: Effects,
}

#[test]
fn typical_requests_make_only_the_calls_they_need() {
    let path = std::env::var_os("KYMA_ISTIO_WASM").expect("KYMA_ISTIO_WASM names the filter: run `make wasm`, then `KYMA_ISTIO_WASM=$PWD/out/header-policy.wasm cargo test -p corpus`");
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", Path::new(&path).display()));
    let measured = measure(&bytes);
    println!("module {} bytes", bytes.len());
    println!("{:<44} {:>10}  host calls", "", "fuel");
    for step in &measured {
        let calls = step.effects.host_calls.iter().map(|(call, count)| {
            let call = call.strip_prefix("proxy_").unwrap_or(call);
            if *count == 1 {
                call.to_owned()
            } else {
                format!("{count} {call}")
            }
        });
        let calls: Vec<String> = calls.collect();
        println!(
            "{:<44} {:>10}  {:>2}: {}",
            step.name,
            step.effects.fuel,
            step.effects.host_call_count(),
            calls.join(", ")
        );
    }

    let calls = |name: &str| {
        let step = measured.iter().find(|step| step.name == name);
        step.unwrap_or_else(|| panic!("no step `{name}`"))
            .effects
            .host_calls
            .clone()
    };
    let only = |calls: &[(&'static str, u64)]| calls.iter().copied().collect::<BTreeMap<_, _>>();
    const READ: [(&str, u64); 2] = [
        ("proxy_get_header_map_pairs", 1),
        ("proxy_get_current_time_nanoseconds", 1),
    ];
    // Two edits: x-forwarded-for and x-client-ip. A policy without tokens needs no time.
    assert_eq!(
        calls("the chain only, at a gateway"),
        only(&[READ[0], ("proxy_replace_header_map_value", 2)])
    );
    // A third: x-user. The signature is checked by the host.
    assert_eq!(
        calls("a new RS256 token, at a gateway"),
        only(&[
            READ[0],
            READ[1],
            ("proxy_call_foreign_function", 1),
            ("proxy_replace_header_map_value", 3)
        ])
    );
    assert_eq!(
        calls("a known RS256 token, at a gateway"),
        only(&[READ[0], READ[1], ("proxy_replace_header_map_value", 3)])
    );
    // No edits: nothing forged came. The metric is known from the first refusal.
    assert_eq!(
        calls("refused: no token"),
        only(&[
            READ[0],
            READ[1],
            ("proxy_increment_metric", 1),
            ("proxy_send_local_response", 1)
        ])
    );
    // Identity, address and TLS of the peer; x-client-ip, x-user and x-groups.
    assert_eq!(
        calls("a known token, inbound, by identity"),
        only(&[
            READ[0],
            READ[1],
            ("proxy_get_property", 3),
            ("proxy_replace_header_map_value", 3)
        ])
    );
    let warm = calls("a known RS256 token, at a gateway");
    assert_eq!(warm.values().sum::<u64>(), 5);
}

fn measure(bytes: &[u8]) -> Vec<Measured> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let keys = Keys::near(&here.join("../testdata/cases"));
    let suite = Suite::read_with(&here.join("tests/typical.yaml"), keys)
        .unwrap_or_else(|error| panic!("{error}"));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut mint = suite.mint(now);
    let module = Module::compile(bytes).unwrap();
    let mut measured = Vec::new();
    // Cases with one policy share a filter, so that the second meets what the first left behind.
    let mut filters: Vec<(Vec<u8>, Simulator)> = Vec::new();
    for (_, case) in &suite.cases {
        let ready = suite.ready(case, &mut mint, now).unwrap();
        if !filters.iter().any(|(policy, _)| *policy == ready.policy) {
            let mut simulator = Simulator::new(&module, Settings::new("header-policy")).unwrap();
            let configured = simulator.configure(&ready.policy);
            assert!(configured.accepted, "{:?}", configured.effects.logs);
            measured.push(Measured {
                name: format!("configure, {} bytes", ready.policy.len()),
                effects: configured.effects,
            });
            filters.push((ready.policy.clone(), simulator));
        }
        let (_, simulator) = filters
            .iter_mut()
            .find(|(policy, _)| *policy == ready.policy)
            .unwrap();
        let outcome = simulator.request(corpus::request(&ready.scenario));
        let allowed = case.expect.outcome == corpus::Outcome::Allow;
        assert_eq!(
            outcome.reaches_upstream(),
            allowed,
            "{}: {:?}",
            case.name,
            outcome.local_reply
        );
        measured.push(Measured {
            name: case.name.clone(),
            effects: outcome.effects,
        });
    }
    measured
}
