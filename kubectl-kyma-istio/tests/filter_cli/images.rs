//! `filter push` and `filter inspect` against a real registry.

use std::path::Path;

use kubectl_kyma_istio::exit;
use lab::registry::{Access, PASSWORD, Registry, USER};
use serde_json::Value;

use super::common::plugin;

/// The smallest module that Envoy loads.
fn module(folder: &Path) -> String {
    let text = r#"(module (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) i32.const 0))"#;
    written(folder, "filter.wasm", &wat::parse_str(text).unwrap())
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn what_is_pushed_twice_is_one_image_and_inspect_finds_it() {
    let (registry, folder) = (
        Registry::start(&Access::Everybody, None).unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let module = module(folder.path());
    for (layout, taken_as) in [("compat", "Compat"), ("artifact", "Artifact")] {
        let reference = format!("{}/team/filter:{layout}", registry.host());
        let push = || {
            let answer = plugin(&[
                "filter", "push", &reference, &module, "--layout", layout, "-o", "json",
            ])
            .run();
            assert_eq!(answer.code, exit::DONE, "{}", answer.stderr);
            json(&answer.stdout)
        };
        let (first, second) = (push(), push());
        assert_eq!(first["digest"], second["digest"], "{layout}");
        assert_eq!(second["uploaded"], 0, "{layout}");
        let inspected = plugin(&[
            "filter",
            "inspect",
            first["reference"].as_str().unwrap(),
            "-o",
            "json",
        ])
        .run();
        assert_eq!(inspected.code, exit::DONE, "{}", inspected.stderr);
        let inspected = json(&inspected.stdout);
        assert!(
            inspected["takenAs"].to_string().contains(taken_as),
            "{inspected}"
        );
        assert_eq!(inspected["image"]["digest"], first["digest"]);
    }
}

#[test]
fn what_envoy_would_not_load_is_refused_before_anything_is_written() {
    let (registry, folder) = (
        Registry::start(&Access::Everybody, None).unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let unknown = wat::parse_str(
        r#"(module (import "env" "proxy_fly" (func)) (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) i32.const 0))"#,
    );
    let component = wat::parse_str("(component)");
    for (name, bytes, said) in [
        ("unknown.wasm", unknown.unwrap(), "env.proxy_fly"),
        (
            "component.wasm",
            component.unwrap(),
            "found a wasm component",
        ),
        ("text.wasm", b"hello".to_vec(), "no wasm file"),
    ] {
        let file = written(folder.path(), name, &bytes);
        let reference = format!("{}/team/refused:1", registry.host());
        let answer = plugin(&["filter", "push", &reference, &file]).run();
        assert_eq!(answer.code, exit::INVALID, "{name}: {}", answer.stderr);
        assert!(answer.stderr.contains(said), "{name}: {}", answer.stderr);
        let nothing = plugin(&["filter", "inspect", &reference]).run();
        assert_eq!(nothing.code, exit::INVALID, "{name}: {}", nothing.stdout);
        assert!(
            nothing.stderr.contains("has no manifest 1 in team/refused"),
            "{name}: {}",
            nothing.stderr
        );
    }
}

#[test]
fn a_file_is_judged_without_a_registry() {
    let folder = tempfile::tempdir().unwrap();
    let good = plugin(&["filter", "inspect", &module(folder.path())]).run();
    assert_eq!(good.code, exit::DONE, "{}", good.stdout);
    let empty = written(
        folder.path(),
        "empty.wasm",
        &wat::parse_str("(module)").unwrap(),
    );
    let bad = plugin(&["filter", "inspect", &empty]).run();
    assert_eq!(bad.code, exit::NEGATIVE);
    assert!(
        bad.stdout.contains("no proxy-wasm module")
            && bad.stdout.contains("a proxy wouldn't run it"),
        "{}",
        bad.stdout
    );
    let missing = plugin(&["filter", "inspect", "./nowhere.wasm"]).run();
    assert_eq!(missing.code, exit::INVALID);
    assert!(
        missing.stderr.contains("can't read `./nowhere.wasm`"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_registry_with_a_password_takes_the_right_one_only() {
    let realm = "http://registry.example/";
    let registry = Registry::start(&Access::Password { realm }, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let module = module(folder.path());
    let reference = format!("{}/team/filter:1", registry.host());
    let as_user = |auth: &str| {
        let text = format!(
            r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#,
            registry.host()
        );
        written(folder.path(), "auth.json", text.as_bytes());
        plugin(&["filter", "push", &reference, &module])
            .env("REGISTRY_AUTH_FILE", folder.path().join("auth.json"))
            .run()
    };
    // base64 of `kyma:x` and of `kyma:correct horse`
    assert_eq!((USER, PASSWORD), ("kyma", "correct horse"));
    let wrong = as_user("a3ltYTp4");
    assert_eq!(wrong.code, exit::UNREACHABLE, "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("a3ltYTp4"), "{}", wrong.stderr);
    assert_eq!(as_user("a3ltYTpjb3JyZWN0IGhvcnNl").code, exit::DONE);
    let nobody = plugin(&["filter", "push", &reference, &module]).run();
    assert_eq!(nobody.code, exit::UNREACHABLE);
    assert!(nobody.stderr.contains("hint:"), "{}", nobody.stderr);
}

#[test]
fn a_registry_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let answer = plugin(&[
        "filter",
        "push",
        "127.0.0.1:1/team/filter:1",
        &module(folder.path()),
    ])
    .run();
    assert_eq!(answer.code, exit::UNREACHABLE, "{}", answer.stderr);
    assert!(answer.stderr.contains("127.0.0.1:1"), "{}", answer.stderr);
}
