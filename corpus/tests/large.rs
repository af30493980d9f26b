//! What large configurations and long requests cost, in fuel of the real module: it counts instructions, so the same on every machine. Four times as much may cost four times as much, and no more than a little
//! beyond; a loop inside a loop would cost sixteen times.
#![cfg(feature = "wasm")]

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use corpus::{HeaderValue, Scenario};
use serde_json::{Map, Value, json};
use wasm_host::{Module, Settings, Simulator};

fn module() -> Module {
    let path = std::env::var_os("KYMA_ISTIO_WASM").expect("KYMA_ISTIO_WASM names the filter");
    Module::compile(&std::fs::read(path).expect("the filter")).expect("it compiles")
}

/// A VM that was given this spec, and what that cost.
fn configured(module: &Module, spec: &str, accepted: bool) -> (Simulator, u64) {
    let document = format!(
        r#"{{"apiVersion":"{}","spec":{spec}}}"#,
        policy::API_VERSION
    );
    let mut simulator = Simulator::new(module, Settings::new("header-policy")).expect("a VM");
    let told = simulator.configure(document.as_bytes());
    assert_eq!(told.accepted, accepted, "{:?}", told.effects.logs);
    (simulator, told.effects.fuel)
}

fn gateway(more: &Value) -> String {
    let mut spec = json!({ "position": "Gateway", "forwarded": { "trust": { "hops": 1 } } });
    spec.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    spec.to_string()
}

fn provider(keys: &[Value]) -> Value {
    json!({ "name": "login", "issuer": "https://login.example.com", "audiences": ["shop"], "jwks": { "keys": keys } })
}

/// An odd number of 2,048 bits.
fn modulus(number: usize) -> String {
    let mut bytes: Vec<u8> = (0..256_usize)
        .map(|place| (number * 31 + place * 17).to_le_bytes()[0])
        .collect();
    bytes[..8].copy_from_slice(&(number as u64 | 1 << 63).to_be_bytes());
    bytes[255] |= 1;
    BASE64URL.encode(bytes)
}

fn key(number: usize) -> Value {
    json!({ "kty": "RSA", "kid": format!("k{number}"), "alg": "RS256", "n": modulus(number), "e": "AQAB" })
}

fn blocks(first: u8, count: usize) -> Vec<String> {
    let block = |number: usize| format!("{first}.{}.{}.0/24", number >> 8 & 255, number & 255);
    (0..count).map(block).collect()
}

fn rules(count: usize) -> Vec<Value> {
    let rule = |number| json!({ "paths": [format!("/service-{number}/*")], "hosts": [format!("h{number}.example.com")], "access": "Open" });
    (0..count).map(rule).collect()
}

#[test]
fn a_configuration_costs_what_its_size_is() {
    let module = module();
    type Spec = fn(usize) -> String;
    let kinds: [(&str, bool, Spec); 7] = [
        (
            "blocks that are allowed and blocks that are denied",
            true,
            |count| {
                gateway(
                    &json!({ "forwarded": { "trust": { "hops": 1 }, "allow": blocks(20, count), "deny": blocks(40, count) } }),
                )
            },
        ),
        ("keys", true, |count| {
            let keys: Vec<Value> = (0..count).map(key).collect();
            gateway(&json!({ "jwt": { "providers": [provider(&keys)], "otherwise": "Require" } }))
        }),
        ("rules", true, |count| {
            gateway(
                &json!({ "jwt": { "providers": [provider(&[key(1)])], "rules": rules(count), "otherwise": "Require" } }),
            )
        }),
        ("unknown fields", false, |count| {
            let fields = (0..count).map(|number| (format!("field{number}"), json!(1)));
            gateway(&fields.collect::<Map<_, _>>().into())
        }),
        ("one field many times", false, |count| {
            gateway(&json!({})).replacen('{', &format!("{{{}", r#""a":1,"#.repeat(count)), 1)
        }),
        ("a text of escapes", true, |count| {
            gateway(&json!({ "revision": "\n".repeat(count * 10) }))
        }),
        (
            "lists in lists, in a member of the key set that nobody reads",
            false,
            |count| {
                let deep = format!("{}1{}", "[".repeat(count), "]".repeat(count));
                let jwt = json!({ "providers": [provider(&[key(1)])], "otherwise": "Require" });
                gateway(&json!({ "jwt": jwt })).replacen(
                    r#""keys":"#,
                    &format!(r#""more":{deep},"keys":"#),
                    1,
                )
            },
        ),
    ];
    for (what, accepted, spec) in kinds {
        let fuel = |count| configured(&module, &spec(count), accepted).1;
        let (some, more) = (fuel(1_000), fuel(4_000));
        println!(
            "{what}: {some} of 1,000, {more} of 4,000, {:.2} times",
            more as f64 / some as f64
        );
        assert!(more < some * 5, "{what}: {some} of 1,000, {more} of 4,000");
    }
}

#[test]
fn a_long_path_costs_little_beside_a_short_one() {
    let module = module();
    let jwt =
        json!({ "providers": [provider(&[key(1)])], "rules": rules(1_000), "otherwise": "Open" });
    let (mut simulator, _) = configured(&module, &gateway(&json!({ "jwt": jwt })), true);
    let mut fuel = |path: String| {
        let scenario = || Scenario {
            path: path.clone(),
            headers: vec![(
                "x-forwarded-for".to_owned(),
                HeaderValue::Text("203.0.113.9, 192.0.2.1".to_owned()),
            )],
            ..Scenario::default()
        };
        // The first one of a VM finds nothing prepared.
        (0..3)
            .map(|_| simulator.request(corpus::request(&scenario())).effects.fuel)
            .last()
            .expect("three")
    };
    let short = fuel("/a".to_owned());
    for (what, path, most) in [
        ("30,000 segments", "/a".repeat(30_000), 20.0),
        ("one segment", format!("/{}", "a".repeat(59_999)), 20.0),
        ("escapes", "/%61".repeat(15_000), 150.0),
    ] {
        let each = (fuel(path) - short) as f64 / 60_000.0;
        println!("60,000 bytes of {what}: {each:.1} instructions more for each");
        assert!(each < most, "{what}: {each:.1}");
    }
}
