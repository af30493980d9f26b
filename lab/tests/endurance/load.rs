//! Many requests whose answers are known, over connections that stay open.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use corpus::{Keys, Mint, Token};
use lab::{Envoy, repository};
use serde_json::json;

use crate::random::Random;
use crate::setup::LISTENER;
use crate::wire::{Answer, Wire};

/// A request, and its status while the policy wants one trusted hop, and while it wants two.
struct Ask {
    bytes: Vec<u8>,
    expected: [u16; 2],
}

/// Requests to choose from.
pub struct Pool(Vec<Ask>);

/// Which policies may answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Policies {
    /// The one with one hop.
    First,
    /// Either, since they change meanwhile.
    Both,
}

impl Pool {
    /// With this many distinct tokens, and half as many requests again that are refused.
    pub fn mint(tokens: usize) -> Self {
        let tokens = mint(tokens);
        let mut asks = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            let bearer = format!("authorization: Bearer {token}\r\n");
            let (head, _) = token.rsplit_once('.').unwrap();
            let (_, other) = tokens[(index + 1) % tokens.len()].rsplit_once('.').unwrap();
            // Two elements are enough for one hop and for two, one is enough for one.
            asks.push(match index % 16 {
                0 => ask("203.0.113.9", &bearer, [200, 400]),
                _ => ask(CHAIN, &bearer, [200, 200]),
            });
            match index % 30 {
                0..10 => asks.push(ask(CHAIN, "", [401, 401])),
                10..16 => asks.push(ask(
                    CHAIN,
                    &format!("authorization: Bearer {head}.{other}\r\n"),
                    [401, 401],
                )),
                16 => asks.push(ask(
                    &format!("203.0.113.9, 203.0.113.{index}x"),
                    &bearer,
                    [400, 400],
                )),
                17 => asks.push(ask(
                    CHAIN,
                    &format!("{bearer}cookie: t={head}.AAAA\r\n"),
                    [400, 400],
                )),
                18 => {
                    let huge = format!("authorization: Bearer {token}{}\r\n", "A".repeat(20_000));
                    asks.push(ask(CHAIN, &huge, [401, 401]));
                }
                _ => {}
            }
        }
        Self(asks)
    }

    /// A request that tells the policies apart, with both its statuses.
    pub fn telling(&self) -> (&[u8], [u16; 2]) {
        (&self.0[0].bytes, self.0[0].expected)
    }

    /// Sends at least this many, and goes on until `enough` is true; the number sent. Panics at the first answer that is not the expected one.
    pub fn send(
        &self,
        envoy: &Envoy,
        turn: u64,
        at_least: usize,
        policies: Policies,
        enough: &AtomicBool,
    ) -> usize {
        let sent = AtomicUsize::new(0);
        thread::scope(|scope| {
            let sent = &sent;
            let senders: Vec<_> = (0..CONNECTIONS)
                .map(|connection| {
                    let mut random = Random::new(turn << 8 | connection);
                    scope.spawn(move || {
                        let mut wire = open(envoy);
                        while sent.load(Ordering::Relaxed) < at_least
                            || !enough.load(Ordering::Relaxed)
                        {
                            let ask = self.choose(&mut random);
                            let last = ask.exchange(&mut wire, policies);
                            sent.fetch_add(1, Ordering::Relaxed);
                            if last {
                                wire = open(envoy);
                            }
                        }
                    })
                })
                .collect();
            for sender in senders {
                sender.join().unwrap_or_else(|panic| resume_unwind(panic));
            }
        });
        sent.into_inner()
    }

    /// Some come again and again, as clients do; most of the others are long forgotten.
    fn choose(&self, random: &mut Random) -> &Ask {
        let from = if random.chance(30) {
            HOT.min(self.0.len())
        } else {
            self.0.len()
        };
        &self.0[random.below(from)]
    }
}

fn open(envoy: &Envoy) -> Wire {
    Wire::open(envoy.listener(LISTENER).unwrap())
}

impl Ask {
    /// Whether the connection ended with the answer. Panics when that is not the expected one.
    fn exchange(&self, wire: &mut Wire, policies: Policies) -> bool {
        let expected = match policies {
            Policies::First => &self.expected[..1],
            Policies::Both => &self.expected[..],
        };
        // Should the connection have ended, there is no answer either.
        wire.send(&self.bytes);
        let found = wire.answer();
        // Envoy ends an HTTP/1.1 connection after a 400, be it its own or a filter's.
        let fits = |answer: Answer| {
            expected.contains(&answer.status) && answer.last == (answer.status == 400)
        };
        assert!(
            found.is_some_and(fits),
            "expected {expected:?}, found {found:?}: {}",
            shown(&self.bytes)
        );
        found.is_some_and(|answer| answer.last)
    }
}

/// Without the token.
fn shown(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    text.split("authorization")
        .next()
        .unwrap_or_default()
        .escape_debug()
        .to_string()
}

fn ask(chain: &str, more: &str, expected: [u16; 2]) -> Ask {
    let text = format!(
        "GET /shop HTTP/1.1\r\nhost: shop.example.com\r\nx-forwarded-for: {chain}\r\n{more}\r\n"
    );
    Ask {
        bytes: text.into_bytes(),
        expected,
    }
}

/// Good tokens of three kinds of keys; two of them are checked by the host, one in the module.
fn mint(count: usize) -> Vec<String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let keys = Keys::near(&repository().join("testdata/keys/jwks.json")).unwrap();
    thread::scope(|scope| {
        let minters: Vec<_> = (0..MINTERS)
            .map(|minter| {
                let mut mint = Mint::new(keys.clone(), now);
                scope.spawn(move || {
                    let numbers = (minter..count).step_by(MINTERS);
                    numbers
                        .map(|number| mint.mint(&token(number)).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        minters
            .into_iter()
            .flat_map(|minter| minter.join().unwrap())
            .collect()
    })
}

fn token(number: usize) -> Token {
    let key = match number % 20 {
        0 => "ed-a",
        1..=7 => "rsa-a",
        _ => "ec-a",
    };
    let claims = json!({ "iss": "https://login.example.com", "aud": "shop", "sub": format!("user-{number}"), "groups": ["buyers", format!("team-{}", number % 7)] });
    serde_json::from_value(json!({ "key": key, "claims": claims, "exp": 86_400 })).unwrap()
}

const CHAIN: &str = "198.51.100.1, 203.0.113.9";
const CONNECTIONS: u64 = 4;
const HOT: usize = 64;
const MINTERS: usize = 2;
