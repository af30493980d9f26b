//! `filter validate`: every problem of every policy, each with its place.

use std::io::BufRead;
use std::path::Path;

use corpus::yaml::Document;
use policy::{ConfigError, Policy};
use serde_json::Value;
use signature::Software;

use super::input;
use crate::cli::Validate;
use crate::error::Error;
use crate::redact;
use crate::report::{Body, Problem, Report, Validated, Validation};

pub fn run(arguments: &Validate, stdin: &mut dyn BufRead) -> Result<Report, Error> {
    let mut documents = Vec::new();
    for file in &arguments.files {
        // One file that can't be read hides nothing of the others.
        documents.extend(match input::text(file, stdin) {
            Ok(text) => validate(file, &text),
            Err(error) => vec![unreadable(file, &error)],
        });
    }
    let valid = documents
        .iter()
        .all(|document| document.problems.is_empty());
    Ok(Report::new(
        arguments.output.form,
        Body::Validation(Validation { valid, documents }),
    ))
}

fn validate(file: &Path, text: &str) -> Vec<Validated> {
    let file = input::name(file);
    let documents = match input::policies(text) {
        Ok(documents) => documents,
        Err(error) => {
            let place = error
                .place
                .unwrap_or(corpus::yaml::Place { line: 1, column: 1 });
            let found = format!(
                "text that is no YAML ({})",
                redact::anything(&error.message)
            );
            let problem = Problem {
                line: Some(place.line),
                column: Some(place.column),
                path: String::new(),
                found,
                expected: "YAML or JSON".to_owned(),
                hint: None,
            };
            return vec![whole_file(file, problem)];
        }
    };
    if documents.is_empty() {
        let expected = format!("a document with `kind: {}`", policy::KIND);
        let found = "no HeaderPolicy".to_owned();
        let problem = Problem {
            line: Some(1),
            column: Some(1),
            path: String::new(),
            found,
            expected,
            hint: None,
        };
        return vec![whole_file(file, problem)];
    }
    documents
        .iter()
        .map(|(number, document)| judge(&file, *number, document))
        .collect()
}

fn whole_file(file: String, problem: Problem) -> Validated {
    Validated {
        file,
        document: 1,
        name: None,
        fingerprint: None,
        problems: vec![problem],
        warnings: Vec::new(),
    }
}

fn unreadable(file: &Path, error: &Error) -> Validated {
    let why = match error {
        Error::Read { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    let problem = Problem {
        line: None,
        column: None,
        path: String::new(),
        found: format!("nothing that can be read ({why})"),
        expected: "a file".to_owned(),
        hint: None,
    };
    whole_file(input::name(file), problem)
}

fn judge(file: &str, number: usize, document: &Document) -> Validated {
    let name = document
        .value
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .map(redact::anything);
    let shown = |errors: &[ConfigError]| {
        errors
            .iter()
            .map(|error| input::shown(document, error))
            .collect()
    };
    let json = document.value.to_string();
    let (fingerprint, problems, warnings) = match Policy::from_json(json.as_bytes(), &Software) {
        Ok(policy) => {
            let mut review = policy::review(json.as_bytes());
            tell_more(&mut review.findings, misplaced(&document.value));
            let warnings = input::warnings(document, &policy, &review);
            // A policy that is surely not meant is not valid, though it compiles.
            let fingerprint = review
                .findings
                .is_empty()
                .then(|| policy.fingerprint().to_string());
            (fingerprint, shown(&review.findings), warnings)
        }
        Err(errors) => (None, shown(&errors), Vec::new()),
    };
    Validated {
        file: file.to_owned(),
        document: number,
        name,
        fingerprint,
        problems,
        warnings,
    }
}

/// Adds problems as far as there is room for them; the others are counted, as those of the policy are.
fn tell_more(told: &mut Vec<ConfigError>, mut problems: Vec<ConfigError>) {
    const MOST: usize = 50;
    let room = MOST.saturating_sub(told.len());
    let more = problems.split_off(room.min(problems.len())).len();
    told.append(&mut problems);
    if more > 0 {
        told.push(ConfigError {
            path: String::new(),
            found: format!("{more} more problems"),
            expected: "none".to_owned(),
            hint: None,
        });
    }
}

/// What `filter deploy` would refuse about where the policy goes. Only of what is written: a policy that isn't deployed needs neither a name nor a target.
#[cfg(feature = "mesh")]
fn misplaced(document: &Value) -> Vec<ConfigError> {
    let problems = mesh::filter::Target::read(document).err();
    let is_written = |path: &str| match path {
        "metadata.name" => document.pointer("/metadata/name").is_some(),
        path if path.starts_with("spec.target") => document
            .pointer("/spec/target")
            .is_some_and(|target| !target.is_null()),
        _ => true,
    };
    let problems = problems.into_iter().flatten();
    let problems = problems
        .filter(|problem| is_written(&problem.path))
        .map(|problem| ConfigError {
            path: policy::shown(&problem.path),
            found: policy::shown(&problem.found),
            expected: problem.expected,
            hint: problem.hint,
        });
    problems.collect()
}

/// A plugin without the mesh's verbs deploys nothing.
#[cfg(not(feature = "mesh"))]
fn misplaced(_: &Value) -> Vec<ConfigError> {
    Vec::new()
}
