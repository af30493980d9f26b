//! The depth `playground`: every case under testdata/cases through the wasm-bindgen build in Node, one process for all of them.
//! KYMA_ISTIO_PLAYGROUND: the folder that scripts/playground.sh wrote, by default out/playground/node.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use corpus::HeaderValue;
use corpus::{ByName, Case, Depth, Engine, Native, Observed, Outcome, Ready, Suite, by_name};
use policy::{HeaderList, Policy};
use serde_json::{Value, json};
use signature::Software;

#[test]
fn cases_agree_in_the_playground() {
    let cases = cases();
    let lines = cases.iter().map(|(.., ready)| {
        let policy = String::from_utf8_lossy(&ready.policy);
        json!({"policy": policy, "request": ready.scenario})
    });
    let answers = playground(lines);

    let mut failures = String::new();
    let mut failed = 0;
    for ((file, case, ready), answer) in cases.iter().zip(&answers) {
        let wrong = match observe(ready, answer) {
            Err(wrong) => vec![wrong],
            Ok(observed) => judge(case, ready, &observed, answer),
        };
        if !wrong.is_empty() {
            failed += 1;
            let lines = wrong.join("\n    ");
            let _ = write!(failures, "\n{}: {}\n    {lines}", file.display(), case.name);
        }
    }
    let ran = cases.len();
    assert!(ran > 0, "no cases");
    assert!(
        failures.is_empty(),
        "{failed} of {ran} cases failed in the playground:{failures}"
    );
    println!("{ran} cases in the playground");
}

#[test]
fn refused_policies_are_refused_in_the_playground() {
    let file = folder("../testdata/cases/refused.yaml");
    let refused = corpus::refused::read(&file).unwrap_or_else(|error| panic!("{error}"));
    let lines = refused
        .iter()
        .map(|refused| json!({"policy": refused.text(), "request": {"now": 0}}));
    let answers = playground(lines);
    for (refused, answer) in refused.iter().zip(&answers) {
        let problems = Policy::from_json(refused.text().as_bytes(), &Software)
            .err()
            .unwrap_or_default();
        let native = problems.into_iter().map(|problem| {
            let mut told =
                json!({"path": problem.path, "found": problem.found, "expected": problem.expected});
            if let (Some(hint), Some(told)) = (problem.hint, told.as_object_mut()) {
                told.insert("hint".to_owned(), Value::from(hint));
            }
            told
        });
        let native = json!({"error": native.collect::<Vec<_>>()});
        assert_eq!(answer, &native, "{}: {}", file.display(), refused.name);
    }
}

/// Against what is written by hand, against the engine natively, and against itself.
fn judge(case: &Case, ready: &Ready, observed: &Observed, answer: &Value) -> Vec<String> {
    let mut wrong = corpus::judge(case, &ready.tokens, observed)
        .err()
        .unwrap_or_default();
    match Native::load(&ready.policy).and_then(|mut native| native.judge(&ready.scenario)) {
        Ok(native) => {
            let disagreements = corpus::disagreements(&native, observed).into_iter();
            wrong.extend(disagreements.map(|line| format!("native and playground: {line}")));
        }
        Err(error) => wrong.push(format!("native: {error}")),
    }
    if observed.outcome == Outcome::Allow {
        wrong.extend(edits_tell_the_headers(observed, answer));
    }
    wrong
}

fn observe(ready: &Ready, answer: &Value) -> Result<Observed, String> {
    let field = |name: &str| answer.get(name).cloned().unwrap_or_default();
    let read = |what: &str, error: serde_json::Error| format!("`{what}`: {error} in {answer}");
    let outcome = match answer.get("outcome").and_then(Value::as_str) {
        Some("allow") => Outcome::Allow,
        Some("deny") => Outcome::Deny,
        _ => return Err(format!("no outcome: {answer}")),
    };
    let before = ready.scenario.arrive().headers;
    let after = match outcome {
        Outcome::Allow => {
            let headers: Vec<(String, HeaderValue)> =
                serde_json::from_value(field("headers")).map_err(|error| read("headers", error))?;
            bytes(headers)
        }
        Outcome::Deny => before.clone(),
    };
    let reply = match outcome {
        Outcome::Allow => Vec::new(),
        Outcome::Deny => serde_json::from_value(
            answer
                .pointer("/reply/headers")
                .cloned()
                .unwrap_or_default(),
        )
        .map_err(|error| read("reply.headers", error))?,
    };
    Ok(Observed {
        outcome,
        status: answer
            .get("status")
            .and_then(Value::as_u64)
            .and_then(|status| u16::try_from(status).ok()),
        reason: field("reason").as_str().map(str::to_owned),
        explanation: Some(answer.clone()),
        before,
        after,
        reply,
    })
}

fn bytes(headers: Vec<(String, HeaderValue)>) -> HeaderList {
    let bytes = headers
        .into_iter()
        .map(|(name, value)| (name.into_bytes(), value.bytes()));
    bytes.collect()
}

/// The edits, put onto the headers that arrived, are the headers that are sent on; where an edit keeps its value to itself, only that there is one.
fn edits_tell_the_headers(observed: &Observed, answer: &Value) -> Vec<String> {
    let mut told: ByName = by_name(&observed.before);
    for edit in answer
        .get("edits")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if let Some(name) = edit.get("remove").and_then(Value::as_str) {
            told.remove(name);
        } else if let Some([Value::String(name), Value::String(value)]) =
            edit.get("set").and_then(Value::as_array).map(Vec::as_slice)
        {
            told.insert(name.clone(), vec![value.clone().into_bytes()]);
        } else {
            return vec![format!("neither remove nor set: {edit}")];
        }
    }
    let mut sent = by_name(&observed.after);
    for (name, values) in &mut sent {
        // What an explanation keeps to itself, and what it can't spell.
        let kept = |told: &[Vec<u8>]| told.iter().any(|value| value == b"<the token's payload>");
        let untold = matches!(name.as_str(), "cookie" | ":path")
            || told.get(name).is_some_and(|told| kept(told))
            || values
                .iter()
                .any(|value| std::str::from_utf8(value).is_err());
        if let (true, Some(told)) = (untold, told.get(name)) {
            values.clone_from(told);
        }
    }
    if told == sent {
        Vec::new()
    } else {
        vec![format!("edits tell {told:?}, headers are {sent:?}")]
    }
}

/// Every case of this depth, complete.
fn cases() -> Vec<(PathBuf, Case, Ready)> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_secs();
    let mut cases = Vec::new();
    for file in
        corpus::files(&[folder("../testdata/cases")]).unwrap_or_else(|error| panic!("{error}"))
    {
        let suite = Suite::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let mut mint = suite.mint(now);
        for (line, case) in &suite.cases {
            if case.runs_at(Depth::Playground) {
                let ready = suite.ready(case, &mut mint, now).unwrap_or_else(|error| {
                    panic!("{}:{line}: {}: {error}", file.display(), case.name)
                });
                cases.push((file.clone(), case.clone(), ready));
            }
        }
    }
    cases
}

/// The answers to `lines`, in order.
fn playground(lines: impl Iterator<Item = Value>) -> Vec<Value> {
    let built = std::env::var_os("KYMA_ISTIO_PLAYGROUND")
        .map_or_else(|| folder("../out/playground/node"), PathBuf::from);
    assert!(
        built.join("playground.js").is_file(),
        "no playground.js in {}\nrun `make playground`",
        built.display()
    );
    let mut node = Command::new(node())
        .arg(folder("run.mjs"))
        .arg(&built)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("node: {error}"));
    let input: String = lines.map(|line| format!("{line}\n")).collect();
    let count = input.lines().count();
    let mut stdin = node.stdin.take().expect("it is piped");
    // Node answers while it reads; a full pipe on either side must not stop the other. That it ended early shows in what it answered.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = node.wait_with_output().expect("node ends");
    writer.join().expect("the writer ends");
    let output_text = String::from_utf8(output.stdout).expect("JSON Lines are UTF-8");
    let answers: Vec<Value> = output_text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(output.status.success(), "node: {}", output.status);
    assert_eq!(answers.len(), count, "one answer for each line");
    answers
}

/// The Node that tools/requirements.txt pins.
fn node() -> PathBuf {
    let found = Command::new(folder("../scripts/tools.sh"))
        .arg("node")
        .output()
        .expect("scripts/tools.sh runs");
    assert!(
        found.status.success(),
        "scripts/tools.sh node: {}",
        String::from_utf8_lossy(&found.stderr)
    );
    String::from_utf8_lossy(&found.stdout).trim().into()
}

fn folder(path: impl AsRef<Path>) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
