//! 10,000 requests that nobody should send: the VM lives, and none without a good token reaches the upstream.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::time::Instant;

use lab::{Echo, Envoy, Listener};
use serde_json::json;

use crate::health::{complaints, deaths, eventually, probe, vms, wait_for_policy};
use crate::hostile::{Forge, Sample, Then};
use crate::setup::{LISTENER, filter, full_policy, gauge_of, module, start};
use crate::tap::Tap;
use crate::trap;
use crate::wire::Wire;

#[test]
fn ten_thousand_malformed_requests_leave_the_filter_alive_and_the_upstream_alone() {
    let started = Instant::now();
    let lab = Lab::start(module());
    let policy = gauge_of(&full_policy(1, "malformed"));
    wait_for_policy(&lab.envoy, policy);
    let before = vms(&lab.envoy);

    let tally = lab.send(0..REQUESTS);
    println!(
        "{REQUESTS} malformed requests in {:.1?}; answers: {:?}",
        started.elapsed(),
        tally.by_status()
    );
    for (kind, statuses) in &tally.0 {
        println!("{kind:>24}: {statuses:?}");
    }

    assert_eq!(complaints(&lab.envoy), Vec::<String>::new());
    assert_eq!(vms(&lab.envoy), before);
    wait_for_policy(&lab.envoy, policy);
    let reached = lab.tap.marks();
    let stray: Vec<&usize> = reached
        .iter()
        .filter(|number| !lab.may_reach(**number))
        .collect();
    assert_eq!(stray, Vec::<&usize>::new(), "these reached the upstream");

    // It was the filter that judged, not only Envoy's parser before it, and nearly every part of it.
    let reasons = lab.refusals();
    println!(
        "{} reached the upstream; refused by the filter: {reasons:?}",
        reached.len()
    );
    assert!(
        reasons.values().sum::<u64>() > REQUESTS as u64 / 2
            && reasons.len() >= 12
            && reached.len() > 100
    );
    assert!(!reasons.contains_key("RequestUnreadable"));
    assert_eq!(
        tally
            .by_status()
            .keys()
            .find(|status| **status >= Some(500) && **status != Some(501)),
        None
    );
}

/// A filter that lives through ordinary requests and dies of one with hundreds of headers.
#[test]
fn a_vm_that_dies_is_noticed() {
    let module = trap::dies_of_many_headers();
    let lab = Lab::start(module.path());
    let before = vms(&lab.envoy);
    assert_eq!(complaints(&lab.envoy), Vec::<String>::new());
    let requests = (0..200).map(|number| lab.forge.sample(number));
    for sample in requests.filter(|sample| sample.kind == "hundreds of headers") {
        exchange(&mut None, &lab.envoy, &sample);
    }
    for sign in ["failed: Uncaught", "wasm_fail_stream"] {
        eventually(sign, || {
            let found = deaths(&lab.envoy);
            found
                .iter()
                .any(|line| line.contains(sign))
                .then_some(())
                .ok_or(found)
        });
    }
    assert_eq!(probe(&lab.envoy, &lab.forge.good()), Some(503));
    // Should this ever fail, Envoy has learnt to tell, and `complaints` can be simpler.
    assert_eq!(vms(&lab.envoy), before);
}

struct Lab {
    envoy: Envoy,
    tap: Tap,
    forge: Forge,
    _echo: Echo,
}

impl Lab {
    fn start(module: PathBuf) -> Self {
        let echo = Echo::start().unwrap();
        let tap = Tap::in_front_of(echo.address());
        let listener = Listener {
            // The filter is to see what Envoy could refuse or repair before it.
            normalize_path: false,
            connection_manager: json!({
                "max_request_headers_kb": 96,
                "common_http_protocol_options": { "max_headers_count": 2000 },
            }),
            ..Listener::gateway(LISTENER).wasm(filter(module, &full_policy(1, "malformed")))
        };
        Self {
            envoy: start(listener, Some(tap.address())),
            tap,
            forge: Forge::new(),
            _echo: echo,
        }
    }

    /// Sends them over some connections at once, with good and bad probes in between.
    fn send(&self, numbers: std::ops::Range<usize>) -> Tally {
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..CONNECTIONS)
                .map(|first| {
                    let mine = numbers.clone().skip(first).step_by(CONNECTIONS);
                    scope.spawn(move || self.send_in_turn(mine))
                })
                .collect();
            senders.into_iter().fold(Tally::default(), |tally, sender| {
                tally.and(sender.join().unwrap_or_else(|panic| resume_unwind(panic)))
            })
        })
    }

    fn send_in_turn(&self, numbers: impl Iterator<Item = usize>) -> Tally {
        let mut tally = Tally::default();
        let mut wire = None;
        for (turn, number) in numbers.enumerate() {
            let sample = self.forge.sample(number);
            let status = exchange(&mut wire, &self.envoy, &sample);
            assert!(
                status != Some(200) || sample.may_pass,
                "request {number} ({}) was allowed: {:.200}",
                sample.kind,
                sample.bytes.escape_ascii().to_string()
            );
            tally.count(sample.kind, status);
            if turn % PROBE_EVERY == 0 {
                assert_eq!(
                    probe(&self.envoy, &self.forge.good()),
                    Some(200),
                    "a good request after number {number} ({})",
                    sample.kind
                );
                assert_eq!(
                    probe(&self.envoy, &self.forge.without_token()),
                    Some(401),
                    "one without a token after number {number} ({})",
                    sample.kind
                );
            }
        }
        tally
    }

    /// Probes have the number 0.
    fn may_reach(&self, number: usize) -> bool {
        number == 0 || (number < REQUESTS && self.forge.sample(number).may_pass)
    }

    /// The filter's refusals by reason.
    fn refusals(&self) -> BTreeMap<String, u64> {
        let stats = self
            .envoy
            .admin("/stats?filter=header_policy.filter.denied")
            .unwrap();
        let lines = stats.lines().filter_map(|line| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name.rsplit('.').next()?.to_owned(), value.parse().ok()?))
        });
        lines.collect()
    }
}

/// Sends a request on the connection, or on a new one, and leaves the connection if it can be used again.
fn exchange(kept: &mut Option<Wire>, envoy: &Envoy, sample: &Sample) -> Option<u16> {
    let mut wire = kept
        .take()
        .unwrap_or_else(|| Wire::open(envoy.listener(LISTENER).unwrap()));
    // Envoy may have had enough before it is all sent; its answer says so.
    wire.send(&sample.bytes);
    match sample.then {
        Then::Keep => {
            let answer = wire.answer()?;
            if !answer.last {
                *kept = Some(wire);
            }
            Some(answer.status)
        }
        Then::Leave => wire.status(),
        Then::Finish => {
            wire.finish();
            let status = wire.status();
            wire.drain();
            status
        }
    }
}

/// Answers by kind and status; none is a connection that ended without one.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, BTreeMap<Option<u16>, usize>>);

impl Tally {
    fn count(&mut self, kind: &'static str, status: Option<u16>) {
        *self.0.entry(kind).or_default().entry(status).or_default() += 1;
    }

    fn and(mut self, other: Self) -> Self {
        for (kind, statuses) in other.0 {
            for (status, count) in statuses {
                *self.0.entry(kind).or_default().entry(status).or_default() += count;
            }
        }
        self
    }

    fn by_status(&self) -> BTreeMap<Option<u16>, usize> {
        let mut all = BTreeMap::new();
        for (status, count) in self.0.values().flatten() {
            *all.entry(*status).or_default() += count;
        }
        all
    }
}

const REQUESTS: usize = 10_000;
const CONNECTIONS: usize = 4;
const PROBE_EVERY: usize = 100;
