//! What 6,000 different tokens leave in a VM: its linear memory never shrinks, so what the cache keeps is bounded in bytes.
#![cfg(feature = "wasm")]

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use corpus::{HeaderValue, Keys, Mint, Scenario, Token};
use serde_json::json;
use wasm_host::{Module, Settings, Simulator};

const MOST: usize = 6 << 20;
const TOKENS: usize = 6_000;

#[test]
fn thousands_of_large_tokens_leave_a_small_vm() {
    let path = std::env::var_os("KYMA_ISTIO_WASM").expect("KYMA_ISTIO_WASM names the filter");
    let module = Module::compile(&std::fs::read(path).expect("the filter")).expect("it compiles");
    let testdata = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let keys = Keys::near(&testdata.join("cases")).expect("the keys");
    let jwks = std::fs::read_to_string(testdata.join("keys/jwks.json")).expect("the key set");
    let policy = json!({ "apiVersion": policy::API_VERSION, "spec": { "position": "Gateway", "jwt": {
        "providers": [{
            "name": "login", "issuer": "https://login.example.com", "audiences": ["shop"], "jwks": jwks,
            "claimsToHeaders": [{ "claim": "sub", "header": "x-user" }], "payloadHeader": "x-payload",
        }],
        "rules": [{ "paths": ["/a/*"], "access": "Require", "claims": [{ "claim": "roles", "contains": "r7" }] }],
        "otherwise": "Require",
    }}});
    let mut simulator = Simulator::new(&module, Settings::new("header-policy")).expect("a VM");
    let configured = simulator.configure(policy.to_string().as_bytes());
    assert!(configured.accepted, "{:?}", configured.effects.logs);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_secs();
    let mut mint = Mint::new(keys, now);
    // An ordinary token of Entra ID with many groups.
    let roles: Vec<String> = (0..130).map(|role| format!("role-{role:013}")).collect();
    let mut largest = 0;
    for number in 0..TOKENS {
        let token: Token = serde_json::from_value(json!({
            "key": "ec-a", "exp": 3600,
            "claims": { "iss": "https://login.example.com", "aud": "shop", "sub": format!("user-{number}"), "roles": roles },
        }))
        .expect("a token");
        let token = mint.mint(&token).expect("a signed token");
        largest = largest.max(token.len());
        let scenario = Scenario {
            headers: vec![(
                "authorization".to_owned(),
                HeaderValue::Text(format!("Bearer {token}")),
            )],
            now: Some(now as f64),
            ..Scenario::default()
        };
        let outcome = simulator.request(corpus::request(&scenario));
        assert!(outcome.reaches_upstream(), "{:?}", outcome.local_reply);
    }
    assert!((3_400..4_096).contains(&largest), "{largest} bytes");
    let memory = simulator.memory_bytes();
    println!("{TOKENS} tokens of {largest} bytes: {memory} bytes of linear memory");
    assert!(memory <= MOST, "{memory} bytes, expected at most {MOST}");
}
