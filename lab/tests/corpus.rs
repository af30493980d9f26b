//! The corpus at its deepest: every case through the real `.wasm` in real Envoy, the default version and the oldest supported.
//!
//! What the filter is handed is observed too: each request goes through a listener without the filter first, and what the upstream gets there is what the case's expectations are differences from.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at its first failure"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use corpus::{Case, Depth, Observed, Outcome, Ready, Suite};
use lab::{
    Bootstrap, Ca, Client, Echo, Echoed, Envoy, Leaf, Listener, Node, RawRequest, Response, Wasm,
    envoy_versions, repository,
};
use policy::Position;

const WORKLOAD: &str = "spiffe://cluster.local/ns/default/sa/workload";

#[test]
fn cases_agree_in_the_default_envoy() {
    run(&envoy_versions().unwrap().remove(0));
}

#[test]
fn cases_agree_in_the_oldest_supported_envoy() {
    run(&envoy_versions().unwrap().pop().unwrap());
}

/// A case on its way: its listeners' names depend on nothing but what it needs of a proxy.
struct Prepared<'s> {
    suite: &'s Suite,
    case: &'s Case,
    ready: Ready,
    place: Place,
    listener: String,
}

/// What a listener is apart from the filter.
#[derive(Clone, Copy)]
struct Place {
    position: Position,
    hops: u32,
    plaintext: bool,
}

impl Place {
    fn plain(self) -> String {
        format!(
            "plain-{}-{}-{}",
            self.position as u8, self.hops, self.plaintext
        )
    }

    fn listener(self, name: &str) -> Listener {
        let position = match self.position {
            Position::Gateway => lab::Position::Gateway,
            Position::SidecarInbound => lab::Position::SidecarInbound,
            Position::SidecarOutbound => lab::Position::SidecarOutbound,
        };
        Listener {
            num_trusted_hops: self.hops,
            plaintext: self.plaintext,
            // Ambiguous paths must reach the filter.
            normalize_path: false,
            ..Listener::at(position, name)
        }
    }
}

fn run(version: &str) {
    let module = std::env::var("KYMA_ISTIO_WASM")
        .expect("KYMA_ISTIO_WASM is not set: run `make test`, or `make wasm` first");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let files = corpus::files(&[repository().join("testdata/cases")]).unwrap();
    let suites: Vec<Suite> = files
        .iter()
        .map(|file| Suite::read(file).unwrap_or_else(|error| panic!("{error}")))
        .collect();
    let prepared: Vec<Prepared<'_>> = suites
        .iter()
        .flat_map(|suite| prepare(suite, now))
        .collect();
    assert!(!prepared.is_empty());

    let echo = Echo::start().unwrap();
    let ca = Ca::new().unwrap();
    let [router, sidecar] = [Node::Router, Node::Sidecar].map(|node| {
        let mine = |case: &&Prepared<'_>| {
            (case.place.position == Position::Gateway) == (node == Node::Router)
        };
        let mut listeners: BTreeMap<String, Listener> = BTreeMap::new();
        for case in prepared.iter().filter(mine) {
            let plain = case.place.plain();
            listeners
                .entry(plain.clone())
                .or_insert_with(|| case.place.listener(&plain));
            listeners.entry(case.listener.clone()).or_insert_with(|| {
                let policy = String::from_utf8(case.ready.policy.clone()).unwrap();
                case.place.listener(&case.listener).wasm(Wasm {
                    name: case.listener.clone(),
                    ..Wasm::new(PathBuf::from(&module), policy)
                })
            });
        }
        Envoy::start(&Bootstrap {
            listeners: listeners.into_values().collect(),
            upstream: Some(echo.address()),
            identity: Some(ca.leaf(WORKLOAD).unwrap()),
            version: Some(version.to_owned()),
            ..Bootstrap::new(node)
        })
        .unwrap_or_else(|error| panic!("{error}"))
    });

    let mut client = Client::new();
    let mut leaves: BTreeMap<String, Leaf> = BTreeMap::new();
    let mut failures = String::new();
    let mut failed = 0;
    let mut pending = Vec::new();
    for case in &prepared {
        let envoy = if case.place.position == Position::Gateway {
            &router
        } else {
            &sidecar
        };
        let identity = case.case.peer_identity.as_ref().map(|identity| {
            leaves
                .entry(identity.clone())
                .or_insert_with(|| ca.client_cert(identity).unwrap())
                .clone()
        });
        let mut send = |listener: &str| {
            let request = request(case, identity.clone());
            let response = client
                .send(envoy.listener(listener).unwrap(), &request)
                .map_err(|error| error.to_string());
            (request.lab_id().map(str::to_owned), response)
        };
        let (_, plain) = send(&case.place.plain());
        let (id, filtered) = send(&case.listener);
        pending.push((case, envoy, id, plain, filtered));
    }
    for (case, envoy, id, plain, filtered) in pending {
        if let Err(wrong) = compare(case, envoy, id.as_deref(), plain, filtered) {
            failed += 1;
            let _ = write!(
                failures,
                "\n{}: {}\n    {}",
                case.suite.path.file_name().unwrap().to_string_lossy(),
                case.case.name,
                wrong.join("\n    ")
            );
        }
    }
    println!(
        "{} cases in Envoy {version}, {failed} failed",
        prepared.len()
    );
    assert!(
        failures.is_empty(),
        "{failed} of {} cases failed in Envoy {version}:{failures}",
        prepared.len()
    );
}

fn prepare(suite: &Suite, now: u64) -> Vec<Prepared<'_>> {
    let mut mint = suite.mint(now);
    let cases = suite
        .cases
        .iter()
        .map(|(_, case)| case)
        .filter(|case| case.runs_at(Depth::Envoy));
    cases
        .map(|case| {
            let ready = suite
                .ready(case, &mut mint, now)
                .unwrap_or_else(|error| panic!("{}: {}: {error}", suite.path.display(), case.name));
            let spec = suite.spec(case).unwrap();
            let position = case
                .position
                .expect("a case for Envoy says where it stands");
            // As `deploy` sets it: one number for Envoy and for us where there is one.
            let hops = spec
                .pointer("/forwarded/trust/hops")
                .and_then(serde_json::Value::as_u64)
                .unwrap_or(0);
            let place = Place {
                position,
                hops: u32::try_from(hops).unwrap(),
                plaintext: position == Position::SidecarInbound && case.peer_identity.is_none(),
            };
            let policy: u64 = ready
                .policy
                .iter()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                    (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
                });
            Prepared {
                suite,
                case,
                listener: format!("{}-{policy:016x}", place.plain()),
                ready,
                place,
            }
        })
        .collect()
}

fn request(case: &Prepared<'_>, identity: Option<Leaf>) -> RawRequest {
    let scenario = &case.ready.scenario;
    let headers = scenario
        .headers
        .iter()
        .map(|(name, value)| (name.clone().into_bytes(), value.bytes()));
    let id = RawRequest::get("/");
    RawRequest {
        method: scenario.method.clone().into_bytes(),
        target: scenario.path.clone().into_bytes(),
        headers: headers
            .chain(
                id.headers
                    .iter()
                    .filter(|(name, _)| name != b"host")
                    .cloned(),
            )
            .collect(),
        // At a sidecar Envoy's peer is what really connects.
        proxy_peer: scenario
            .peer
            .filter(|_| case.place.position == Position::Gateway),
        identity,
        ..id
    }
}

fn compare(
    case: &Prepared<'_>,
    envoy: &Envoy,
    id: Option<&str>,
    plain: Result<Response, String>,
    filtered: Result<Response, String>,
) -> Result<(), Vec<String>> {
    let (plain, filtered) = (
        plain.map_err(|error| vec![error])?,
        filtered.map_err(|error| vec![error])?,
    );
    if let Some(status) = case.case.envoy_refuses {
        let both = (plain.status, filtered.status);
        return if both == (status, status) {
            Ok(())
        } else {
            Err(vec![format!(
                "Envoy itself: expected {status}, observed {both:?}"
            )])
        };
    }
    let before = plain
        .echoed()
        .map_err(|error| vec![format!("without the filter: {error}")])?;
    let observed = if filtered.status == 200 {
        let after = filtered.echoed().map_err(|error| vec![error.to_string()])?;
        Observed {
            outcome: Outcome::Allow,
            status: None,
            reason: None,
            explanation: None,
            before: headers(&before),
            after: headers(&after),
            reply: Vec::new(),
        }
    } else {
        let details = id
            .map(|id| envoy.access(id))
            .transpose()
            .map_err(|error| vec![error.to_string()])?
            .map(|access| access.details)
            .unwrap_or_default();
        let reason = details
            .strip_prefix("kyma_istio_header_policy{")
            .and_then(|rest| rest.strip_suffix('}'));
        Observed {
            outcome: Outcome::Deny,
            status: Some(filtered.status),
            reason: Some(reason.map_or(details.clone(), str::to_owned)),
            explanation: None,
            before: headers(&before),
            after: Vec::new(),
            reply: filtered
                .headers
                .iter()
                .map(|(name, value)| (corpus::text(name), corpus::text(value)))
                .collect(),
        }
    };
    corpus::judge(case.case, &case.ready.tokens, &observed)
}

/// What the upstream got, without what Envoy writes for itself or the lab for its own use.
fn headers(echoed: &Echoed) -> policy::HeaderList {
    let own = |name: &str| {
        name.starts_with("x-envoy-")
            || name == "x-request-id"
            || name == "x-lab-id"
            || name == "x-forwarded-client-cert"
    };
    let mut list: policy::HeaderList = vec![
        (b":method".to_vec(), echoed.method.clone().into_bytes()),
        (b":path".to_vec(), echoed.path.clone()),
    ];
    list.extend(
        echoed
            .headers
            .iter()
            .filter(|(name, _)| !own(name))
            .map(|(name, value)| (name.clone().into_bytes(), value.clone())),
    );
    list
}
