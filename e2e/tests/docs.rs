//! What docs/simulate.md shows is what the plugin does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at its first failure"
)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[test]
fn the_batch_of_docs_simulate_gives_the_answers_that_stand_there() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/simulate.md")).unwrap();
    let blocks: Vec<&str> = page
        .split("```jsonl\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let [requests, answers] = blocks[..] else {
        panic!("expected two blocks, found {}", blocks.len())
    };
    let plugin = std::env::var("KYMA_ISTIO").expect("KYMA_ISTIO names no plugin: run `make test`");
    for engine in ["wasm", "native"] {
        let mut child = Command::new(&plugin)
            .args([
                "filter",
                "simulate",
                "--policy",
                "examples/shop.yaml",
                "--requests",
                "-",
                "--engine",
                engine,
            ])
            .current_dir(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(requests.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            answers,
            "{engine}"
        );
    }
}

#[test]
fn paths_that_documents_name_exist() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let top = [
        "policy/",
        "signature/",
        "wasm-filter/",
        "wasm-host/",
        "corpus/",
        "kubectl-kyma-istio/",
        "playground/",
        "lab/",
        "e2e/",
        "fuzz/",
        "docs/",
        "examples/",
        "scripts/",
        "testdata/",
        ".ci/",
    ];
    let mut missing = Vec::new();
    let mut pages = vec![
        "README.md".to_owned(),
        "ARCHITECTURE.md".to_owned(),
        "CONTRIBUTING.md".to_owned(),
        "testdata/README.md".to_owned(),
    ];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        pages.extend(name.ends_with(".md").then(|| format!("docs/{name}")));
    }
    for page in pages {
        let text = std::fs::read_to_string(root.join(&page)).unwrap();
        let words = text.split(|c: char| c.is_whitespace() || "`()[],;|'\"".contains(c));
        let paths = words
            .map(|word| word.trim_end_matches(['.', ':']))
            .filter(|word| top.iter().any(|top| word.starts_with(top)));
        missing.extend(
            paths
                .filter(|path| !root.join(path).exists())
                .map(|path| format!("{page}: {path}")),
        );
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
