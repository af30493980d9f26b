//! Key sets that no identity provider would publish: Envoy's jwt_authn and our engine with the same set, issuer and audience.
//!
//! A difference must be a row of docs/differences-to-envoy.md, "Key sets and settings", and each row must be met.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use corpus::{Keys, Mint, Token};
use lab::{Action, Bootstrap, Client, Envoy, Listener, Node, repository};
use policy::Policy;
use serde_json::{Map, Value, json};
use signature::Software;

use crate::differences::ALLOW;
use crate::forge::{AUDIENCE, ISSUER, Sample};
use crate::tokens::{decide, jwt_authn, now};
use crate::{amount, document, random::Random};

#[test]
fn key_sets_differ_only_where_documented() {
    let mut random = Random::new(11);
    let mut mint = Mint::new(keys(), now().as_secs());
    let asked = all_asked(&mut mint);
    let sets: Vec<Vec<Key>> = (0..amount(100, 1_000))
        .map(|_| key_set(&mut random))
        .collect();
    let mut client = Client::new();
    let mut tally = Tally::default();
    // So many providers in one configuration; each has paths of its own.
    for sets in sets.chunks(100) {
        let envoy = start(sets.iter().map(|set| provider(&jwks(set))).collect());
        let address = envoy.listener("sets").unwrap();
        for (index, set) in sets.iter().enumerate() {
            let ours = ours(&jwks(set), &json!({}));
            for asked in &asked {
                let sample = Sample {
                    path: format!("/{index}/"),
                    ..Sample::bearing("key set", &asked.token)
                };
                let envoy = client.send(address, &sample.request()).unwrap().status;
                let ours = judged(ours.as_ref(), &sample);
                tally.note(&Case {
                    set,
                    asked,
                    envoy,
                    ours: &ours,
                });
            }
        }
    }
    tally.finish();
}

/// Every pair of `iat` and `exp` up to hours from now, with a most of one hour: what each side counts from is in the table.
#[test]
fn lifetimes_are_counted_as_documented() {
    const MOST: i64 = 3_600;
    let mut mint = Mint::new(keys(), now().as_secs());
    let set = json!({ "keys": [numbers("ed-a")] });
    let mut theirs = provider(&set);
    theirs["max_lifetime"] = format!("{MOST}s").into();
    let envoy = start(vec![theirs]);
    let ours = ours(&set, &json!({ "maxLifetime": "1h" }));
    let mut client = Client::new();
    // In minutes; none is at a border, since the test itself takes time.
    let moments = [None, Some(-150), Some(-90), Some(-45), Some(-20), Some(0)];
    let ends = [
        None,
        Some(10),
        Some(30),
        Some(55),
        Some(65),
        Some(100),
        Some(1_000_000),
    ];
    for (issued, expires) in moments.iter().flat_map(|iat| ends.map(|exp| (*iat, exp))) {
        let seconds = |minutes: Option<i64>| minutes.map(|minutes| minutes * 60);
        let (iat, exp) = (seconds(issued), seconds(expires));
        let token = json!({
            "key": "ed-a", "kid": null, "claims": { "iss": ISSUER, "aud": AUDIENCE, "sub": "ann" }, "iat": iat, "exp": exp,
        });
        let token: Token = serde_json::from_value(token).unwrap();
        let sample = Sample {
            path: "/0/".to_owned(),
            ..Sample::bearing("lifetime", mint.mint(&token).unwrap())
        };
        let address = envoy.listener("sets").unwrap();
        let status = client.send(address, &sample.request()).unwrap().status;
        let remaining_fits = exp.is_some_and(|exp| exp <= MOST);
        assert_eq!(
            status == 200,
            remaining_fits,
            "jwt_authn {status}: iat {iat:?}, exp {exp:?}"
        );
        let whole_fits = iat.zip(exp).is_some_and(|(iat, exp)| exp - iat <= MOST);
        let expected = if whole_fits { ALLOW } else { "LifetimeTooLong" };
        assert_eq!(
            judged(ours.as_ref(), &sample),
            expected,
            "iat {iat:?}, exp {exp:?}"
        );
    }
}

/// What our side makes of a provider; `None` when it refuses the policy.
fn ours(jwks: &Value, more: &Value) -> Option<Policy> {
    let mut provider = json!({
        "name": "login", "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": jwks, "requireExpiration": false,
    });
    provider
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let spec = json!({ "position": "Gateway", "jwt": { "providers": [provider], "otherwise": "Require" } });
    Policy::from_json(document(&spec).as_bytes(), &Software).ok()
}

fn judged(policy: Option<&Policy>, sample: &Sample) -> String {
    match policy {
        Some(policy) => decide(policy, sample, now()).0,
        None => REFUSED.to_owned(),
    }
}

fn provider(jwks: &Value) -> Value {
    json!({
        "issuer": ISSUER, "audiences": [AUDIENCE], "local_jwks": { "inline_string": jwks.to_string() },
    })
}

/// An Envoy that asks for a token of the first provider below `/0/`, of the second below `/1/`, and so on.
fn start(providers: Vec<Value>) -> Envoy {
    let rules: Vec<Value> = (0..providers.len())
        .map(|index| {
            json!({
                "match": { "prefix": format!("/{index}/") }, "requires": { "provider_name": format!("p{index}") },
            })
        })
        .collect();
    let named = providers.into_iter().enumerate();
    let providers: Map<String, Value> = named
        .map(|(index, provider)| (format!("p{index}"), provider))
        .collect();
    let listener = Listener {
        extra_filters_before: vec![jwt_authn(&providers.into(), &rules.into())],
        action: Action::Answer(200),
        access_log: false,
        ..Listener::gateway("sets")
    };
    Envoy::start(&Bootstrap {
        listeners: vec![listener],
        ..Bootstrap::new(Node::Router)
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

/// A key of a set.
struct Key {
    file: &'static str,
    /// What it says about itself besides its numbers.
    kid: Option<&'static str>,
    alg: Option<&'static str>,
    usage: Option<&'static str>,
    operations: Option<&'static [&'static str]>,
    is_damaged: bool,
    value: Value,
}

/// A token, and what it was made of.
struct Asked {
    file: &'static str,
    kid: Option<&'static str>,
    alg: &'static str,
    token: String,
}

struct Case<'c> {
    set: &'c [Key],
    asked: &'c Asked,
    envoy: u16,
    ours: &'c str,
}

impl Key {
    /// Whether both sides could use it for this algorithm, were everything else about it good.
    fn serves(&self, alg: &str) -> bool {
        self.alg.is_none_or(|named| named == alg) && fitting(self.file).contains(&alg)
    }

    /// Whether it says itself that it verifies nothing.
    fn is_for_others(&self) -> bool {
        self.usage == Some("enc")
            || self
                .operations
                .is_some_and(|names| !names.contains(&"verify"))
    }

    fn has_no_kid(&self) -> bool {
        self.kid.is_none_or(str::is_empty)
    }
}

impl Case<'_> {
    /// The keys that could have made the token.
    fn makers(&self) -> impl Iterator<Item = &Key> {
        let made = |key: &&Key| key.file == self.asked.file && key.serves(self.asked.alg);
        self.set.iter().filter(made)
    }
}

/// A row of the table.
struct Row {
    name: &'static str,
    explains: fn(&Case<'_>) -> bool,
}

const ROWS: &[Row] = &[];

/// Rows that this test does not make: settings have tests of their own, and no key of P-521 is among those of the tests.
const OTHERS: [&str; 1] = ["`max_lifetime`, `maxLifetime`"];

#[derive(Default)]
struct Tally {
    compared: usize,
    both_allow: usize,
    met: BTreeMap<&'static str, usize>,
    unexplained: usize,
    first: String,
}

impl Tally {
    fn note(&mut self, case: &Case<'_>) {
        self.compared += 1;
        let allows = case.ours == ALLOW;
        if allows == (case.envoy == 200) {
            self.both_allow += usize::from(allows);
        } else if let Some(row) = ROWS.iter().find(|row| (row.explains)(case)) {
            *self.met.entry(row.name).or_default() += 1;
        } else {
            self.unexplained += 1;
            if self.unexplained <= 30 {
                let keys: Vec<String> = case.set.iter().map(shown).collect();
                let Asked { file, kid, alg, .. } = case.asked;
                let _ = write!(
                    self.first,
                    "\n{alg} by {file}, kid {kid:?}: jwt_authn {}, ours {}: {}",
                    case.envoy,
                    case.ours,
                    keys.join("; ")
                );
            }
        }
    }

    fn finish(self) {
        println!(
            "{} questions, {} of both answers 200; by row:",
            self.compared, self.both_allow
        );
        for (name, count) in &self.met {
            println!("{count:>7}  {name}");
        }
        assert!(
            self.unexplained == 0,
            "{} unexplained, the first:{}",
            self.unexplained,
            self.first
        );
        let missed = ROWS.iter().filter(|row| !self.met.contains_key(row.name));
        let missed: Vec<&str> = missed.map(|row| row.name).collect();
        assert_eq!(missed, Vec::<&str>::new(), "documented, and never met");
        assert!(self.both_allow * 50 > self.compared);
    }
}

fn shown(key: &Key) -> String {
    let damaged = if key.is_damaged { ", damaged" } else { "" };
    format!(
        "{} kid {:?} alg {:?} use {:?} key_ops {:?}{damaged}",
        key.file, key.kid, key.alg, key.usage, key.operations
    )
}

fn keys() -> Keys {
    Keys::near(&repository().join("testdata/keys/jwks.json")).unwrap()
}

const FILES: [&str; 6] = ["rsa-a", "rsa-b", "ec-a", "ec384-a", "ed-a", SMALL];
const KIDS: [Option<&str>; 4] = [None, Some(""), Some("a"), Some("b")];

/// The algorithms of a key's kind, its most common one first.
fn fitting(file: &str) -> &'static [&'static str] {
    match file {
        "ec-a" => &["ES256"],
        "ec384-a" => &["ES384"],
        "ed-a" => &["EdDSA"],
        _ => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
    }
}

fn jwks(set: &[Key]) -> Value {
    let keys: Vec<&Value> = set.iter().map(|key| &key.value).collect();
    json!({ "keys": keys })
}

/// One to four keys that say anything about themselves.
fn key_set(random: &mut Random) -> Vec<Key> {
    (0..=random.below(4)).map(|_| key(random)).collect()
}

fn key(random: &mut Random) -> Key {
    let file = random.pick(&FILES);
    let mut value = numbers(file);
    let alg = match random.below(10) {
        0..=5 => Some(*random.choose(fitting(file))),
        6 | 7 => None,
        _ => Some(random.pick(&["RSA-OAEP", "ES512", "HS256", "ES256", "RS256", ""])),
    };
    let usage = match random.below(8) {
        0..=4 => None,
        5 | 6 => Some("sig"),
        _ => Some("enc"),
    };
    let operations: Option<&[&str]> = match random.below(12) {
        0..=7 => None,
        8 => Some(&["verify"]),
        9 => Some(&["sign", "verify"]),
        10 => Some(&["encrypt", "wrapKey"]),
        _ => Some(&[]),
    };
    let kid = *random.choose(&KIDS);
    let members = value.as_object_mut().unwrap();
    let is_damaged = random.chance(10);
    if is_damaged {
        damage(members, random);
    }
    for (name, said) in [("kid", kid), ("alg", alg), ("use", usage)] {
        if let Some(said) = said {
            members.insert(name.to_owned(), said.into());
        }
    }
    if let Some(operations) = operations {
        members.insert("key_ops".to_owned(), operations.into());
    }
    Key {
        file,
        kid,
        alg,
        usage,
        operations,
        is_damaged,
        value,
    }
}

/// One of the members that are its numbers is lost or no base64url.
fn damage(members: &mut Map<String, Value>, random: &mut Random) {
    let names: Vec<String> = members.keys().cloned().collect();
    let name = random.choose(&names);
    let value = members[name].as_str().unwrap().to_owned();
    let damaged = match random.below(4) {
        0 => {
            members.remove(name);
            return;
        }
        1 => format!("{value}!"),
        2 => value[1..].to_owned(),
        _ => String::new(),
    };
    members.insert(name.clone(), damaged.into());
}

/// `kty` and the numbers of a key.
fn numbers(file: &str) -> Value {
    if file == SMALL {
        return json!({ "kty": "RSA", "n": SMALL_MODULUS, "e": "AQAB" });
    }
    let set: Value =
        serde_json::from_str(&keys().jwks(&format!("@jwks.json#{file}")).unwrap()).unwrap();
    let mut key = set["keys"][0].clone();
    let members = key.as_object_mut().unwrap();
    members.retain(|name, _| !["kid", "alg", "use", "key_ops"].contains(&name.as_str()));
    key
}

/// A token of each key by each algorithm and `kid`.
fn all_asked(mint: &mut Mint) -> Vec<Asked> {
    let mut asked = vec![Asked {
        file: SMALL,
        kid: Some("a"),
        alg: "RS256",
        token: SMALL_TOKEN.to_owned(),
    }];
    for file in FILES {
        if file == SMALL {
            continue;
        }
        for alg in fitting(file) {
            for kid in KIDS {
                let token = json!({
                    "key": file, "alg": alg, "kid": kid, "claims": { "iss": ISSUER, "aud": AUDIENCE, "sub": "ann" },
                    "exp": 3600.0,
                });
                let token: Token = serde_json::from_value(token).unwrap();
                let token = mint.mint(&token).unwrap();
                asked.push(Asked {
                    file,
                    kid,
                    alg,
                    token,
                });
            }
        }
    }
    asked
}

const REFUSED: &str = "refused as configuration";

/// `keys/rsa-1024.pem`, which ring does not sign with: this token without an end was made once by `openssl dgst -sha256 -sign`.
const SMALL: &str = "rsa-1024";
const SMALL_MODULUS: &str = "vTycHtXuG3Mwjn4onakxLgXJcuETeXJovHw4mhQk0umSlRr3ppuAfaqPrUYGbSeBuAAI3EQ-I3_T44HXIGcfKdPyPgO-vWeFnB_w6vgza7aJWTZFQTRSv247jSxb8KeRuz-7mTKQ4FDxdj1PocI8Ec6f_ebVYI0pXml3n2XTRGc";
const SMALL_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoic2hvcCIsInN1YiI6ImFubiJ9.BE6IJgk3Fjt8xAFr0oQuXhv69vZPUlNA6FIlvGcftfynRUh-e9FOg9V7Ihj1fg2l7hujeGtLcfYymDOtrABRJFyzCixsCfApitGvK6d-4UNiuACRjRPVPDErNjwXuE9UXgKgqiq1tyBkA5KttpYbl67K7BttNXDOU8WZpXhXIcU";
