//! Configurations, call-outs, ticks, metrics, shared data, WASI.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{configured, configured_with, get, guest, on_headers, plain, said};
use wasm_host::{
    Action, CalloutResponse, Clusters, Direction, HostError, Limits, Metric, MetricKind, Settings,
    SharedData, Simulator, TrapKind,
};

/// Accepts a configuration unless it begins with `n`; logs the root context of each request as a letter; logs `d` and
/// the context's letter when a context is done.
const ROOTS: &str = r#"
    (global $root (mut i32) (i32.const 0))
    (func (export "proxy_on_context_create") (param $id i32) (param $of i32)
      (if (local.get $of) (then (global.set $root (local.get $of)))))
    (func (export "proxy_on_configure") (param $id i32) (param $size i32) (result i32)
      (drop (call $buffer (i32.const 7) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4)))
      (i32.ne (i32.load8_u (i32.load (i32.const 0))) (i32.const 110)))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (call $letter (global.get $root))
      (call $letter (call $buffer (i32.const 7) (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 4)))
      (i32.const 0))
    (func (export "proxy_on_done") (param $id i32) (result i32)
      (call $letter (i32.add (i32.const 32) (local.get $id)))
      (i32.const 1))"#;

#[test]
fn a_refused_update_keeps_the_last_good_configuration() {
    let mut simulator = Simulator::new(&guest(ROOTS), Settings::new("test")).unwrap();
    assert!(!simulator.configure(b"no").accepted);
    let unconfigured = simulator.request(get());
    assert_eq!(
        unconfigured.effects.trap.unwrap().kind,
        TrapKind::NotConfigured
    );

    // Context 2 was the request above. Each configuration gets a root context of its own.
    assert!(simulator.configure(b"yes").accepted);
    // The plugin configuration is gone outside of configuring: `B` is NotFound. Then the stream itself is done.
    assert_eq!(
        said(&simulator.request(get()).effects.logs),
        ["D", "B", "e"]
    );
    assert!(!simulator.configure(b"no").accepted);
    assert_eq!(
        said(&simulator.request(get()).effects.logs),
        ["D", "B", "g"]
    );

    // A stream keeps the old root context alive; the update lets go of it after the stream's end.
    let open = simulator.open(get());
    let update = simulator.configure(b"yes");
    assert!(update.accepted && update.effects.logs.is_empty());
    assert_eq!(
        said(&simulator.finish(open.stream).unwrap().effects.logs),
        ["h", "d"]
    );
    assert_eq!(said(&simulator.request(get()).effects.logs)[0], "I");
}

/// A stream asks `c` and waits; the answer's body is logged and its first header line too, then the stream goes on.
/// The stream's number is kept, so that whoever gets the answer can act for it.
fn asking(answer: &str) -> String {
    format!(
        r#"(global $stream (mut i32) (i32.const 0))
        (data (i32.const 100) "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\01\00\00\00:method\00GET\00:path\00/\00:authority\00a\00")
        {}
        (func (export "proxy_on_http_call_response") (param $root i32) (param $token i32) (param $lines i32) (param $size i32) (param i32)
          (drop (call $act_for (global.get $stream)))
          (call $letter (local.get $lines))
          (i64.store (i32.const 0) (i64.const 0))
          (call $say (call $buffer (i32.const 4) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4)))
          {answer})"#,
        on_headers(
            "c",
            "(global.set $stream (local.get $id))
             (call $letter (call $call (i32.const 64) (i32.const 1) (i32.const 100) (i32.const 62) (i32.const 64)
               (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 8)))
             (i32.const 1)"
        )
    )
}

#[test]
fn a_callout_lets_the_stream_go_on() {
    let mut simulator = configured(&asking(
        "(drop (call $add (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 64) (i32.const 1)))
         (drop (call $continue (i32.const 0)))",
    ));
    let waiting = simulator.request(get());
    assert!(waiting.waits() && !waiting.finished);
    let call = &waiting.effects.callouts[0];
    assert_eq!(
        (call.cluster.as_slice(), call.body.as_slice()),
        (&b"c"[..], &b"c"[..])
    );
    assert_eq!(call.headers[1], (b":path".to_vec(), b"/".to_vec()));
    assert_eq!(
        (call.timeout, call.stream),
        (Duration::from_millis(500), Some(waiting.stream))
    );

    let event = simulator
        .respond_to_callout(call.token, CalloutResponse::new(200, "keys"))
        .unwrap();
    assert_eq!(said(&event.effects.logs), ["B", "keys"]);
    let stream = &event.streams[0];
    assert_eq!(
        (stream.stream, stream.action, stream.finished),
        (waiting.stream, Action::Continue, true)
    );
    assert_eq!(stream.continued, [Direction::Request]);
    assert_eq!(plain(&stream.headers_after), [(&b"c"[..], &b"c"[..])]);
    let again = simulator.respond_to_callout(call.token, CalloutResponse::Failed);
    assert!(matches!(again, Err(HostError::UnknownCallout(_))));
}

#[test]
fn a_callout_that_failed_has_no_answer() {
    let mut simulator = configured(&asking(
        "(drop (call $reply (i32.const 503) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 0) (i32.const -1)))",
    ));
    let token = simulator.request(get()).effects.callouts[0].token;
    let event = simulator
        .respond_to_callout(token, CalloutResponse::Failed)
        .unwrap();
    assert_eq!(said(&event.effects.logs), ["A", "B"]);
    assert_eq!(event.streams[0].local_reply.as_ref().unwrap().status, 503);
    assert!(event.streams[0].finished);
}

#[test]
fn a_cluster_that_is_not_there_is_a_bad_argument() {
    let mut settings = Settings::new("test");
    settings.clusters = Clusters::Only(BTreeSet::new());
    let outcome = configured_with(&asking(""), settings).request(get());
    assert_eq!(said(&outcome.effects.logs), ["C"]);
    assert!(outcome.effects.callouts.is_empty());
}

#[test]
fn a_tick_moves_the_clock_and_wakes_streams() {
    let body = format!(
        r#"(global $stream (mut i32) (i32.const 0))
        (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.eqz (call $tick (i32.const 250))))
        {}
        (func (export "proxy_on_tick") (param i32)
          (drop (call $now (i32.const 8))) (call $tell (i32.const 8) (i32.const 8))
          (drop (call $act_for (global.get $stream)))
          (drop (call $continue (i32.const 0))))"#,
        on_headers("", "(global.set $stream (local.get $id)) (i32.const 1)")
    );
    let mut simulator = configured(&body);
    assert_eq!(simulator.tick_period(), Some(Duration::from_millis(250)));
    let waiting = simulator.request(get());
    let event = simulator.tick(Duration::from_nanos(7));
    assert_eq!(said(&event.effects.logs), ["\u{7}\0\0\0\0\0\0\0"]);
    assert_eq!(event.streams[0].stream, waiting.stream);
    assert!(event.streams[0].reaches_upstream());
}

#[test]
fn metrics_count_set_and_collect() {
    let body = on_headers(
        "cgh",
        "(drop (call $metric (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 8)))
         (drop (call $increment (i32.load (i32.const 8)) (i64.const 2)))
         (call $letter (call $increment (i32.load (i32.const 8)) (i64.const -1)))
         (drop (call $metric (i32.const 1) (i32.const 65) (i32.const 1) (i32.const 8)))
         (drop (call $record (i32.load (i32.const 8)) (i64.const 9)))
         (drop (call $increment (i32.load (i32.const 8)) (i64.const -4)))
         (drop (call $metric (i32.const 2) (i32.const 66) (i32.const 1) (i32.const 8)))
         (drop (call $record (i32.load (i32.const 8)) (i64.const 3)))
         (i32.const 0)",
    );
    let mut simulator = configured(&body);
    assert_eq!(said(&simulator.request(get()).effects.logs), ["C"]);
    simulator.request(get());
    let metric = |kind, value, samples: &[u64]| Metric {
        kind,
        value,
        samples: samples.to_vec(),
    };
    let metrics = simulator.metrics();
    assert_eq!(metrics["c"], metric(MetricKind::Counter, 4, &[]));
    assert_eq!(metrics["g"], metric(MetricKind::Gauge, 5, &[]));
    assert_eq!(metrics["h"], metric(MetricKind::Histogram, 3, &[3, 3]));
}

#[test]
fn shared_data_is_compared_and_swapped_between_workers() {
    let body = on_headers(
        "kv",
        "(i64.store (i32.const 0) (i64.const 0))
         (call $say (call $shared (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 8)))
         (call $letter (call $set_shared (i32.const 64) (i32.const 1) (i32.const 65) (i32.const 1) (i32.const 77)))
         (i32.const 0)",
    );
    let shared_data = SharedData::default();
    let worker = || {
        let mut settings = Settings::new("test");
        settings.shared_data = shared_data.clone();
        configured_with(&body, settings)
    };
    let (mut one, mut two) = (worker(), worker());
    let written = one.request(get());
    assert_eq!(said(&written.effects.logs), ["B", "A"]);
    assert_eq!(
        written.effects.shared_data,
        [(b"k".to_vec(), b"v".to_vec())]
    );
    // `I` is 8, CasMismatch: 77 is not the version that is stored.
    assert_eq!(said(&two.request(get()).effects.logs), ["v", "I"]);
    shared_data.put(b"k", b"forged");
    assert_eq!(said(&two.request(get()).effects.logs)[0], "forged");
    assert_eq!(two.shared_data()[&b"k"[..]], b"forged");
}

#[test]
fn wasi_writes_to_the_log_and_is_deterministic() {
    // A vector at 32 says 8 random bytes at 40.
    let body = on_headers(
        "",
        "(i32.store (i32.const 32) (i32.const 40)) (i32.store (i32.const 36) (i32.const 8))
         (drop (call $random (i32.const 40) (i32.const 8)))
         (drop (call $fd_write (i32.const 2) (i32.const 32) (i32.const 1) (i32.const 8)))
         (drop (call $environ (i32.const 200) (i32.const 300)))
         (call $tell (i32.load (i32.const 200)) (i32.const 4))
         (i32.const 0)",
    );
    let run = |seed| {
        let mut settings = Settings::new("test");
        settings.random_seed = seed;
        settings.environment.insert("A".to_owned(), "b".to_owned());
        configured_with(&body, settings).request(get()).effects.logs
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert_eq!(run(1)[1].1, "A=b\0");
}

#[test]
fn fuel_host_calls_and_memory_are_reported_and_do_not_drift() {
    let mut simulator = configured(&on_headers(
        "",
        "(call $letter (i32.const 0)) (i32.const 0)",
    ));
    let first = simulator.request(get());
    let second = simulator.request(get());
    assert!(
        first.effects.fuel > 5 && first.effects.fuel < 100,
        "{}",
        first.effects.fuel
    );
    assert_eq!(first.effects.fuel, second.effects.fuel);
    assert_eq!(first.effects.host_calls["proxy_log"], 1);
    assert_eq!(simulator.memory_bytes(), 16 * 65536);
}

#[test]
fn instances_are_cheap() {
    let module = guest(ROOTS);
    let simulators: Vec<Simulator> = (0..1000)
        .map(|_| Simulator::new(&module.clone(), Settings::new("test")).unwrap())
        .collect();
    assert_eq!(simulators.len(), 1000);
    assert_eq!(Limits::default().fuel_per_call, Limits::FUEL_PER_CALL);
}
