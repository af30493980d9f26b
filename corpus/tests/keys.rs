//! The published test keys, their public halves, the examples' tokens, and signatures that another implementation made or judges.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

#[path = "../examples/test_keys.rs"]
mod test_keys;

use corpus::{PrivateKey, PrivateKeyError};
use test_keys::{files, root};

fn key(name: &str) -> Result<PrivateKey, PrivateKeyError> {
    PrivateKey::read(&root().join(format!("testdata/keys/{name}.pem")))
}

/// RSASSA-PKCS1-v1_5 is deterministic, and OpenSSL made the files that are committed: signatures of ring are the same bytes.
#[test]
fn the_committed_key_set_and_tokens_are_what_the_private_keys_make() {
    for (path, text) in files() {
        let committed = std::fs::read_to_string(root().join(path)).unwrap();
        assert_eq!(
            committed, text,
            "{path}: `cargo run -p corpus --example test_keys` writes it"
        );
    }
}

/// By `openssl pkey -pubout`, OpenSSL 3.0.19.
#[test]
fn the_public_pem_is_what_openssl_prints() {
    let ed = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA4rL74M3m2VTKk79JYK+kl0KhEuIqwrt0/9+qvAKN+fc=\n-----END PUBLIC KEY-----\n";
    let ec = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAGgQFqyxHtCWJkv2kTiHxVddqKwh\nms5+mVsAUfjbBs11oYga+AIYluE94aXCWoEjFRSiOVX5gBvwCB0K2BXDBA==\n-----END PUBLIC KEY-----\n";
    assert_eq!(key("ed-a").unwrap().public_pem(), ed);
    assert_eq!(key("ec-a").unwrap().public_pem(), ec);
}

#[test]
fn a_key_signs_with_its_own_algorithm_where_the_named_one_is_none_of_its() {
    let rsa = key("rsa-a").unwrap();
    let own = rsa.sign("RS256", b"text").unwrap();
    for other in ["none", "ES256", "HS256", "EdDSA", ""] {
        assert_eq!(rsa.sign(other, b"text").unwrap(), own, "{other}");
    }
    assert_ne!(rsa.sign("RS384", b"text").unwrap(), own);
    let widths = [("ec-a", 64), ("ec384-a", 96), ("ed-a", 64)];
    for (name, width) in widths {
        // Numbers that begin with a zero byte come once in 256 signatures: their width is the same.
        for round in 0..300_u32 {
            let signature = key(name).unwrap().sign("RS256", &round.to_be_bytes());
            assert_eq!(signature.unwrap().len(), width, "{name}");
        }
    }
}

#[test]
fn a_key_that_is_too_short_or_missing_is_told_with_its_file() {
    let short = key("rsa-1024").unwrap_err().to_string();
    assert!(
        short.contains("rsa-1024.pem`: found a private key of another kind, expected RSA of 2048"),
        "{short}"
    );
    let missing = key("nobody").unwrap_err().to_string();
    assert!(missing.contains("nobody.pem`: "), "{missing}");
}
