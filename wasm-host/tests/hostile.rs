//! The hostile host: rules change answers, never the host.

mod common;

use common::{configured, get, guest, on_headers, said};
use wasm_host::{
    Behaviour, Hostile, Lie, Module, Rule, Settings, Simulator, Status, When, host_call_names,
};

/// Logs the first `x`, the whole map and the clock.
const ASK: &str = "(call $say (call $value (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 4)))
    (call $say (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))
    (drop (call $now (i32.const 8))) (call $tell (i32.const 8) (i32.const 8))";

fn asking() -> Module {
    guest(&on_headers("x", &format!("{ASK} (i32.const 0)")))
}

fn told_by(module: &Module, hostile: Hostile) -> Vec<String> {
    let mut simulator = Simulator::new(module, Settings::new("test")).unwrap();
    assert!(simulator.configure(b"{}").accepted);
    simulator.set_hostile(hostile);
    let outcome = simulator.request(get().header("x", "value"));
    said(&outcome.effects.logs)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn told(hostile: Hostile) -> Vec<String> {
    told_by(&asking(), hostile)
}

#[test]
fn every_call_can_be_refused_with_every_status() {
    let mut simulator = Simulator::new(&asking(), Settings::new("test")).unwrap();
    assert!(simulator.configure(b"{}").accepted);
    for call in host_call_names() {
        for status in Status::ALL {
            simulator.set_hostile(Hostile::always(call, Behaviour::Refuse(status)));
            let outcome = simulator.request(get());
            assert_eq!(outcome.effects.trap, None, "{call} {status:?}");
        }
    }
}

#[test]
fn a_refusal_is_what_the_guest_sees() {
    let call = "proxy_get_header_map_value";
    assert_eq!(
        told(Hostile::always(
            call,
            Behaviour::Refuse(Status::InternalFailure)
        ))[0],
        "K"
    );
    assert_eq!(
        told(Hostile::always(call, Behaviour::RefuseWith(20)))[0],
        "U"
    );
    assert_eq!(told(Hostile::none())[0], "value");
}

#[test]
fn lies_are_told_as_written() {
    let lie = |lie| {
        told(Hostile::always(
            "proxy_get_header_map_value",
            Behaviour::Lie(lie),
        ))[0]
            .clone()
    };
    assert_eq!(lie(Lie::Truncate(2)), "va");
    assert_eq!(lie(Lie::Nothing), "");
    assert_eq!(lie(Lie::EmptyMap), "\0\0\0\0");
    assert_eq!(lie(Lie::ReportSize(3)), "val");
    assert_eq!(lie(Lie::NotUtf8), "\u{fffd}\u{fffd}value");
    assert_eq!(lie(Lie::Bytes(b"other".to_vec())), "other");
    let map = |lie| {
        told(Hostile::always(
            "proxy_get_header_map_pairs",
            Behaviour::Lie(lie),
        ))[1]
            .clone()
    };
    assert_eq!(map(Lie::EmptyMap), "\0\0\0\0");
    assert!(map(Lie::GarbageCount).starts_with("\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{a}\0\0\0"));
    assert!(map(Lie::GarbageLengths).starts_with("\u{5}\0\0\0\u{fffd}\u{fffd}\u{fffd}\u{7f}"));
    assert_eq!(
        told(Hostile::always(
            "proxy_get_current_time_nanoseconds",
            Behaviour::Lie(Lie::Number(0))
        ))[2],
        "\0".repeat(8)
    );
}

#[test]
fn every_lie_about_every_call_leaves_the_host_standing() {
    let module = asking();
    for call in host_call_names() {
        for lie in Lie::samples() {
            told_by(&module, Hostile::always(call, Behaviour::Lie(lie)));
        }
        told_by(&module, Hostile::always(call, Behaviour::Ignore));
    }
}

#[test]
fn a_rule_may_be_about_one_call_only() {
    let mut simulator = configured(&on_headers("x", &format!("{ASK} {ASK} (i32.const 0)")));
    let refuse = |when| {
        let behaviour = Behaviour::Refuse(Status::NotFound);
        Hostile::none().and(Rule {
            call: "proxy_get_header_map_value".to_owned(),
            when,
            behaviour,
        })
    };
    let mut run = |when| {
        simulator.set_hostile(refuse(when));
        let outcome = simulator.request(get().header("x", "value"));
        (
            outcome.effects.logs[0].1.clone(),
            outcome.effects.logs[3].1.clone(),
            outcome.effects.hostile,
        )
    };
    assert_eq!(run(When::Nth(1)), ("B".into(), "value".into(), 1));
    assert_eq!(run(When::From(2)), ("value".into(), "B".into(), 1));
    assert_eq!(run(When::Always), ("B".into(), "B".into(), 2));
}
