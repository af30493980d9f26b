//! Random key sets, most of them odd: Envoy's jwt_authn and our engine with the same set, issuer and audience.
//!
//! A difference must be a row of docs/differences-to-envoy.md, "Key sets and settings" or "Token", and each row of the former must be met. No key of P-521 is made.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use corpus::{Keys, Mint, Token};
use lab::{Action, Bootstrap, Client, Envoy, Listener, Node, repository};
use policy::Policy;
use serde_json::{Map, Value, json};
use signature::Software;

use crate::differences::{self, ALLOW};
use crate::forge::{AUDIENCE, ISSUER, Sample};
use crate::tokens::{decide, jwt_authn, now, spec, their_provider};
use crate::{amount, document, random::Random};

#[test]
fn key_sets_differ_only_where_documented() {
    let mut random = Random::new(20);
    let mut mint = Mint::new(keys(), now().as_secs());
    let asked = all_asked(&mut mint);
    let sets: Vec<Vec<Key>> = (0..amount(300, 3_000))
        .map(|_| key_set(&mut random))
        .collect();
    let mut client = Client::new();
    let mut tally = Tally::default();
    // So many providers in one configuration; each has paths of its own.
    for sets in sets.chunks(100) {
        let (envoy, refused) = start_without_refused(sets);
        let address = envoy.listener("sets").unwrap();
        for (index, set) in sets.iter().enumerate() {
            let ours = ours(&jwks(set), &json!({ "requireExpiration": false }));
            if let Some(why) = refused.get(&index) {
                // Where no key is left, both refuse.
                assert!(ours.is_none(), "{why}: {}", shown_all(set));
                tally.refused_by_both += 1;
                continue;
            }
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
    let mut theirs = their_provider(&set);
    theirs["max_lifetime"] = format!("{MOST}s").into();
    let envoy = start(&BTreeMap::from([(0, theirs)])).unwrap();
    let without_end = json!({ "maxLifetime": "1h", "requireExpiration": false });
    let ours = ours(&set, &without_end);
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
    Policy::from_json(document(&spec(jwks, more)).as_bytes(), &Software).ok()
}

fn judged(policy: Option<&Policy>, sample: &Sample) -> String {
    match policy {
        Some(policy) => decide(policy, sample, now()).0,
        None => REFUSED.to_owned(),
    }
}

/// An Envoy with a provider for each set, and why it refuses some of them, by their places. It names one at a time.
fn start_without_refused(sets: &[Vec<Key>]) -> (Envoy, BTreeMap<usize, String>) {
    let mut providers: BTreeMap<usize, Value> = sets
        .iter()
        .map(|set| their_provider(&jwks(set)))
        .enumerate()
        .collect();
    let mut refused = BTreeMap::new();
    loop {
        let error = match start(&providers) {
            Ok(envoy) => return (envoy, refused),
            Err(error) => error.to_string(),
        };
        let named = error.split_once("Provider 'p").and_then(|(_, rest)| {
            rest.split_once("' in jwt_authn config has invalid local jwks: ")
        });
        let (index, why) = named.unwrap_or_else(|| panic!("{error}"));
        let (why, _) = why.split_once('`').unwrap();
        let index = index.parse().unwrap();
        assert!(providers.remove(&index).is_some(), "{error}");
        refused.insert(index, why.to_owned());
    }
}

/// An Envoy that asks for a token of provider 0 below `/0/`, of provider 1 below `/1/`, and so on.
fn start(providers: &BTreeMap<usize, Value>) -> Result<Envoy, lab::Error> {
    let rules: Vec<Value> = providers
        .keys()
        .map(|index| {
            json!({
                "match": { "prefix": format!("/{index}/") }, "requires": { "provider_name": format!("p{index}") },
            })
        })
        .collect();
    let providers: Map<String, Value> = providers
        .iter()
        .map(|(index, provider)| (format!("p{index}"), provider.clone()))
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
}

/// A key of a set.
struct Key {
    file: &'static str,
    /// What it says about itself besides its numbers.
    kid: Option<&'static str>,
    alg: Option<&'static str>,
    usage: Option<&'static str>,
    operations: Option<&'static [&'static str]>,
    /// What is wrong with its numbers.
    damage: Option<String>,
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
    /// Whether it says itself that it verifies nothing.
    fn is_for_others(&self) -> bool {
        self.usage == Some("enc")
            || self
                .operations
                .is_some_and(|names| !names.contains(&"verify"))
    }

    /// Whether its `alg` is one that its kind of key could have.
    fn is_of_its_kind(&self) -> bool {
        self.alg
            .is_none_or(|named| fitting(self.file).contains(&named))
    }

    fn kid(&self) -> Option<&'static str> {
        self.kid.filter(|kid| !kid.is_empty())
    }

    /// The algorithm that we keep it for.
    fn serves(&self) -> Option<&'static str> {
        let serves = self.alg.or(fitting(self.file).first().copied());
        serves.filter(|alg| {
            let is_kept = !self.is_for_others() && self.damage.is_none() && self.file != SMALL;
            is_kept && self.is_of_its_kind() && !NOT_SUPPORTED.contains(alg)
        })
    }

    /// Whether jwt_authn may try it for a token, by what both say. It needs numbers, and no `crv`.
    fn may_be_tried(&self, asked: &Asked) -> bool {
        let is_whole = match self.damage.as_deref() {
            None => true,
            Some(damage) => ["empty crv", "no crv"].contains(&damage) && self.file != "ed-a",
        };
        if !is_whole {
            return false;
        }
        let asked_kid = asked.kid.filter(|kid| !kid.is_empty());
        self.alg
            .is_none_or(|named| named.is_empty() || named == asked.alg)
            && self
                .kid()
                .is_none_or(|kid| asked_kid.is_none_or(|asked| asked == kid))
    }
}

impl Case<'_> {
    /// The row that says why jwt_authn verifies a token by this key and we don't.
    fn why(&self, key: &Key) -> Option<&'static str> {
        let asked = self.asked;
        let kept = || {
            self.set
                .iter()
                .filter(|key| key.serves() == Some(asked.alg))
        };
        let without_kid = kept().filter(|key| key.kid().is_none()).count();
        let names_another = self.set.iter().any(|other| {
            other.serves().is_some() && other.kid().is_some() && other.kid() == asked.kid
        });
        let rsa = fitting(key.file).len() > 1;
        let row = if key.usage == Some("enc") {
            "`use: enc`"
        } else if key.is_for_others() {
            "`key_ops` without `verify`"
        } else if key.file == SMALL {
            "an RSA key below 2048 bits"
        } else if key.damage.is_some() {
            "an EC key without `crv`, or with an empty one"
        } else if key.alg == Some("") {
            "a key with an empty `alg`"
        } else if NOT_SUPPORTED.contains(&asked.alg) {
            "ES512, PS384, PS512"
        } else if rsa && key.alg.is_none() && asked.alg != "RS256" {
            "an RSA key without `alg`"
        } else if self.ours == REFUSED && self.has_one_name_twice() {
            "two keys with one `kid` and one algorithm"
        } else if asked.kid == Some("") && self.ours == "KeyNotFound" {
            "empty `kid`"
        } else if asked.kid.is_none() && self.ours == "KeyNotFound" && kept().count() > 1 {
            "no `kid`, several keys of the algorithm"
        } else if self.ours == "KeyNotFound" && without_kid > 1 {
            "two keys without `kid`"
        } else if key.kid().is_none()
            && names_another
            && ["SignatureInvalid", "AlgorithmNotAllowed"].contains(&self.ours)
        {
            "a token by a key without `kid` that has another key's `kid`"
        } else {
            return None;
        };
        Some(row)
    }

    /// Whether a key without `alg` is tried that takes any signature of another length for the end of the search.
    fn meets_ed25519_first(&self) -> bool {
        let mut tried = self.set.iter().filter(|key| key.may_be_tried(self.asked));
        let ends = |key: &Key| key.file == "ed-a";
        self.asked.alg != "ES256"
            && tried
                .find(|key| ends(key) || self.made(key))
                .is_some_and(ends)
            && tried.any(|key| self.made(key) && key.serves() == Some(self.asked.alg))
    }

    /// Whether a token is by this key.
    fn made(&self, key: &Key) -> bool {
        key.file == self.asked.file
    }

    fn has_one_name_twice(&self) -> bool {
        let named = self
            .set
            .iter()
            .filter_map(|key| Some((key.kid()?, key.serves()?)));
        let all: Vec<_> = named.clone().collect();
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        once.len() < all.len()
    }

    /// The row that explains the difference.
    fn explained(&self) -> Option<&'static str> {
        if self.ours == ALLOW {
            return self.meets_ed25519_first().then_some(ED25519_FIRST);
        }
        let makers = self
            .set
            .iter()
            .filter(|key| self.made(key) && key.may_be_tried(self.asked));
        let rows: Option<Vec<_>> = makers.map(|key| self.why(key)).collect();
        rows?.first().copied()
    }
}

/// The table's first column, in its order.
const ROWS: [&str; 12] = [
    "two keys with one `kid` and one algorithm",
    "two keys without `kid`",
    "a token by a key without `kid` that has another key's `kid`",
    "an RSA key without `alg`",
    "a key with an empty `alg`",
    "an EC key without `crv`, or with an empty one",
    "`key_ops` without `verify`",
    "`use: enc`",
    "an RSA key below 2048 bits",
    "ES512, PS384, PS512",
    ED25519_FIRST,
    LIFETIME,
];

const ED25519_FIRST: &str = "an Ed25519 key without `alg` before the token's key";
/// [`lifetimes_are_counted_as_documented`] meets it.
const LIFETIME: &str = "`max_lifetime`, `maxLifetime`";

#[test]
fn every_documented_difference_is_one_row_here() {
    let documented = differences::documented("## Key sets and settings");
    assert_eq!(documented, ROWS);
}

#[derive(Default)]
struct Tally {
    compared: usize,
    both_allow: usize,
    met: BTreeMap<&'static str, usize>,
    /// Sets.
    refused_by_both: usize,
    unexplained: usize,
    first: String,
}

impl Tally {
    fn note(&mut self, case: &Case<'_>) {
        self.compared += 1;
        let allows = case.ours == ALLOW;
        if allows == (case.envoy == 200) {
            self.both_allow += usize::from(allows);
        } else if let Some(row) = case.explained() {
            *self.met.entry(row).or_default() += 1;
        } else {
            self.unexplained += 1;
            if self.unexplained <= 30 {
                let Asked { file, kid, alg, .. } = case.asked;
                let _ = write!(
                    self.first,
                    "\n{alg} by {file}, kid {kid:?}: jwt_authn {}, ours {}: {}",
                    case.envoy,
                    case.ours,
                    shown_all(case.set)
                );
            }
        }
    }

    fn finish(self) {
        println!(
            "{} questions, {} of both answers 200; {} sets refused by both; differences by row:",
            self.compared, self.both_allow, self.refused_by_both
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
        let missed: Vec<&str> = ROWS
            .into_iter()
            .filter(|row| *row != LIFETIME && !self.met.contains_key(row))
            .collect();
        assert_eq!(missed, Vec::<&str>::new(), "documented, and never met");
        assert!(self.both_allow * 50 > self.compared);
    }
}

fn shown_all(set: &[Key]) -> String {
    let keys: Vec<String> = set.iter().map(shown).collect();
    keys.join("; ")
}

fn shown(key: &Key) -> String {
    format!(
        "{} kid {:?} alg {:?} use {:?} key_ops {:?} damage {:?}",
        key.file, key.kid, key.alg, key.usage, key.operations, key.damage
    )
}

fn keys() -> Keys {
    Keys::near(&repository().join("testdata/keys/jwks.json")).unwrap()
}

const FILES: [&str; 6] = ["rsa-a", "rsa-b", "ec-a", "ec384-a", "ed-a", SMALL];
/// [`fitting`] a key, and none of ours.
const NOT_SUPPORTED: [&str; 2] = ["PS384", "PS512"];
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
        6..=8 => None,
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
    let damage = random.chance(5).then(|| damage(members, random));
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
        damage,
        value,
    }
}

/// Loses or breaks one of the members that are its kind and numbers, and says which.
fn damage(members: &mut Map<String, Value>, random: &mut Random) -> String {
    let names: Vec<String> = members.keys().cloned().collect();
    let name = random.choose(&names);
    let value = members[name].as_str().unwrap().to_owned();
    let (how, damaged) = match random.below(4) {
        0 => {
            members.remove(name);
            return format!("no {name}");
        }
        1 => ("a mark behind", format!("{value}!")),
        2 => ("cut", value[1..].to_owned()),
        _ => ("empty", String::new()),
    };
    members.insert(name.clone(), damaged.into());
    format!("{how} {name}")
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
