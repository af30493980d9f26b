//! Chains: the client that Envoy finds, and the one that mode `Envoy` finds.
//!
//! Envoy adds the client it found (`%DOWNSTREAM_REMOTE_ADDRESS%`, the access log's `client`) to the request, so the echo tells it without a log to wait for.
//! Zone ids are left out: docs/differences-to-envoy.md says why.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use corpus::{HeaderValue, Scenario};
use lab::{
    Bootstrap, Client, Echo, Echoed, Envoy, Listener, Node, PEER_PORT, RawRequest, Wasm,
    envoy_versions,
};
use policy::{Headers, How, Peer, Policy, Position, Request, VerifiedTokens};
use serde_json::{Value, json};
use signature::Software;

use crate::{amount, chain, document, policy, random::Random};

#[test]
fn clients_agree_in_the_default_envoy() {
    run(&envoy_versions().unwrap()[0], 1, amount(5_000, 200_000));
}

#[test]
fn clients_agree_in_the_oldest_supported_envoy() {
    run(
        envoy_versions().unwrap().last().unwrap(),
        2,
        amount(2_000, 50_000),
    );
}

/// Whom a listener trusts, and where it stands.
#[derive(Debug)]
enum Trust {
    /// `use_remote_address: true`.
    GatewayHops(u32),
    /// `use_remote_address: false`.
    SidecarHops(u32),
    /// `use_remote_address: false` and the original-IP-detection extension.
    Cidrs(Vec<String>),
}

/// One of Envoy's answers to compare with, and all of ours to the same question.
struct Subject {
    trust: Trust,
    name: String,
    /// The engine where the same listener stands.
    native: Policy,
    /// The engine at a gateway, where Envoy has no CIDRs of its own.
    at_gateway: Option<Policy>,
}

impl Subject {
    fn new(trust: Trust, index: usize) -> Self {
        Self {
            name: format!("plain-{index}"),
            native: policy(&trust.spec(trust.position())),
            at_gateway: matches!(trust, Trust::Cidrs(_))
                .then(|| policy(&trust.spec(Position::Gateway))),
            trust,
        }
    }

    /// Envoy alone.
    fn plain(&self) -> Listener {
        tells_client(self.trust.listener(&self.name))
    }

    /// Envoy with our filter, by the filter's position. A filter behind CIDR detection is never told the peer, so its Envoy detects nothing: more hops
    /// than any chain has.
    fn filtered(&self, module: &str) -> Vec<Listener> {
        let filter = |position: Position, name: String| {
            let listener = match (&self.trust, position) {
                (Trust::Cidrs(_), Position::Gateway) => Listener::gateway(&name),
                (Trust::Cidrs(_), _) => Trust::SidecarHops(1_000).listener(&name),
                (trust, _) => trust.listener(&name),
            };
            let policy = document(&self.trust.spec(position));
            listener.wasm(Wasm {
                name,
                ..Wasm::new(PathBuf::from(module), policy)
            })
        };
        let mut all = vec![filter(self.trust.position(), self.filter_name())];
        if self.at_gateway.is_some() {
            all.push(filter(Position::Gateway, self.gateway_filter_name()));
        }
        all
    }

    fn filter_name(&self) -> String {
        format!("filter-{}", self.name)
    }

    fn gateway_filter_name(&self) -> String {
        format!("gateway-filter-{}", self.name)
    }
}

impl Trust {
    fn position(&self) -> Position {
        match self {
            Self::GatewayHops(_) => Position::Gateway,
            Self::SidecarHops(_) | Self::Cidrs(_) => Position::SidecarInbound,
        }
    }

    fn listener(&self, name: &str) -> Listener {
        let listener = match self {
            Self::GatewayHops(hops) => Listener {
                num_trusted_hops: *hops,
                ..Listener::gateway(name)
            },
            Self::SidecarHops(hops) => Listener {
                num_trusted_hops: *hops,
                ..Listener::sidecar_inbound(name)
            },
            Self::Cidrs(cidrs) => Listener {
                xff_cidrs: Some(cidrs.clone()),
                ..Listener::sidecar_inbound(name)
            },
        };
        Listener {
            plaintext: true,
            access_log: false,
            ..listener
        }
    }

    fn spec(&self, position: Position) -> Value {
        let trust = match self {
            Self::GatewayHops(hops) | Self::SidecarHops(hops) => json!({ "hops": hops }),
            Self::Cidrs(cidrs) => json!({ "cidrs": cidrs }),
        };
        json!({
            "position": position,
            "forwarded": { "mode": "Envoy", "trust": trust, "clientIpHeader": OURS },
        })
    }
}

/// The listener, whose upstream is told what Envoy took for the client.
fn tells_client(listener: Listener) -> Listener {
    let header = json!({ "key": THEIRS, "value": "%DOWNSTREAM_REMOTE_ADDRESS%" });
    Listener {
        connection_manager: json!({ "route_config": { "request_headers_to_add": [
            { "header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" },
        ] } }),
        ..listener
    }
}

fn run(version: &str, seed: u64, cases: usize) {
    let module = std::env::var("KYMA_ISTIO_WASM").unwrap_or_else(|_| {
        panic!("KYMA_ISTIO_WASM is not set: run `make test`, or `make wasm` first")
    });
    let started = Instant::now();
    let mut random = Random::new(seed);
    let trusts = (0..4)
        .map(Trust::GatewayHops)
        .chain((0..4).map(Trust::SidecarHops))
        .chain((0..CIDR_SETS).map(|_| Trust::Cidrs(chain::blocks(&mut random))));
    let subjects: Vec<Subject> = trusts
        .enumerate()
        .map(|(index, trust)| Subject::new(trust, index))
        .collect();

    let echo = Echo::start().unwrap();
    let listeners = subjects.iter().enumerate().flat_map(|(index, subject)| {
        let filtered = if index < WITH_FILTER {
            subject.filtered(&module)
        } else {
            Vec::new()
        };
        filtered.into_iter().chain([subject.plain()])
    });
    let envoy = Envoy::start(&Bootstrap {
        listeners: listeners.collect(),
        upstream: Some(echo.address()),
        version: Some(version.to_owned()),
        ..Bootstrap::new(Node::Router)
    })
    .unwrap_or_else(|error| panic!("{error}"));

    let mut client = Client::new();
    let mut tally = Tally::default();
    while tally.cases < cases {
        // A connection comes from one peer, so some requests share one.
        let subject = random.choose(&subjects);
        let index = subjects
            .iter()
            .position(|other| std::ptr::eq(other, subject))
            .unwrap();
        let filtered = index < WITH_FILTER && random.chance(FILTERED);
        let peer = match &subject.trust {
            Trust::Cidrs(blocks) if random.chance(75) => chain::peer_in(blocks, &mut random),
            _ => chain::peer(&mut random),
        };
        for _ in 0..PER_CONNECTION {
            let case = Case {
                subject,
                peer,
                lines: chain::lines(&mut random),
            };
            case.compare(&envoy, &mut client, filtered, &mut tally);
        }
    }
    println!(
        "Envoy {version}: {} chains, {} from a chain and {} from the peer; {} of them through the filter; {} refused by Envoy; {} disagreements; {:.1?}",
        tally.cases,
        tally.from_chain,
        tally.from_peer,
        tally.filtered,
        tally.refused,
        tally.wrong,
        started.elapsed(),
    );
    assert_eq!(tally.wrong, 0, "the first of them:{}", tally.first);
    assert!(
        tally.refused * 100 < tally.cases,
        "Envoy itself refused {} chains",
        tally.refused
    );
    assert!(tally.from_chain * 5 > tally.cases && tally.from_peer * 5 > tally.cases);
    assert!(tally.filtered * 20 > tally.cases);
}

#[derive(Default)]
struct Tally {
    cases: usize,
    filtered: usize,
    from_chain: usize,
    from_peer: usize,
    refused: usize,
    wrong: usize,
    first: String,
}

/// One request to one listener.
struct Case<'s> {
    subject: &'s Subject,
    peer: IpAddr,
    lines: Vec<Vec<u8>>,
}

impl Case<'_> {
    fn compare(&self, envoy: &Envoy, client: &mut Client, filtered: bool, tally: &mut Tally) {
        tally.cases += 1;
        let mut send = |listener: &str| {
            let address = envoy.listener(listener).unwrap();
            let response = client
                .send(address, &self.request())
                .unwrap_or_else(|error| panic!("{}: {error}", self.show()));
            (response.status == 200).then(|| response.echoed().unwrap())
        };
        let Some(echoed) = send(&self.subject.name) else {
            tally.refused += 1;
            return;
        };
        let envoys: SocketAddr = text(&echoed, THEIRS).parse().unwrap();
        if envoys.port() == 0 {
            tally.from_chain += 1;
        } else {
            tally.from_peer += 1;
        }
        let mut answers = self.native(&echoed, envoys);
        if filtered {
            tally.filtered += 1;
            answers.push((
                "the filter",
                self.through(send(&self.subject.filter_name())),
            ));
            if self.subject.at_gateway.is_some() {
                let answer = self.through(send(&self.subject.gateway_filter_name()));
                answers.push(("the filter at a gateway", answer));
            }
        }
        let expected = Answer {
            address: Some(envoys.ip()),
            is_peer: Some(envoys.port() == PEER_PORT),
        };
        for (whose, answer) in answers {
            let same = answer.address == expected.address
                && answer
                    .is_peer
                    .is_none_or(|is_peer| Some(is_peer) == expected.is_peer);
            if !same {
                tally.wrong += 1;
                if tally.wrong <= SHOWN {
                    let _ = write!(
                        tally.first,
                        "\n{}\n    Envoy {expected:?}, {whose} {answer:?}",
                        self.show()
                    );
                }
            }
        }
        for wrong in self.facts(&echoed, envoys) {
            tally.wrong += 1;
            if tally.wrong <= SHOWN {
                let _ = write!(tally.first, "\n{}\n    {wrong}", self.show());
            }
        }
    }

    fn request(&self) -> RawRequest {
        let request = RawRequest {
            proxy_peer: Some(self.peer),
            ..RawRequest::get("/")
        };
        self.lines.iter().fold(request, |request, line| {
            request.header("x-forwarded-for", line.clone())
        })
    }

    /// The engine's answers to what Envoy hands to a filter.
    fn native(&self, echoed: &Echoed, envoys: SocketAddr) -> Vec<(&'static str, Answer)> {
        let chain = match self.subject.trust {
            // Its Envoy may have appended the peer, which no other sidecar's does (see `facts`).
            Trust::Cidrs(_) => self.received(),
            Trust::GatewayHops(_) | Trust::SidecarHops(_) => chain_of(echoed),
        };
        let decide = |policy: &Policy, chain: Option<&[u8]>, peer: Option<IpAddr>| {
            let mut headers: Vec<(&[u8], &[u8])> = vec![(b":method", b"GET"), (b":path", b"/")];
            headers.extend(chain.map(|chain| (&b"x-forwarded-for"[..], chain)));
            let request = Request {
                headers: Headers::new(&headers),
                peer: Peer {
                    address: peer,
                    identity: None,
                },
                position: None,
                tls: false,
                now: Duration::ZERO,
            };
            let mut none = VerifiedTokens::new(0, 0);
            match policy.decide(&request, &mut none, &Software).client {
                policy::Client::Known(address, how) => Answer {
                    address: Some(address),
                    is_peer: Some(how == How::Peer),
                },
                policy::Client::Unknown(_) => Answer {
                    address: None,
                    is_peer: None,
                },
            }
        };
        // As `source.address` tells the filter: nothing where Envoy took the client from the chain.
        let told = (envoys.port() != 0).then(|| envoys.ip());
        let native = &self.subject.native;
        let chain = chain.as_deref();
        let mut answers = vec![(
            "the engine that knows the peer",
            decide(native, chain, Some(self.peer)),
        )];
        match &self.subject.trust {
            Trust::GatewayHops(_) => {
                answers.push(("the engine", decide(native, chain, None)));
                answers.push((
                    "the engine that is told the source",
                    decide(native, chain, told),
                ));
            }
            Trust::SidecarHops(_) => {
                answers.push((
                    "the engine that is told the source",
                    decide(native, chain, told),
                ));
            }
            Trust::Cidrs(_) => {
                let appended = self.appended(chain);
                if let Some(policy) = &self.subject.at_gateway {
                    answers.push((
                        "the engine at a gateway",
                        decide(policy, Some(&appended), None),
                    ));
                }
            }
        }
        answers
    }

    /// What `clientIpHeader` says. It does not tell how the client was found.
    fn through(&self, echoed: Option<Echoed>) -> Answer {
        let address = echoed.map(|echoed| text(&echoed, OURS));
        Answer {
            address: address.and_then(|address| address.parse().ok()),
            is_peer: None,
        }
    }

    /// What else must be so: the external address is the client, and scenarios tell the chain that Envoy hands over.
    fn facts(&self, echoed: &Echoed, envoys: SocketAddr) -> Vec<String> {
        let mut wrong = Vec::new();
        let external = text(echoed, "x-envoy-external-address");
        let expected = match self.subject.trust {
            Trust::GatewayHops(_) => envoys.ip().to_string(),
            Trust::SidecarHops(_) | Trust::Cidrs(_) => String::new(),
        };
        if external.parse::<IpAddr>().ok() != expected.parse().ok() {
            wrong.push(format!(
                "external address: expected `{expected}`, found `{external}`"
            ));
        }
        let (told, found) = (self.received(), chain_of(echoed));
        // Where the extension does not trust the peer, Envoy appends it, at a listener that otherwise appends nobody.
        let extension = matches!(self.subject.trust, Trust::Cidrs(_));
        if extension && envoys.port() != 0 && found == Some(self.appended(told.as_deref())) {
            return wrong;
        }
        if told != found {
            let show = |chain: Option<Vec<u8>>| chain.map(|chain| chain.escape_ascii().to_string());
            wrong.push(format!(
                "chain: a scenario has {:?}, Envoy hands over {:?}",
                show(told),
                show(found)
            ));
        }
        wrong
    }

    /// What a scenario says that the filter gets.
    fn received(&self) -> Option<Vec<u8>> {
        let digits = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = |line: &Vec<u8>| {
            (
                "x-forwarded-for".to_owned(),
                HeaderValue::Bytes { hex: digits(line) },
            )
        };
        let scenario = Scenario {
            position: Some(self.subject.trust.position()),
            peer: Some(self.peer),
            headers: self.lines.iter().map(line).collect(),
            ..Scenario::default()
        };
        let headers = scenario.arrive().headers;
        let found = headers
            .into_iter()
            .find(|(name, _)| name == b"x-forwarded-for");
        found.map(|(_, value)| value)
    }

    fn appended(&self, chain: Option<&[u8]>) -> Vec<u8> {
        match chain {
            Some(chain) if !chain.is_empty() => {
                [chain, b",", self.peer.to_string().as_bytes()].concat()
            }
            _ => self.peer.to_string().into_bytes(),
        }
    }

    fn show(&self) -> String {
        let lines: Vec<String> = self
            .lines
            .iter()
            .map(|line| format!("`{}`", line.escape_ascii()))
            .collect();
        format!(
            "{:?}, peer {}, lines [{}]",
            self.subject.trust,
            self.peer,
            lines.join(" ")
        )
    }
}

/// A client, and whether it is the connection's peer where that is told.
#[derive(Debug)]
struct Answer {
    address: Option<IpAddr>,
    is_peer: Option<bool>,
}

fn chain_of(echoed: &Echoed) -> Option<Vec<u8>> {
    let has = !echoed.values("x-forwarded-for").is_empty();
    has.then(|| echoed.joined("x-forwarded-for"))
}

fn text(echoed: &Echoed, name: &str) -> String {
    String::from_utf8_lossy(&echoed.joined(name)).into_owned()
}

const THEIRS: &str = "x-lab-client";
const OURS: &str = "x-client-ip";

const CIDR_SETS: usize = 24;
/// The first subjects have a listener with the filter: all with hops, and some with CIDRs.
const WITH_FILTER: usize = 12;
/// Of a hundred connections to those.
const FILTERED: usize = 30;
const PER_CONNECTION: usize = 10;
const SHOWN: usize = 20;
