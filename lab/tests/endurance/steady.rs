//! Memory stays flat under many requests, many reconfigurations, and both: apart, so that what grows says why.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use lab::{Action, Ecds, Envoy, Listener, Update};

use crate::health::{deaths, eventually, probe, vms, wait_for_policy};
use crate::load::{Policies, Pool};
use crate::memory::{Memory, Series};
use crate::setup::{LISTENER, filter, full_policy, gauge_of, module, start};
use crate::wire::Wire;
use crate::{amount, trap};

/// One at a time: they measure.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn memory_is_flat_under_requests() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (pool, mut lab) = (Pool::mint(tokens()), Lab::start());
    let series = lab.run("requests", &pool, amount(20_000, 1_000_000), 0);
    assert_eq!(series.growth(0), Vec::<String>::new());
}

#[test]
fn memory_is_flat_under_reconfigurations() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (pool, mut lab) = (Pool::mint(1), Lab::start());
    let series = lab.run("reconfigurations", &pool, 0, amount(33, 1_000));
    assert_eq!(series.growth(amount(33, 1_000)), Vec::<String>::new());
}

#[test]
fn memory_is_flat_and_no_request_fails_under_both() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (pool, mut lab) = (Pool::mint(tokens()), Lab::start());
    let series = lab.run("both", &pool, amount(20_000, 1_000_000), amount(33, 1_000));
    assert_eq!(series.growth(amount(33, 1_000)), Vec::<String>::new());
}

/// As above, with a module that takes a page for every hundred requests.
#[test]
fn a_module_that_leaks_is_noticed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let module = trap::leaks();
    let envoy = start(listener().wasm(filter(module.path(), "")), None);
    let mut wire = Wire::open(envoy.listener(LISTENER).unwrap());
    let mut series = Series::default();
    for _ in 0..POINTS {
        for _ in 0..1_000 {
            wire.send(b"GET / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n");
            assert_eq!(wire.answer().unwrap().status, 200);
        }
        series.add(Memory::of(&envoy));
    }
    series.print("a leak");
    let growth = series.growth(0);
    assert!(
        growth.iter().any(|line| line.starts_with("linear")),
        "{growth:?}"
    );
}

struct Lab {
    ecds: Ecds,
    envoy: Envoy,
    current: Current,
}

impl Lab {
    fn start() -> Self {
        let current = Current::first();
        let ecds = Ecds::new(filter(module(), &current.policy)).unwrap();
        let envoy = start(listener().wasm(ecds.wasm()), None);
        Self {
            ecds,
            envoy,
            current,
        }
    }

    /// Warms up, then measures at ten more points.
    fn run(&mut self, what: &str, pool: &Pool, requests: usize, updates: usize) -> Series {
        self.current.prove(&self.envoy, pool);
        let (started, before) = (Instant::now(), vms(&self.envoy));
        let (mut series, mut sent) = (Series::default(), 0);
        let share = |all: usize| all.div_ceil(POINTS as usize);
        for turn in 0..POINTS {
            sent += self.turn(turn, pool, share(requests), share(updates));
            series.add(Memory::of(&self.envoy));
        }
        println!(
            "{what}: {sent} requests and {} reconfigurations in {:.1?}",
            self.current.updates,
            started.elapsed()
        );
        series.print(what);
        assert_eq!(deaths(&self.envoy), Vec::<String>::new());
        if updates == 0 {
            assert_eq!(vms(&self.envoy), before);
        }
        series
    }

    /// Requests and updates side by side, for as long as both take; then the last good policy must be the one that runs.
    fn turn(&mut self, turn: u64, pool: &Pool, requests: usize, updates: usize) -> usize {
        let policies = if updates == 0 {
            Policies::First
        } else {
            Policies::Both
        };
        let (envoy, enough) = (&self.envoy, AtomicBool::new(false));
        let sent = std::thread::scope(|scope| {
            let load = || pool.send(envoy, turn, requests, policies, &enough);
            let load = (requests > 0).then(|| scope.spawn(load));
            // However this ends, the load ends with it.
            let end = Finally(&enough);
            for _ in 0..updates {
                self.current.next(&mut self.ecds, envoy);
            }
            drop(end);
            load.map_or(0, |load| {
                load.join().unwrap_or_else(|panic| resume_unwind(panic))
            })
        });
        self.current.prove(envoy, pool);
        sent
    }
}

/// The policy that should run.
struct Current {
    /// Updates so far, refused ones included.
    updates: usize,
    hops: u32,
    policy: String,
}

impl Current {
    fn first() -> Self {
        Self {
            updates: 0,
            hops: 1,
            policy: full_policy(1, "first"),
        }
    }

    /// Every tenth update is one that must be refused; the others change the hops and the revision.
    fn next(&mut self, ecds: &mut Ecds, envoy: &Envoy) {
        self.updates += 1;
        let (policy, hops, wanted) = match self.updates % 10 {
            0 => (bad_policy(self.updates / 10), self.hops, Update::Rejected),
            _ => {
                let hops = 3 - self.hops;
                (
                    full_policy(hops, &self.updates.to_string()),
                    hops,
                    Update::Applied,
                )
            }
        };
        assert_eq!(
            ecds.update(envoy, &policy).unwrap(),
            wanted,
            "update {}",
            self.updates
        );
        if wanted == Update::Applied {
            (self.policy, self.hops) = (policy, hops);
        }
    }

    /// By the gauge, and by what becomes of a request that tells the policies apart.
    fn prove(&self, envoy: &Envoy, pool: &Pool) {
        wait_for_policy(envoy, gauge_of(&self.policy));
        let (request, statuses) = pool.telling();
        let wanted = statuses[usize::from(self.hops == 2)];
        eventually("the worker's policy", || {
            let found = probe(envoy, request);
            (found == Some(wanted)).then_some(()).ok_or(found)
        });
    }
}

/// Sets the flag when it goes, by a panic too.
struct Finally<'f>(&'f AtomicBool);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn listener() -> Listener {
    Listener {
        action: Action::Answer(200),
        access_log: false,
        ..Listener::gateway(LISTENER)
    }
}

/// No JSON, an unknown field, and mistakes in every part.
fn bad_policy(turn: usize) -> String {
    let good = full_policy(1, "bad");
    match turn % 3 {
        0 => good[..good.len() / 2].to_owned(),
        1 => good.replace("\"otherwise\"", "\"otherwhise\""),
        _ => good
            .replace("\"hops\":1", "\"hops\":99")
            .replace("RS256", "RS257"),
    }
}

/// More than the filter remembers.
fn tokens() -> usize {
    amount(600, 4_000)
}

/// The first is the warm-up.
const POINTS: u64 = 11;
