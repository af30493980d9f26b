//! `filter validate`: every problem of every policy, each with its place.

use std::io::BufRead;
use std::path::Path;

use corpus::yaml::Document;
use policy::Policy;
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
        let text = input::text(file, stdin)?;
        documents.extend(validate(file, &text));
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
    let whole_file = |problem: Problem| Validated {
        file: file.clone(),
        document: 1,
        name: None,
        fingerprint: None,
        problems: vec![problem],
    };
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
                line: place.line,
                column: place.column,
                path: String::new(),
                found,
                expected: "YAML or JSON".to_owned(),
                hint: None,
            };
            return vec![whole_file(problem)];
        }
    };
    if documents.is_empty() {
        let expected = format!("a document with `kind: {}`", policy::KIND);
        let found = "no HeaderPolicy".to_owned();
        return vec![whole_file(Problem {
            line: 1,
            column: 1,
            path: String::new(),
            found,
            expected,
            hint: None,
        })];
    }
    documents
        .iter()
        .map(|(number, document)| judge(&file, *number, document))
        .collect()
}

fn judge(file: &str, number: usize, document: &Document) -> Validated {
    let name = document
        .value
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let (fingerprint, problems) =
        match Policy::from_json(document.value.to_string().as_bytes(), &Software) {
            Ok(policy) => (Some(policy.fingerprint().to_string()), Vec::new()),
            Err(errors) => {
                let problems = errors.into_iter().map(|error| {
                    let place = document.place(&error.path);
                    let found = redact::anything(&error.found);
                    Problem {
                        line: place.line,
                        column: place.column,
                        path: error.path,
                        found,
                        expected: error.expected,
                        hint: error.hint,
                    }
                });
                (None, problems.collect())
            }
        };
    Validated {
        file: file.to_owned(),
        document: number,
        name,
        fingerprint,
        problems,
    }
}
