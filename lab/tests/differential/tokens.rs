//! Tokens: Envoy's jwt_authn with its default settings, and our engine with the same keys, issuer, audiences and skew.
//!
//! A difference must be a row of docs/differences-to-envoy.md ([`crate::differences`]), and each row must be met.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use corpus::{HeaderValue, Scenario};
use lab::{Action, Bootstrap, Client, Echo, Envoy, Listener, Node};
use policy::{Edit, Outcome, Policy, Position, VerifiedTokens};
use serde_json::{Value, json};
use signature::Software;

use crate::differences::{ALLOW, Met};
use crate::forge::{AUDIENCE, Forge, ISSUER, Sample};
use crate::{amount, document, examples, policy, random::Random};

#[test]
fn tokens_differ_only_where_documented() {
    let started = Instant::now();
    let mut forge = Forge::new(Random::new(3));
    let lab = Lab::start(&forge);
    let mut client = Client::new();
    let mut tally = Tally::default();

    let samples = forge.signed(amount(1, 7));
    let minted = started.elapsed();
    for sample in &samples {
        lab.compare(sample, &mut client, &mut tally);
    }
    for _ in 0..amount(1, 10) {
        for offset in -2..=2 {
            for border in [
                "exp border",
                "fractional exp border",
                "nbf border",
                "iat border",
            ] {
                // To be sent within the second that it was made for.
                while !lab.compare(&forge.border(border, offset), &mut client, &mut tally) {}
            }
        }
    }
    while tally.compared < amount(1_000, 20_000) {
        let sample = forge.mutated();
        lab.compare(&sample, &mut client, &mut tally);
    }
    lab.compare_examples(&mut client, &mut tally);
    lab.compare_settings(&mut forge, &mut client, &mut tally);

    println!(
        "{} tokens, {} of both verdicts 200; {} verdicts explained by a row; {} too near to a second's end to compare; signing took {minted:.1?}, all {:.1?}",
        tally.compared,
        tally.both_allow,
        tally.explained,
        tally.late,
        started.elapsed()
    );
    println!("by kind (jwt_authn, ours):");
    for ((kind, envoy, ours), count) in &tally.classes {
        println!("{count:>7}  {kind}: {envoy}, {ours}");
    }
    println!("differences by row:");
    tally.met.print();
    assert!(
        tally.unexplained == 0,
        "{} unexplained, the first:{}",
        tally.unexplained,
        tally.first
    );
    assert_eq!(
        tally.met.missed(),
        Vec::<&str>::new(),
        "documented, and never met"
    );
    assert!(tally.both_allow * 10 > tally.compared);
}

struct Tally {
    compared: usize,
    both_allow: usize,
    explained: usize,
    unexplained: usize,
    late: usize,
    classes: BTreeMap<(String, u16, String), usize>,
    met: Met,
    first: String,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            compared: 0,
            both_allow: 0,
            explained: 0,
            unexplained: 0,
            late: 0,
            classes: BTreeMap::new(),
            met: Met::new(),
            first: String::new(),
        }
    }
}

impl Tally {
    fn note(&mut self, sample: &Sample, envoy: u16, ours: &str, our_status: u16) {
        self.compared += 1;
        let class = (sample.kind.to_owned(), envoy, ours.to_owned());
        *self.classes.entry(class).or_default() += 1;
        let explained = self.met.explain(sample.kind, envoy, ours);
        if explained.is_some() {
            self.explained += 1;
        } else if envoy != our_status {
            self.unexplained += 1;
            if self.unexplained <= SHOWN {
                let _ = write!(
                    self.first,
                    "\n{}: jwt_authn {envoy}, ours {ours}: {}",
                    sample.kind,
                    sample.show()
                );
            }
        } else if envoy == 200 {
            self.both_allow += 1;
        }
    }
}

struct Lab {
    envoy: Envoy,
    /// The oldest supported, for what was mended since.
    oldest: Envoy,
    /// What stands behind the listeners that forward.
    _echo: Echo,
    policy: Policy,
    typed: Policy,
}

impl Lab {
    fn start(forge: &Forge) -> Self {
        let jwks = forge.jwks();
        let provider = their_provider(&jwks);
        let required =
            json!([{ "match": { "prefix": "/" }, "requires": { "provider_name": "login" } }]);
        let answering = |name: &str, provider: &Value| Listener {
            extra_filters_before: vec![jwt_authn(&json!({ "login": provider }), &required)],
            action: Action::Answer(200),
            access_log: false,
            ..Listener::gateway(name)
        };
        let mut any_audience = provider.clone();
        any_audience.as_object_mut().unwrap().remove("audiences");
        let mut publishing = provider.clone();
        publishing["claim_to_headers"] = json!([{ "header_name": USER, "claim_name": "sub" }]);
        let private = json!([{ "match": { "prefix": "/private" }, "requires": { "provider_name": "login" } }]);
        let echo = Echo::start().unwrap();
        let examples = json!({
            "issuer": examples::ISSUER, "local_jwks": { "inline_string": examples::jwks().to_string() },
        });
        let publishing = Listener {
            extra_filters_before: vec![jwt_authn(&json!({ "login": publishing }), &private)],
            ..Listener::gateway("publishing")
        };
        let start = |version: &str, listeners: Vec<Listener>| {
            Envoy::start(&Bootstrap {
                listeners,
                upstream: Some(echo.address()),
                version: Some(version.to_owned()),
                ..Bootstrap::new(Node::Router)
            })
            .unwrap_or_else(|error| panic!("{error}"))
        };
        let listeners = vec![
            answering("default", &provider),
            answering("any-audience", &any_audience),
            answering("examples", &examples),
            publishing.clone(),
        ];
        let versions = lab::envoy_versions().unwrap();
        let envoy = start(&versions[0], listeners);
        let oldest = start(versions.last().unwrap(), vec![publishing]);
        Self {
            envoy,
            oldest,
            _echo: echo,
            policy: policy(&spec(&jwks, &json!({}))),
            typed: policy(&spec(&jwks, &json!({ "types": ["at+jwt"] }))),
        }
    }

    /// False when a second ended in between, so that the two were not asked the same.
    fn compare(&self, sample: &Sample, client: &mut Client, tally: &mut Tally) -> bool {
        let before = now();
        let envoy = self.status("default", sample, client);
        let after = now();
        let (ours, status) = decide(&self.policy, sample, before);
        if decide(&self.policy, sample, after).0 != ours
            || sample.needs_second() && before.as_secs() != after.as_secs()
        {
            tally.late += 1;
            return false;
        }
        tally.note(sample, envoy, &ours, status);
        if sample.kind == "typ" {
            let asked = Sample {
                kind: "typ, where one is asked for",
                ..sample.clone()
            };
            let (ours, status) = decide(&self.typed, sample, after);
            tally.note(&asked, envoy, &ours, status);
        }
        true
    }

    fn status(&self, listener: &str, sample: &Sample, client: &mut Client) -> u16 {
        let response = client
            .send(self.envoy.listener(listener).unwrap(), &sample.request())
            .unwrap_or_else(|error| panic!("{}: {error}", sample.show()));
        response.status
    }

    /// What the RFCs print: in its time natively, today on both sides.
    fn compare_examples(&self, client: &mut Client, tally: &mut Tally) {
        let policy = policy(
            &json!({ "position": "Gateway", "jwt": { "otherwise": "Require", "providers": [
            { "name": "login", "issuer": examples::ISSUER, "anyAudience": true, "jwks": examples::jwks() },
        ] } }),
        );
        for (name, in_time, token) in examples::EXAMPLES {
            let sample = Sample::bearing("example of an RFC", token);
            let earlier = examples::EXPIRES - Duration::from_secs(1);
            assert_eq!(decide(&policy, &sample, earlier).0, in_time, "{name}");
            let (ours, status) = decide(&policy, &sample, now());
            let envoy = self.status("examples", &sample, client);
            assert_eq!((envoy, status), (401, 401), "{name}");
            tally.note(&sample, envoy, &ours, status);
        }
    }

    /// Rows about settings, not about tokens.
    fn compare_settings(&self, forge: &mut Forge, client: &mut Client, tally: &mut Tally) {
        let mut good = forge.good("no audiences configured");
        let mut without = spec(&forge.jwks(), &json!({}));
        let provider = without["jwt"]["providers"][0].as_object_mut().unwrap();
        provider.remove("audiences");
        let refused = Policy::from_json(document(&without).as_bytes(), &Software).is_err();
        let ours = if refused {
            "refused as configuration"
        } else {
            ALLOW
        };
        tally.note(&good, self.status("any-audience", &good, client), ours, 200);
        without["jwt"]["providers"][0]["anyAudience"] = json!(true);
        assert_eq!(decide(&policy(&without), &good, now()).0, ALLOW);

        // A forged claim header, on a path whose rule asks for no token, and beside a good one.
        let emitting = json!({ "claimsToHeaders": [{ "claim": "sub", "header": USER }] });
        let mut publishing = spec(&forge.jwks(), &emitting);
        publishing["jwt"]["rules"] = json!([{ "paths": ["/open"], "access": "Open" }]);
        let publishing = policy(&publishing);
        good.headers.push((USER.to_owned(), b"mallory".to_vec()));
        for (envoy, removes) in [(&self.oldest, false), (&self.envoy, true)] {
            for (path, kind, expected) in [
                ("/open", "forged claim header, no provider runs", None),
                (
                    "/private",
                    "forged claim header, the provider runs",
                    Some(&b"ann"[..]),
                ),
            ] {
                let sample = Sample {
                    kind,
                    path: path.to_owned(),
                    ..good.clone()
                };
                let address = envoy.listener("publishing").unwrap();
                let response = client.send(address, &sample.request()).unwrap();
                assert_eq!(response.status, 200, "{kind}");
                let theirs = response.echoed().unwrap().joined(USER);
                let kept = theirs == b"mallory";
                assert_eq!(published(&publishing, &sample).as_deref(), expected);
                assert_eq!(kept, !removes && path == "/open", "{kind}");
                let ours = if kept { "Allow without it" } else { ALLOW };
                tally.note(&sample, response.status, ours, 200);
            }
        }
    }
}

/// jwt_authn's provider with these keys.
pub fn their_provider(jwks: &Value) -> Value {
    json!({
        "issuer": ISSUER, "audiences": [AUDIENCE], "local_jwks": { "inline_string": jwks.to_string() },
    })
}

/// Our policy with these keys, and more fields of its provider.
pub fn spec(jwks: &Value, more: &Value) -> Value {
    let mut provider =
        json!({ "name": "login", "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": jwks });
    provider
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({ "position": "Gateway", "jwt": { "providers": [provider], "otherwise": "Require" } })
}

pub fn jwt_authn(providers: &Value, rules: &Value) -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": providers,
            "rules": rules,
        },
    })
}

/// Our verdict in one word, and the status that goes with it.
pub fn decide(policy: &Policy, sample: &Sample, now: Duration) -> (String, u16) {
    let decision = decision(policy, sample, now);
    match decision.verdict {
        Outcome::Allow => (ALLOW.to_owned(), 200),
        Outcome::Deny(reason, reply) => (reason.label().to_owned(), reply.status),
    }
}

fn decision(policy: &Policy, sample: &Sample, now: Duration) -> policy::Decision {
    let hex = |value: &[u8]| value.iter().map(|byte| format!("{byte:02x}")).collect();
    let headers = sample.headers.iter();
    let scenario = Scenario {
        position: Some(Position::Gateway),
        path: sample.path.clone(),
        headers: headers
            .map(|(name, value)| (name.clone(), HeaderValue::Bytes { hex: hex(value) }))
            .collect(),
        now: Some(now.as_secs_f64()),
        ..Scenario::default()
    };
    let arrived = scenario.arrive();
    policy.decide(
        &arrived.request(&arrived.pairs()),
        &mut VerifiedTokens::new(0, 0),
        &Software,
    )
}

/// What the upstream gets in the claim's header.
fn published(policy: &Policy, sample: &Sample) -> Option<Vec<u8>> {
    let mut value = sample
        .headers
        .iter()
        .find(|(name, _)| name == USER)
        .map(|(_, value)| value.clone());
    let decision = decision(policy, sample, now());
    assert_eq!(decision.verdict, Outcome::Allow);
    for edit in &decision.edits {
        match edit {
            Edit::Remove(name) if **name == *USER => value = None,
            Edit::Set(name, set) if **name == *USER => value = Some(set.to_vec()),
            Edit::Remove(_) | Edit::Set(..) => {}
        }
    }
    value
}

pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

const USER: &str = "x-user";
const SHOWN: usize = 20;
