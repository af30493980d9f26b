//! The laws of the engine (design, "The engine's contract"), over random policies, requests and tokens. Seeds are fixed: a red run stays red.

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use common::{
    Call, Honest, NOW, PARTNER, TOKENS, compiled, dashed, emitted, essence, keys, policy, provider,
    token,
};
use policy::{
    Anomaly, Cidr, Client, Edit, How, Key, Outcome, Policy, Position, Reason, Verdict,
    VerifiedTokens, Verify,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};

/// The same cases in every run; `KYMA_ISTIO_SOAK` makes it many others.
fn config(cases: u32) -> Config {
    let soak = std::env::var_os("KYMA_ISTIO_SOAK").is_some();
    Config {
        cases: if soak { cases * 20 } else { cases },
        failure_persistence: None,
        rng_seed: if soak {
            RngSeed::Random
        } else {
            RngSeed::Fixed(7)
        },
        max_shrink_iters: 2000,
        ..Config::default()
    }
}

/// A compiled policy beside what it was made from.
#[derive(Clone, Debug)]
struct Made {
    spec: Value,
    policy: Arc<Policy>,
}

const GATEWAY: &str = "spiffe://cluster.local/ns/istio-system/sa/gateway";

fn object(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn named(names: &'static [&'static str]) -> impl Strategy<Value = Option<Value>> {
    option::of(select(names).prop_map(|name| json!(name)))
}

fn any_trust() -> impl Strategy<Value = Value> {
    let cidrs = || json!(["192.0.2.0/24", "198.51.100.0/24", "2001:db8:7e57:1::/64"]);
    let identities = || json!([GATEWAY, "spiffe://cluster.local/ns/edge/*"]);
    let hops = prop_oneof![
        (0u32..4).prop_map(|hops| json!(hops)),
        (0u32..3, 0u32..3).prop_map(|(min, more)| json!({"min": min, "max": min + more}))
    ];
    (option::of(hops), any::<bool>(), any::<bool>()).prop_map(
        move |(hops, with_cidrs, with_identities)| {
            object([
                ("hops", hops),
                ("cidrs", with_cidrs.then(cidrs)),
                ("identities", with_identities.then(identities)),
            ])
        },
    )
}

fn any_forwarded() -> impl Strategy<Value = Value> {
    const ANOMALIES: &[&str] = &[
        "tooLong",
        "malformed",
        "untrustedPeer",
        "tooFewHops",
        "tooManyHops",
        "conflict",
        "allTrusted",
        "privateClient",
    ];
    let anomalies = subsequence(ANOMALIES, 0..=ANOMALIES.len()).prop_flat_map(|names| {
        vec(select(&["Allow", "Strip", "Reject"][..]), names.len()).prop_map(move |actions| {
            names
                .iter()
                .zip(actions)
                .map(|(name, action)| ((*name).to_owned(), json!(action)))
                .collect::<serde_json::Map<_, _>>()
        })
    });
    let limits = option::of(
        (1u32..8, 64u32..200)
            .prop_map(|(elements, bytes)| json!({"elements": elements, "bytes": bytes})),
    );
    let lists = |all: &'static [&'static str]| {
        option::weighted(
            0.3,
            subsequence(all, 1..=all.len()).prop_map(|blocks| json!(blocks)),
        )
    };
    (
        (
            named(&["Strict", "Lenient", "Envoy"]),
            any_trust(),
            named(&["Original", "Canonical"]),
            limits,
            option::of(anomalies),
        ),
        named(&["Keep", "Append", "Replace", "Truncate", "Strip"]),
        named(&["x-client-ip", "X-Real-IP", "true_client_ip"]),
        lists(&["203.0.113.0/24", "10.0.0.0/8", "2001:db8::/32"]),
        lists(&["203.0.113.9", "192.0.2.0/24", "2001:db8:1::/48"]),
        prop_oneof![
            named(&["FromTrustedPeers", "Strip", "Keep"]),
            Just(Some(json!({"keep": ["forwarded", "x-real-ip", "x-forwarded-proto"], "also": ["x-shop-*"]}))),
        ],
        option::weighted(0.3, Just(json!({"paths": ["/", "/a/*"]}))),
    )
        .prop_map(
            |(
                (mode, trust, gateway_sends, limits, anomalies),
                outbound,
                client_ip_header,
                allow,
                deny,
                companions,
                exempt,
            )| {
                let exempt = exempt.filter(|_| mode != Some(json!("Envoy")));
                // Envoy refuses nothing, so a policy that emulates it has no actions.
                let anomalies = anomalies
                    .filter(|_| mode != Some(json!("Envoy")))
                    .map(Value::Object);
                object([
                    ("mode", mode),
                    ("trust", Some(trust)),
                    ("gatewaySends", gateway_sends),
                    ("limits", limits),
                    ("anomalies", anomalies),
                    ("outbound", outbound),
                    ("clientIpHeader", client_ip_header),
                    ("allow", allow),
                    ("deny", deny),
                    ("companions", companions),
                    ("exempt", exempt),
                ])
            },
        )
}

fn any_rule() -> impl Strategy<Value = Value> {
    let claims = prop_oneof![
        Just(json!([{"claim": "groups", "contains": "admins"}])),
        Just(json!([{"claim": "sub", "equals": "ann"}, {"claim": "scope", "contains": "read"}])),
        Just(json!([{"claim": ["role", "name"], "equals": "buyer"}])),
    ];
    (
        option::of(
            subsequence(
                &["shop.example.com", "*.example.com", "other.test"][..],
                1..3,
            )
            .prop_map(|list| json!(list)),
        ),
        option::of(
            subsequence(&["/", "/a/*", "/admin", "*"][..], 1..3).prop_map(|list| json!(list)),
        ),
        option::of(subsequence(&["GET", "POST", "OPTIONS"][..], 1..3).prop_map(|list| json!(list))),
        select(&["Require", "Require", "Optional", "Open", "Deny"][..]),
        option::of(select(&["login", "partner"][..]).prop_map(|name| json!([name]))),
        option::of(claims),
        named(&["Enforce", "Shadow"]),
    )
        .prop_map(|(hosts, paths, methods, access, providers, claims, mode)| {
            let looks = access != "Open" && access != "Deny";
            object([
                ("hosts", hosts),
                ("paths", paths),
                ("methods", methods),
                ("access", Some(json!(access))),
                ("providers", providers.filter(|_| looks)),
                ("claims", claims.filter(|_| looks)),
                ("mode", mode),
            ])
        })
}

fn any_jwt() -> impl Strategy<Value = Value> {
    let login = (any::<bool>(), named(&["Keep", "Remove"])).prop_map(|(payload, after)| {
        let mut login = provider(json!({"claimsToHeaders": [{"claim": "sub", "header": "x-user"}, {"claim": "groups", "header": "X_Groups"}]}));
        if payload {
            login["payloadHeader"] = json!("x-login-payload");
        }
        if let Some(after) = after {
            login["token"] = after;
        }
        login
    });
    let partner = (named(&["Keep", "Remove"]), any::<bool>()).prop_map(|(after, shared)| {
        let mut partner = json!({
            "name": "partner", "issuer": PARTNER, "anyAudience": true, "jwks": keys(&["ec-a"]),
            "fromHeaders": [{"name": "x-token"}], "fromCookies": ["token"], "fromParams": ["token"],
            "claimsToHeaders": [{"claim": ["role", "name"], "header": "x-role", "encoding": "Base64Url"}], "payloadHeader": "x-partner"
        });
        if shared {
            partner["fromHeaders"] = json!([{"name": "x-token"}, {"name": "authorization", "prefix": "Bearer "}]);
        }
        if let Some(after) = after {
            partner["token"] = after;
        }
        partner
    });
    (
        login,
        partner,
        vec(any_rule(), 0..4),
        select(&["Require", "Optional", "Open", "Deny"][..]),
        named(&["Reject", "Allow"]),
        named(&["Pass", "Judge"]),
    )
        .prop_map(|(login, partner, rules, otherwise, ambiguous, preflight)| {
            object([
                ("providers", Some(json!([login, partner]))),
                ("rules", Some(json!(rules))),
                ("otherwise", Some(json!(otherwise))),
                ("ambiguousPath", ambiguous),
                ("preflight", preflight),
            ])
        })
}

fn any_spec() -> impl Strategy<Value = Value> {
    let parts = prop_oneof![
        any_forwarded().prop_map(|forwarded| (Some(forwarded), None)),
        any_jwt().prop_map(|jwt| (None, Some(jwt))),
        (any_forwarded(), any_jwt()).prop_map(|(forwarded, jwt)| (Some(forwarded), Some(jwt))),
    ];
    (
        parts,
        named(&["Detect", "Gateway", "SidecarInbound", "SidecarOutbound"]),
        named(&["Pass", "Judge"]),
        option::weighted(0.15, Just(json!("Shadow"))),
        option::of(Just(json!({"reasonHeader": "x-Why", "body": "Plain"}))),
    )
        .prop_map(|((forwarded, jwt), position, traffic, mode, replies)| {
            object([
                ("forwarded", forwarded),
                ("jwt", jwt),
                ("position", position),
                ("outboundTraffic", traffic),
                ("mode", mode),
                ("replies", replies),
            ])
        })
}

/// A policy that compiles.
fn made(spec: impl Strategy<Value = Value>) -> impl Strategy<Value = Made> {
    spec.prop_filter_map("the parts exclude each other", |spec| {
        let policy = compiled(&spec).ok()?;
        Some(Made {
            spec,
            policy: Arc::new(policy),
        })
    })
}

const ELEMENTS: &[&str] = &[
    "203.0.113.9",
    "203.0.113.10",
    "192.0.2.1",
    "192.0.2.2",
    "198.51.100.7",
    "10.1.2.3",
    "2001:db8::5",
    "2001:db8:7e57:1::9",
    "192.0.2.3",
    "192.0.2.4",
    "2001:db8:1::1",
];
const ODD_ELEMENTS: &[&str] = &[
    "",
    "unknown",
    "203.0.113.9:80",
    "[2001:db8::5]:443",
    "::ffff:203.0.113.9",
    "01.2.3.4",
    "1.2.3.4/8",
    "fe80::1%eth0",
    "\u{e9}",
];

fn element() -> impl Strategy<Value = String> {
    (
        prop_oneof![9 => select(ELEMENTS), 1 => select(ODD_ELEMENTS)],
        select(&["", "", " ", "\t ", "  "][..]),
        select(&["", "", " ", "\t"][..]),
    )
        .prop_map(|(element, before, after)| format!("{before}{element}{after}"))
}

fn good_element() -> impl Strategy<Value = String> {
    select(ELEMENTS).prop_map(str::to_owned)
}

fn chain() -> impl Strategy<Value = String> {
    vec(element(), 1..7).prop_map(|elements| elements.join(","))
}

fn any_token() -> impl Strategy<Value = &'static str> {
    // The last ones are the good ones, of which more are wanted.
    prop_oneof![
        (0..TOKENS.len()).prop_map(|index| TOKENS[index].1.as_str()),
        select(vec![token("ann"), token("bob"), token("partner")])
    ]
}

fn credential() -> impl Strategy<Value = (String, String)> {
    let header = |name: &str, value: String| (name.to_owned(), value);
    prop_oneof![
        4 => any_token().prop_map(move |token| header("authorization", format!("Bearer {token}"))),
        1 => any_token().prop_map(move |token| header("authorization", format!("bearer  {token}, Bearer {token}"))),
        1 => Just(header("authorization", "Basic eDp5".to_owned())),
        2 => any_token().prop_map(move |token| header("x-token", token.to_owned())),
        2 => any_token().prop_map(move |token| header("cookie", format!("a=b; token=\"{token}\"; c"))),
        1 => any_token().prop_map(move |token| header("cookie", format!("token={token}"))),
    ]
}

/// A name that a policy of ours may emit, spelled by somebody who hopes that nobody looks.
fn forged_name() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &[
        "x-client-ip",
        "x-real-ip",
        "true-client-ip",
        "x-user",
        "x-groups",
        "x-login-payload",
        "x-role",
        "x-partner",
        "x-why",
    ];
    (select(NAMES), any::<u32>(), any::<u32>()).prop_map(|(name, upper, under)| {
        let spell = |(index, byte): (usize, char)| match byte {
            '-' if under >> (index % 32) & 1 == 1 => ['_', '.', '~', '+'][index % 4],
            byte if upper >> (index % 32) & 1 == 1 => byte.to_ascii_uppercase(),
            byte => byte,
        };
        name.chars().enumerate().map(spell).collect()
    })
}

fn call() -> impl Strategy<Value = Call> {
    let companions = prop_oneof![
        Just(("x-forwarded-proto", "https")),
        Just(("forwarded", "for=203.0.113.9")),
        Just(("x-real-ip", "1.1.1.1")),
        Just(("x-forwarded-host", "evil.test")),
    ];
    let preflight = option::weighted(0.15, Just(()));
    (
        (
            select(&["GET", "GET", "POST", "OPTIONS", "HEAD", "post"][..]),
            select(
                &[
                    "/", "/a", "/a/b", "/admin", "/%61dmin", "//admin", "/x?a=1", "*",
                ][..],
            ),
        ),
        (
            option::of(any_token()),
            select(&["shop.example.com", "Shop.Example.com:443", "other.test", ""][..]),
            preflight,
        ),
        vec(chain(), 0..3),
        vec(credential(), 0..3),
        vec((forged_name(), select(&["FORGED", ""][..])), 0..5),
        vec(companions, 0..3),
        (
            option::of(select(ELEMENTS)),
            option::of(select(
                &[
                    GATEWAY,
                    "spiffe://cluster.local/ns/edge/sa/x",
                    "spiffe://evil/ns/edge/sa/x",
                ][..],
            )),
        ),
        (
            option::weighted(
                0.95,
                select(
                    &[
                        Position::Gateway,
                        Position::Gateway,
                        Position::SidecarInbound,
                        Position::SidecarOutbound,
                    ][..],
                ),
            ),
            any::<bool>(),
        ),
        select(&[NOW, NOW, NOW + 50, NOW + 1000, 5_000_000_000][..]),
    )
        .prop_map(
            |(
                (method, path),
                (param, host, preflight),
                chains,
                credentials,
                forged,
                companions,
                (address, identity),
                (position, tls),
                now,
            )| {
                let path = match param {
                    Some(token) if !path.contains('?') => format!("{path}?a=&token={token}"),
                    _ => path.to_owned(),
                };
                let mut call = Call::new(
                    if preflight.is_some() {
                        "OPTIONS"
                    } else {
                        method
                    },
                    &path,
                )
                .with(":authority", host);
                if preflight.is_some() {
                    call.add("origin", "https://app.test");
                    call.add("access-control-request-method", "GET");
                }
                for chain in chains {
                    call.add("x-forwarded-for", chain);
                }
                for (name, value) in credentials.into_iter().chain(
                    forged
                        .into_iter()
                        .map(|(name, value)| (name, value.to_owned())),
                ) {
                    call.add(&name, value);
                }
                for (name, value) in companions {
                    call.add(name, value);
                }
                call.address = address.map(|address| address.parse().unwrap());
                call.identity = identity.map(|identity| identity.as_bytes().to_vec());
                (call.position, call.tls, call.now) = (position, tls, now);
                call
            },
        )
}

/// Policies that look at tokens only, and requests that bring one: most of the requests above are refused before.
fn token_spec() -> impl Strategy<Value = Value> {
    any_jwt().prop_map(|mut jwt| {
        jwt["ambiguousPath"] = json!("Allow");
        json!({"position": "Gateway", "jwt": jwt})
    })
}

fn token_call() -> impl Strategy<Value = Call> {
    let token = prop_oneof![
        any_token(),
        select(vec![
            token("soon over"),
            token("stranger"),
            token("swapped")
        ])
    ];
    (
        token,
        select(&["/", "/a", "/admin"][..]),
        any::<bool>(),
        select(&[NOW, NOW + 1000][..]),
    )
        .prop_map(|(token, path, own, now)| {
            let call = Call::get(path);
            let mut call = if own {
                call.bearer(token)
            } else {
                call.with("x-token", token)
            };
            call.now = now;
            call
        })
}

/// A policy and what it has to judge.
fn busy() -> impl Strategy<Value = (Made, Vec<Call>)> {
    prop_oneof![
        (made(any_spec()), vec(call(), 1..8)),
        (made(token_spec()), vec(token_call(), 1..8))
    ]
}

fn left_alone(made: &Made, call: &Call) -> bool {
    made.spec["mode"] == "Shadow" || call.judge(&made.policy).trace.passed
}

proptest! {
    #![proptest_config(config(400))]

    /// (a), (d)
    #[test]
    fn a_token_cache_of_any_size_changes_no_decision((made, calls) in busy(), seed in any::<u64>(), capacity in 0usize..5) {
        let (mut small, mut large) = (VerifiedTokens::new(capacity, seed), VerifiedTokens::new(64, seed));
        for call in calls.iter().chain(&calls) {
            let without = essence(&call.judge(&made.policy));
            prop_assert_eq!(&without, &essence(&call.judge(&made.policy)), "the same input gives the same decision");
            prop_assert_eq!(&without, &essence(&call.ask(&made.policy, &mut small, &Honest)), "small cache");
            prop_assert_eq!(&without, &essence(&call.ask(&made.policy, &mut large, &Honest)), "large cache");
        }
    }

    /// (c)
    #[test]
    fn what_a_policy_may_emit_reaches_nobody_unless_it_emitted_it(made in made(any_spec()), call in call()) {
        let decision = call.judge(&made.policy);
        if left_alone(&made, &call) {
            prop_assert!(decision.edits.is_empty());
            prop_assert_eq!(decision.verdict, Outcome::Allow);
            return Ok(());
        }
        let emitted = emitted(&made.spec);
        for (name, value) in call.after(&decision) {
            if !emitted.contains(&dashed(&name)) {
                continue;
            }
            let set = decision.edits.iter().filter(|edit| matches!(edit, Edit::Set(set, to) if set.as_bytes() == name && **to == *value)).count();
            prop_assert_eq!(set, 1, "{} stays", String::from_utf8_lossy(&name));
            prop_assert_eq!(&decision.verdict, &Outcome::Allow, "a refusal sets nothing");
            prop_assert_ne!(value, b"FORGED".to_vec());
        }
    }

    /// (e)
    #[test]
    fn a_verifier_that_fails_or_refuses_allows_nothing_more((made, calls) in busy(), answers in vec(0u8..4, 1..6)) {
        struct Moody { answers: Vec<u8>, calls: Cell<usize> }
        impl Verify for Moody {
            fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> Verdict {
                let call = self.calls.replace(self.calls.get() + 1);
                match self.answers[call % self.answers.len()] {
                    0 => Verdict::Unavailable,
                    1 => Verdict::Invalid,
                    _ => Honest.verify(key, message, signature),
                }
            }
            fn usable(&self, _: &Key) -> bool { false }
        }
        let moody = Moody { answers, calls: Cell::new(0) };
        let mut known = VerifiedTokens::new(4, 1);
        for call in &calls {
            let honest = call.judge(&made.policy);
            let found = call.ask(&made.policy, &mut known, &moody);
            if found.verdict == Outcome::Allow {
                prop_assert_eq!(&honest.verdict, &Outcome::Allow);
                // Whoever goes on without having been refused by a shadow goes on as the same person.
                if found.shadow.is_none() {
                    prop_assert_eq!(&honest.edits, &found.edits);
                }
            }
        }
    }

    /// What a policy says that it does not need does not matter.
    #[test]
    fn what_is_not_needed_does_not_matter(made in made(any_spec()), call in call()) {
        let needs = made.policy.needs();
        let mut other = call.clone();
        if !needs.identity { other.identity = None; }
        if !needs.address { other.address = None; }
        if !needs.position { other.position = None; }
        if !needs.tls { other.tls = !call.tls; }
        if !needs.time { other.now = 0; }
        let decided = |call: &Call| {
            let mut decision = call.judge(&made.policy);
            // Nobody gets the headers of a refused request.
            if decision.verdict != Outcome::Allow { decision.edits.clear(); }
            essence(&decision)
        };
        prop_assert_eq!(decided(&call), decided(&other));
    }

    /// (g)
    #[test]
    fn any_bytes_anywhere_give_a_decision(made in made(any_spec()), mut call in call(), junk in vec((any::<Index>(), vec(any::<u8>(), 0..80)), 0..6), names in vec((vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..20)), 0..4), identity in option::of(vec(any::<u8>(), 0..40)), now in any::<u64>()) {
        for (index, bytes) in junk {
            let index = index.index(call.headers.len());
            let value = &mut call.headers[index].1;
            let middle = value.len() / 2;
            value.splice(middle..middle, bytes);
        }
        call.headers.extend(names);
        call.identity = identity;
        call.now = now;
        let decision = call.judge(&made.policy);
        let _ = serde_json::to_string(&decision.explain(&made.policy)).unwrap();
    }

    /// (h)
    #[test]
    fn a_printed_address_reads_back(made in made(any_forwarded().prop_map(|forwarded| json!({"forwarded": forwarded}))), call in call()) {
        let decision = call.judge(&made.policy);
        let own = made.spec["forwarded"]["clientIpHeader"].as_str().map(str::to_ascii_lowercase);
        let replaces = made.spec["forwarded"]["outbound"] == "Replace";
        for edit in &decision.edits {
            if let Edit::Set(name, value) = edit
                && (Some(&**name) == own.as_deref() || (replaces && &**name == "x-forwarded-for"))
            {
                let read: IpAddr = std::str::from_utf8(value).unwrap().parse().unwrap();
                prop_assert_eq!(Some(read), decision.client.address());
            }
        }
    }

    #[test]
    fn a_printed_block_reads_back(address in any::<IpAddr>(), prefix in 0u8..=128) {
        // The bits behind the prefix are zero, as a block's must be.
        let (address, prefix) = match address {
            IpAddr::V4(address) => {
                let prefix = prefix % 33;
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                (IpAddr::V4((u32::from(address) & mask).into()), prefix)
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                (IpAddr::V6((u128::from(address) & mask).into()), prefix)
            }
        };
        let text = format!("{address}/{prefix}");
        let is_mapped = matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
        match Cidr::parse(&text) {
            Ok(block) => prop_assert_eq!(block.to_string(), text),
            Err(expected) => prop_assert!(is_mapped, "{}: {}", text, expected),
        }
    }
}

proptest! {
    #![proptest_config(config(1500))]

    /// (f)
    #[test]
    fn elements_on_the_left_never_change_a_client_that_was_found(
        // On an exempt path the absence of any chain is an answer, so a chain is another.
        made in made(any_forwarded().prop_map(|mut forwarded| {
            forwarded.as_object_mut().unwrap().remove("exempt");
            json!({"forwarded": forwarded})
        })),
        left in vec(element(), 1..5), right in vec(prop_oneof![6 => good_element(), 1 => element()], 1..5),
        mut call in call(),
    ) {
        call.headers.retain(|(name, _)| name != b"x-forwarded-for" && name != b"forwarded");
        let right = right.join(",");
        let longer = call.clone().with("x-forwarded-for", format!("{},{right}", left.join(",")));
        let call = call.with("x-forwarded-for", &right);
        let (before, after) = (call.judge(&made.policy), longer.judge(&made.policy));
        let (Some(found), Some(then)) = (before.trace.finding, after.trace.finding) else { return Ok(()) };
        let Client::Known(address, how @ (How::Chain | How::Peer)) = found.client else { return Ok(()) };
        // Without any chain a sidecar takes the connection's own address; what then stands on the left is the first chain there is.
        if found.elements == 0 { return Ok(()); }
        if made.spec["forwarded"]["mode"] == "Envoy" {
            // Envoy falls back to the peer when a list is too short, and to the leftmost when all are trusted: more elements are then another answer, bit for bit.
            let cidrs = made.spec["forwarded"]["trust"].get("cidrs").is_some();
            if how == How::Peer || cidrs { return Ok(()); }
        }
        match then.client {
            Client::Known(after, _) => prop_assert_eq!(after, address),
            Client::Unknown(_) => prop_assert!(then.anomalies.contains(Anomaly::TooLong) && !found.anomalies.contains(Anomaly::TooLong), "{:?}", then),
        }
        if let (Some(before), Some(after)) = (before.client.address(), after.client.address()) {
            prop_assert_eq!(before, after);
        }
    }

    /// (i)
    #[test]
    fn mode_envoy_computes_what_envoy_does(
        received in vec(vec(element(), 0..8).prop_map(|elements| elements.join(",")), 0..4), peer in select(ELEMENTS), hops in 0usize..4, walk in any::<bool>(), gateway in any::<bool>(),
        padding in prop_oneof![9 => Just(0), 1 => 14usize..22],
    ) {
        let peer: IpAddr = peer.parse().unwrap();
        let received: Vec<String> = received.into_iter().map(|line| (0..padding).map(|_| "192.0.2.2,").chain([&*line]).collect()).collect();
        let trust = if walk { json!({"cidrs": X_CIDRS}) } else { json!({"hops": hops}) };
        let position = if gateway { "Gateway" } else { "SidecarInbound" };
        let policy = policy(&json!({"position": position, "forwarded": {"mode": "Envoy", "trust": trust}}));
        let joined = reference::joined(&received);
        let expected = match (walk, gateway) {
            (true, _) => reference::extension_cidrs(joined.as_deref(), peer),
            (false, true) => hops.checked_sub(1).and_then(|skip| reference::last_address(joined.as_deref(), skip)),
            (false, false) => reference::last_address(joined.as_deref(), hops),
        }.unwrap_or(peer);
        let mut call = Call::new("GET", "/");
        call.address = Some(peer);
        match (gateway, received.as_slice()) {
            (false, lines) => lines.iter().for_each(|line| call.add("x-forwarded-for", line)),
            // Envoy joins the lines and appends the peer.
            (true, _) => call.add("x-forwarded-for", joined.filter(|list| !list.is_empty()).map_or(peer.to_string(), |list| format!("{list},{peer}"))),
        }
        prop_assert_eq!(call.judge(&policy).client.address(), Some(expected));
        if gateway {
            // Where the adapter has no address to give, the appended element stands in.
            call.address = None;
            prop_assert_eq!(call.judge(&policy).client.address(), Some(expected));
        }
    }
}

const X_CIDRS: [&str; 3] = ["192.0.2.0/24", "198.51.100.0/24", "2001:db8:7e57:1::/64"];

/// Envoy's algorithm as the reference tells it (xff-and-jwt.md 1.2 and 1.3), written again from that text.
mod reference {
    use std::net::IpAddr;

    /// Lines are joined in order; an empty line adds nothing.
    pub fn joined(lines: &[String]) -> Option<String> {
        let full: Vec<&str> = lines
            .iter()
            .map(String::as_str)
            .filter(|line| !line.is_empty())
            .collect();
        (!lines.is_empty()).then(|| full.join(","))
    }

    /// `getLastAddressFromXFF`: drops `skip` elements from the right, then reads the last one.
    pub fn last_address(list: Option<&str>, skip: usize) -> Option<IpAddr> {
        let mut list = list?;
        for _ in 0..skip {
            list = &list[..list.rfind(',')?];
        }
        if let Some(comma) = list.rfind(',')
            && comma + 1 < list.len()
        {
            list = &list[comma + 1..];
        }
        list.trim_matches([' ', '\t']).parse().ok()
    }

    /// The extension with CIDRs: the first that is not trusted, from the right; all trusted: the leftmost; a bad one, or more than 20: none.
    pub fn extension_cidrs(list: Option<&str>, peer: IpAddr) -> Option<IpAddr> {
        if !trusted(peer) {
            return None;
        }
        let entries: Vec<&str> = list?.split(',').collect();
        if entries.len() > 20 {
            return None;
        }
        let mut address = None;
        for entry in entries.into_iter().rev() {
            let read: IpAddr = entry.trim_matches([' ', '\t']).parse().ok()?;
            address = Some(read);
            if !trusted(read) {
                break;
            }
        }
        address
    }

    fn trusted(address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => matches!(v4.octets(), [192, 0, 2, _] | [198, 51, 100, _]),
            IpAddr::V6(v6) => v6.segments()[..4] == [0x2001, 0xdb8, 0x7e57, 1],
        }
    }
}

proptest! {
    #![proptest_config(config(300))]

    /// (b)
    #[test]
    fn the_cache_compares_whole_tokens(seed in any::<u64>(), capacity in 1usize..6, at in any::<Index>(), to in select(b"ABCDwxyz0189-_.".to_vec()), other in any_token()) {
        // Takes everything, so only the cache can tell tokens apart: a hit does not ask.
        struct Counting(Cell<u32>);
        impl Verify for Counting {
            fn verify(&self, _: &Key, _: &[u8], _: &[u8]) -> Verdict {
                self.0.set(self.0.get() + 1);
                Verdict::Valid
            }
            fn usable(&self, _: &Key) -> bool { true }
        }
        let policy = policy(&json!({"position": "Gateway", "jwt": {"providers": [provider(json!({}))], "otherwise": "Require"}}));
        let mut known = VerifiedTokens::new(capacity, seed);
        let count = Counting(Cell::new(0));
        let mut ask = |token: &[u8]| Call::new("GET", "/").with("authorization", [b"Bearer ", token].concat()).ask(&policy, &mut known, &count);
        let good = token("ann").as_bytes();
        prop_assert_eq!(ask(good).verdict, Outcome::Allow);
        prop_assert!(ask(good).trace.cached);
        // Another byte anywhere, another signature, another payload, nothing at the end, something more.
        let mut changed = good.to_vec();
        let at = at.index(changed.len());
        changed[at] = to;
        for variant in [changed, token("swapped").into(), token("stripped").into(), other.into(), [good, b"A"].concat(), good[..good.len() - 1].to_vec()] {
            if variant != good {
                let mut known = VerifiedTokens::new(capacity, seed);
                let ask = |token: &[u8], known: &mut VerifiedTokens| Call::new("GET", "/").with("authorization", [b"Bearer ", token].concat()).ask(&policy, known, &count);
                ask(good, &mut known);
                prop_assert!(!ask(&variant, &mut known).trace.cached);
            }
        }
    }
}

#[test]
fn the_strategies_reach_every_kind_of_outcome() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::new(config(1));
    let (mut reasons, mut hows) = (BTreeSet::new(), BTreeSet::new());
    let (mut allowed, mut identified) = (0, 0);
    for _ in 0..12_000 {
        let made = made(any_spec()).new_tree(&mut runner).unwrap().current();
        let decision = call()
            .new_tree(&mut runner)
            .unwrap()
            .current()
            .judge(&made.policy);
        reasons.extend(decision.reason());
        if let Client::Known(_, how) = decision.client {
            hows.insert(format!("{how:?}"));
        }
        allowed += u32::from(decision.verdict == Outcome::Allow);
        identified += u32::from(decision.trace.provider.is_some());
    }
    assert!(allowed > 200 && identified > 50, "{allowed} {identified}");
    assert_eq!(hows.len(), 5, "{hows:?}");
    // Not asked for: these tokens are not in the set.
    let rare = [
        Reason::TokenTooLarge,
        Reason::TypeNotAccepted,
        Reason::CriticalHeader,
        Reason::KeyNotFound,
        Reason::SignatureUnchecked,
        Reason::SubjectNotAccepted,
        Reason::ExpirationMissing,
        Reason::LifetimeTooLong,
        Reason::IssuedInFuture,
        Reason::TokenMalformed,
        Reason::ClaimsMalformed,
        Reason::RequestUnreadable,
    ];
    let missing: Vec<_> = Reason::ALL
        .iter()
        .filter(|reason| !rare.contains(reason) && !reasons.contains(reason))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
