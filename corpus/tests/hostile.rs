//! A failing or lying host never allows what would be refused: the real module, every host call that it imports × every way to go wrong × when.
//!
//! The requests are those of hostile.yaml. What a host can bring about all the same is listed as data, each entry with its reason; an entry that nothing needs any more fails too.
#![cfg(feature = "wasm")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use corpus::{Engine as _, Keys, Outcome as Expected, Suite};
use wasm_host::{
    Behaviour, Effects, HostError, Hostile, Lie, Module, Outcome, Pairs, Request, Rule, Settings,
    Simulator, Status, When,
};

/// What must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    /// A request that must be refused goes on.
    Allowed,
    /// A request goes on with a value that a stranger forged.
    Forged,
    /// A request goes on with other headers than behind an honest host.
    OtherEdits,
    /// The host is honest again, the VM lives, and a good request is refused all the same.
    Unrecovered,
    /// The VM stops, and with it all streams of the worker, though no pointer and no size was wrong.
    Trapped,
}

/// Harm that a host can do all the same.
struct Excused {
    call: &'static str,
    /// How the behaviour's name begins.
    behaviour: &'static str,
    phases: &'static [Phase],
    harm: Harm,
    /// The requests that it concerns; none means all.
    requests: &'static [&'static str],
    why: &'static str,
}

/// By nature undetectable: a consistent lie is all the truth that the filter has.
const POWER: &[Excused] = &[
    Excused {
        call: "proxy_get_current_time_nanoseconds",
        behaviour: "Lie(Number(1767225600000000000))",
        phases: &[Phase::Requests, Phase::Life],
        harm: Harm::Allowed,
        requests: &["an expired token"],
        why: "a clock that was set back to when the token was valid can't be told from the truth",
    },
    Excused {
        call: "proxy_get_current_time_nanoseconds",
        behaviour: "Lie(Number(1767225600000000000))",
        phases: &[Phase::Requests, Phase::Life],
        harm: Harm::Forged,
        requests: &["an expired token"],
        why: "follows from the one above: its `sub` is `forged`",
    },
    Excused {
        call: "proxy_call_foreign_function",
        behaviour: "Lie(Bytes([8, 1]))",
        phases: &[Phase::Requests, Phase::After],
        harm: Harm::Allowed,
        requests: FORGED_SIGNATURES,
        why: "a verifier that begins to lie after it answered both known vectors right; what it verified is kept until `exp`. One that lies from the start is unmasked: no entry for Life",
    },
    Excused {
        call: "proxy_call_foreign_function",
        behaviour: "Lie(Bytes([8, 1]))",
        phases: &[Phase::Requests, Phase::After],
        harm: Harm::Forged,
        requests: FORGED_SIGNATURES,
        why: "follows from the one above: its `sub` is `forged`",
    },
    Excused {
        call: "proxy_remove_header_map_value",
        behaviour: "Ignore",
        phases: &[Phase::Requests, Phase::Life],
        harm: Harm::Forged,
        requests: FORGED_HEADERS,
        why: "the host says that it removed the header; who sends the request on has the last word about its headers",
    },
    Excused {
        call: "proxy_remove_header_map_value",
        behaviour: "Ignore",
        phases: &[Phase::Requests, Phase::Life],
        harm: Harm::OtherEdits,
        requests: FORGED_HEADERS,
        why: "as above",
    },
    Excused {
        call: "proxy_replace_header_map_value",
        behaviour: "Ignore",
        phases: &[Phase::Requests, Phase::Life],
        harm: Harm::Forged,
        requests: FORGED_HEADERS,
        why: "the host says that it set the header, as above",
    },
    Excused {
        call: "proxy_replace_header_map_value",
        behaviour: "Ignore",
        phases: &[Phase::Requests, Phase::Life],
        harm: Harm::OtherEdits,
        requests: &[],
        why: "the host says that it set the header, as above",
    },
    Excused {
        call: "proxy_get_property",
        behaviour: SIDECAR,
        phases: &[Phase::Requests, Phase::After],
        harm: Harm::Allowed,
        requests: &[],
        why: "under `position: Detect` the node id alone tells a gateway from a sidecar's outbound side, which passes; it is asked for once and believed for good. A policy that says its position does not ask",
    },
    Excused {
        call: "proxy_get_property",
        behaviour: SIDECAR,
        phases: &[Phase::Requests, Phase::After],
        harm: Harm::Forged,
        requests: &[],
        why: "as above: nothing is stripped from what passes",
    },
    Excused {
        call: "proxy_get_property",
        behaviour: SIDECAR,
        phases: &[Phase::Requests, Phase::After],
        harm: Harm::OtherEdits,
        requests: &[],
        why: "as above",
    },
    Excused {
        call: "proxy_get_property",
        behaviour: OUTBOUND,
        phases: &[Phase::Requests],
        harm: Harm::Allowed,
        requests: &["a workload that is no gateway"],
        why: "under `position: Detect` the listener's direction tells a sidecar's two sides apart, and its outbound side passes; only the host knows it. A policy that says its position does not ask",
    },
];

/// Direction 2.
const OUTBOUND: &str = "Lie(Bytes([2, 0, 0, 0, 0, 0, 0, 0]))";
/// `sidecar~`.
const SIDECAR: &str = "Lie(Bytes([115, 105, 100, 101, 99, 97, 114, 126]))";
const FORGED_SIGNATURES: &[&str] = &["a forged RSA signature", "a changed payload"];
const FORGED_HEADERS: &[&str] = &[
    "a good token, forged headers and a longer chain",
    "an open path and a forged header",
    "a good token behind the gateway",
];

#[test]
fn a_host_that_fails_or_lies_allows_nothing() {
    let world = World::build();
    let calls = world.imported();
    let whens = [When::Always, When::Nth(1), When::Nth(2), When::Nth(3)];
    let mut jobs = Vec::new();
    for phase in [Phase::Configure, Phase::Requests] {
        jobs.extend(
            calls
                .iter()
                .flat_map(|call| whens.map(|when| (phase, call.as_str(), when))),
        );
    }
    jobs.extend(
        calls
            .iter()
            .map(|call| (Phase::Life, call.as_str(), When::Always)),
    );
    let next = AtomicUsize::new(0);
    let tally = Mutex::new(Tally::default());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut mine = Tally::default();
                while let Some((phase, call, when)) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    world.walk(*phase, call, *when, &mut mine);
                }
                tally.lock().unwrap().add(mine);
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{}", tally.story(&calls));
    let wrong = tally.wrong();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// When the host goes wrong, and when the harm is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// It goes wrong from the start of the VM until the policy is loaded; requests come later, to an honest host.
    Configure,
    /// It goes wrong while requests are judged.
    Requests,
    /// It goes wrong from the start and goes on.
    Life,
    /// It went wrong while requests were judged and is honest again: what was remembered must not be poisoned.
    After,
}

/// One request, and what an honest host makes of it.
struct Shown {
    name: String,
    policy: usize,
    request: Request,
    must_be_refused: bool,
    honest: Pairs,
}

struct World {
    module: Module,
    policies: Vec<Vec<u8>>,
    requests: Vec<Shown>,
}

impl World {
    /// Reads the requests and has an honest host judge them.
    fn build() -> Self {
        let path = std::env::var_os("KYMA_ISTIO_WASM").expect("KYMA_ISTIO_WASM names the filter: run `make wasm`, then `KYMA_ISTIO_WASM=$PWD/out/header-policy.wasm cargo test -p corpus`");
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", Path::new(&path).display()));
        let honest = corpus::Module::compile(&bytes).unwrap();
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let keys = Keys::near(&here.join("../testdata/cases"));
        let suite = Suite::read_with(&here.join("tests/hostile.yaml"), keys)
            .unwrap_or_else(|error| panic!("{error}"));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let mut mint = suite.mint(now);
        let mut world = Self {
            module: Module::compile(&bytes).unwrap(),
            policies: Vec::new(),
            requests: Vec::new(),
        };
        for (_, case) in &suite.cases {
            let ready = suite
                .ready(case, &mut mint, now)
                .unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let observed = honest
                .ready(&ready)
                .unwrap()
                .judge(&ready.scenario)
                .unwrap_or_else(|error| panic!("{}: {error}", case.name));
            if let Err(wrong) = corpus::judge(case, &ready.tokens, &observed) {
                panic!("an honest host, {}: {}", case.name, wrong.join("; "));
            }
            let policy = world
                .policies
                .iter()
                .position(|policy| *policy == ready.policy)
                .unwrap_or_else(|| {
                    world.policies.push(ready.policy.clone());
                    world.policies.len() - 1
                });
            world.requests.push(Shown {
                name: case.name.clone(),
                policy,
                request: corpus::request(&ready.scenario),
                must_be_refused: case.expect.outcome == Expected::Deny,
                honest: observed.after,
            });
        }
        world
    }

    /// The host calls that the filter imports, in its order.
    fn imported(&self) -> Vec<String> {
        let names = self
            .module
            .imports()
            .iter()
            .filter_map(|import| import.rsplit('.').next());
        names
            .filter(|name| wasm_host::host_call_names().contains(name))
            .map(str::to_owned)
            .collect()
    }

    /// Every behaviour of one call at one time.
    fn walk(&self, phase: Phase, call: &str, when: When, tally: &mut Tally) {
        for behaviour in behaviours(call) {
            let hostile = Hostile::none().and(Rule {
                call: call.to_owned(),
                when,
                behaviour: behaviour.clone(),
            });
            let mut run = Run {
                world: self,
                hostile,
                phase,
                when,
                call,
                behaviour: format!("{behaviour:?}"),
                changed: 0,
                tally,
            };
            for policy in 0..self.policies.len() {
                match phase {
                    Phase::Configure | Phase::Life => run.configure(policy),
                    Phase::Requests | Phase::After => run.requests(policy),
                }
            }
            run.tally.hosts += 1;
            // Whether a call is made at all does not depend on what it would have answered.
            if run.changed == 0 {
                return;
            }
            run.tally.fired.insert(call.to_owned());
        }
    }

    fn settings() -> Settings {
        let mut settings = Settings::new("header-policy");
        // Far more than any call needs; a guest that runs wild is stopped soon.
        settings.limits.fuel_per_call = 100_000_000;
        settings
    }

    /// A filter that an honest host configured.
    fn configured(&self, policy: usize) -> Simulator {
        let mut simulator = Simulator::new(&self.module, Self::settings()).unwrap();
        assert!(simulator.configure(&self.policies[policy]).accepted);
        simulator
    }
}

/// 2026-01-01: the clock of a host that was set back.
const SOME_TIME_AGO: u64 = 1_767_225_600_000_000_000;

/// Every way to go wrong, and for some calls the lies that would help an attacker most.
fn behaviours(call: &str) -> Vec<Behaviour> {
    let statuses = Status::ALL
        .into_iter()
        .filter(|status| *status != Status::Ok);
    let mut all: Vec<Behaviour> = statuses.map(Behaviour::Refuse).collect();
    all.extend([13, u32::MAX].map(Behaviour::RefuseWith));
    all.push(Behaviour::Ignore);
    all.extend(Lie::samples().into_iter().map(Behaviour::Lie));
    // Inside the module's memory, but nothing that was allocated for this.
    all.extend([8, 0x1_0000, 0x10_0008].map(|pointer| Behaviour::Lie(Lie::ReportPointer(pointer))));
    if call == "proxy_get_current_time_nanoseconds" {
        all.push(Behaviour::Lie(Lie::Number(SOME_TIME_AGO)));
    }
    let told: &[&[u8]] = match call {
        // Envoy's answer to a signature that fits.
        "proxy_call_foreign_function" => &[&[8, 1]],
        // The node id of another place, and the direction 2, outbound.
        "proxy_get_property" => &[b"router~", b"sidecar~", &[2, 0, 0, 0, 0, 0, 0, 0]],
        _ => &[],
    };
    all.extend(
        told.iter()
            .map(|told| Behaviour::Lie(Lie::Bytes(told.to_vec()))),
    );
    all
}

/// One hostile host.
struct Run<'w> {
    world: &'w World,
    hostile: Hostile,
    phase: Phase,
    when: When,
    call: &'w str,
    behaviour: String,
    /// Answers that were changed.
    changed: u64,
    tally: &'w mut Tally,
}

impl Run<'_> {
    fn configure(&mut self, policy: usize) {
        let mut settings = World::settings();
        settings.hostile = self.hostile.clone();
        let mut simulator = match Simulator::new(&self.world.module, settings) {
            Ok(simulator) => simulator,
            Err(error) => {
                // No VM, no request.
                self.changed += 1;
                assert!(matches!(error, HostError::Trapped(_)), "{error}");
                return self.trapped("the start");
            }
        };
        self.count(&simulator.started().clone(), "the start");
        let configured = simulator.configure(&self.world.policies[policy]);
        self.count(&configured.effects, "the configuration");
        if self.phase == Phase::Configure {
            simulator.set_hostile(Hostile::none());
        }
        self.show_all(&mut simulator, policy);
    }

    fn requests(&mut self, policy: usize) {
        let mut simulator = self.world.configured(policy);
        for shown in self
            .world
            .requests
            .iter()
            .filter(|shown| shown.policy == policy)
        {
            // Calls are counted anew for each request.
            simulator.set_hostile(self.hostile.clone());
            let outcome = simulator.request(shown.request.clone());
            self.judge(self.phase, shown, &outcome);
            if outcome.effects.trap.is_some() {
                simulator = self.world.configured(policy);
            }
        }
        simulator.set_hostile(Hostile::none());
        self.show_all(&mut simulator, policy);
    }

    /// All requests, by a host that is honest again or never was.
    fn show_all(&mut self, simulator: &mut Simulator, policy: usize) {
        for shown in self
            .world
            .requests
            .iter()
            .filter(|shown| shown.policy == policy)
        {
            let outcome = simulator.request(shown.request.clone());
            let phase = match self.phase {
                Phase::Requests | Phase::After => Phase::After,
                lied @ (Phase::Configure | Phase::Life) => lied,
            };
            self.judge(phase, shown, &outcome);
            let lives = outcome.effects.trap.is_none();
            let honest = phase != Phase::Life;
            if honest && lives && !shown.must_be_refused && !outcome.reaches_upstream() {
                self.harm(phase, Harm::Unrecovered, &shown.name);
            }
        }
    }

    fn judge(&mut self, phase: Phase, shown: &Shown, outcome: &Outcome) {
        self.tally.requests += 1;
        self.count(&outcome.effects, &shown.name);
        if !outcome.reaches_upstream() {
            return;
        }
        if shown.must_be_refused {
            self.harm(phase, Harm::Allowed, &shown.name);
        }
        let forged =
            |(_, value): &(Vec<u8>, Vec<u8>)| value.windows(6).any(|part| part == b"forged");
        if outcome.headers_after.iter().any(forged) {
            self.harm(phase, Harm::Forged, &shown.name);
        }
        if !shown.must_be_refused && sorted(&outcome.headers_after) != sorted(&shown.honest) {
            self.harm(phase, Harm::OtherEdits, &shown.name);
        }
    }

    fn count(&mut self, effects: &Effects, during: &str) {
        self.changed += effects.hostile;
        self.tally.changed += effects.hostile;
        if let Some(trap) = &effects.trap {
            // A VM that was stopped before, or never configured, answers nothing.
            let first = !matches!(
                trap.kind,
                wasm_host::TrapKind::VmFailed | wasm_host::TrapKind::NotConfigured
            );
            if first {
                self.trapped(during);
            }
        }
    }

    fn trapped(&mut self, during: &str) {
        if self.behaviour.contains("ReportSize") || self.behaviour.contains("ReportPointer") {
            *self
                .tally
                .traps
                .entry(format!("{} {}", self.call, self.behaviour))
                .or_default() += 1;
        } else {
            self.harm(self.phase, Harm::Trapped, during);
        }
    }

    fn harm(&mut self, phase: Phase, harm: Harm, request: &str) {
        let violation = Violation {
            call: self.call.to_owned(),
            behaviour: self.behaviour.clone(),
            phase,
            harm,
            request: request.to_owned(),
        };
        let when = format!("{:?}", self.when);
        self.tally
            .violations
            .entry(violation)
            .or_default()
            .insert(when);
    }
}

fn sorted(headers: &Pairs) -> Pairs {
    let mut headers = headers.clone();
    headers.sort();
    headers
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    call: String,
    behaviour: String,
    phase: Phase,
    harm: Harm,
    request: String,
}

impl Excused {
    fn covers(&self, violation: &Violation) -> bool {
        violation.call == self.call
            && violation.behaviour.starts_with(self.behaviour)
            && violation.harm == self.harm
            && self.phases.contains(&violation.phase)
            && (self.requests.is_empty() || self.requests.contains(&violation.request.as_str()))
    }
}

#[derive(Debug, Default)]
struct Tally {
    hosts: u64,
    requests: u64,
    changed: u64,
    fired: BTreeSet<String>,
    traps: BTreeMap<String, u64>,
    /// With the times at which it came about.
    violations: BTreeMap<Violation, BTreeSet<String>>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.hosts += other.hosts;
        self.requests += other.requests;
        self.changed += other.changed;
        self.fired.extend(other.fired);
        for (lie, count) in other.traps {
            *self.traps.entry(lie).or_default() += count;
        }
        for (violation, whens) in other.violations {
            self.violations.entry(violation).or_default().extend(whens);
        }
    }

    /// What was walked through.
    fn story(&self, calls: &[String]) -> String {
        let (made, never): (Vec<&String>, Vec<&String>) =
            calls.iter().partition(|call| self.fired.contains(*call));
        let traps: Vec<String> = self
            .traps
            .iter()
            .map(|(lie, count)| format!("{lie} ({count})"))
            .collect();
        format!(
            "{} hosts, {} requests, {} answers changed\nwent wrong: {made:?}\nimported and never called: {never:?}\npointers and sizes that stop the VM: {}",
            self.hosts,
            self.requests,
            self.changed,
            traps.join(", ")
        )
    }

    /// What is not excused, and excuses that excuse nothing.
    fn wrong(&self) -> Vec<String> {
        let entries = || POWER.iter();
        let violations = self
            .violations
            .iter()
            .filter(|(violation, _)| !entries().any(|entry| entry.covers(violation)))
            .map(|(v, whens)| {
                format!(
                    "{} {} {:?} {:?}: {} {whens:?}",
                    v.call, v.behaviour, v.phase, v.harm, v.request
                )
            });
        let needless = entries()
            .filter(|entry| {
                !self
                    .violations
                    .keys()
                    .any(|violation| entry.covers(violation))
            })
            .map(|entry| {
                format!(
                    "nothing needs this entry any more: {} {} {:?}: {}",
                    entry.call, entry.behaviour, entry.harm, entry.why
                )
            });
        violations.chain(needless).collect()
    }
}
