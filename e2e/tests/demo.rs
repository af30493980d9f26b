//! `make demo` as a user sees it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at its first failure"
)]

use std::path::PathBuf;
use std::process::{Command, Output};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn plugin() -> String {
    std::env::var("KYMA_ISTIO").expect("KYMA_ISTIO names no plugin: run `make test`, or `cargo build -p kubectl-kyma-istio` and set it to the binary")
}

fn demo(policy: &str) -> Output {
    Command::new(root().join("scripts/demo.sh"))
        .env("KYMA_ISTIO", plugin())
        .env("POLICY", policy)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_demo_shows_every_kind_of_verdict_with_its_reason() {
    let output = demo("examples/shop.yaml");
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for reason in [
        "ChainMalformed",
        "MissingToken",
        "Expired",
        "SignatureInvalid",
        "SeveralTokens",
        "ClaimMismatch",
    ] {
        assert_eq!(text.matches(reason).count(), 1, "{reason} in:\n{text}");
    }
    assert_eq!(text.matches("ALLOWED").count(), 3, "{text}");
    assert!(text.contains("set x-user: ann  (was root)"), "{text}");
    for token in ["ann", "admin", "expired", "forged"] {
        let token =
            std::fs::read_to_string(root().join(format!("examples/tokens/{token}.jwt"))).unwrap();
        let signature = token.trim().rsplit('.').next().unwrap();
        assert!(
            !text.contains(signature),
            "a token stands in the demo's output"
        );
    }
}

#[test]
fn one_trusted_hop_more_changes_the_verdict() {
    let shop = std::fs::read_to_string(root().join("examples/shop.yaml")).unwrap();
    let changed = shop.replace("hops: 1\n", "hops: 2\n");
    assert_ne!(shop, changed);
    let file = std::env::temp_dir().join(format!("kyma-istio-demo-{}.yaml", std::process::id()));
    std::fs::write(&file, changed).unwrap();
    let output = demo(file.to_str().unwrap());
    std::fs::remove_file(&file).unwrap();
    let text = text(&output);
    // The client's one element is now a second proxy's, and nobody stands left of it.
    assert!(!output.status.success(), "{text}");
    assert!(
        text.contains("TooFewHops") && text.contains("!! expected exit code 0, got 1"),
        "{text}"
    );
    // A spoofed element does not pass for that proxy: it has no address of `cidrs`.
    assert!(
        !text.contains("client   10.0.0.1  (left of the trusted proxies)"),
        "{text}"
    );
}

#[test]
fn validate_tells_all_problems_at_once_with_their_lines() {
    let file = std::env::temp_dir().join(format!("kyma-istio-broken-{}.yaml", std::process::id()));
    std::fs::write(&file, "apiVersion: policy.kyma-istio.dev/v1alpha1\nkind: HeaderPolicy\nspec:\n  forwarded:\n    trust: {hops: 40}\n    outbond: Replace\n").unwrap();
    let output = Command::new(plugin())
        .args(["filter", "validate"])
        .arg(&file)
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains(":5:") && text.contains("spec.forwarded.trust.hops"),
        "{text}"
    );
    assert!(
        text.contains(":6:") && text.contains("did you mean `outbound`?"),
        "{text}"
    );
}

#[test]
fn the_exported_schema_is_one() {
    let output = Command::new(plugin())
        .args(["filter", "schema"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        schema
            .pointer("/properties/kind/const")
            .or(schema.pointer("/properties/kind/enum/0")),
        Some(&"HeaderPolicy".into())
    );
}
