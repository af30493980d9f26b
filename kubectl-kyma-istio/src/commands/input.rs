//! Reading what the user names: files, stdin, policies.

use std::io::BufRead;
use std::path::Path;

use corpus::yaml::{self, Document, YamlError};
use policy::{ConfigError, Policy, Review};
use serde_json::Value;

use crate::error::Error;
use crate::redact;
use crate::report::Problem;

/// The text of a file, or of stdin for `-`.
pub fn text(path: &Path, stdin: &mut dyn BufRead) -> Result<String, Error> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        stdin
            .read_to_string(&mut text)
            .map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// How a file is named in messages.
pub fn name(path: &Path) -> String {
    if path.as_os_str() == "-" {
        "stdin".to_owned()
    } else {
        path.display().to_string()
    }
}

/// The documents of a text that are meant as HeaderPolicies, with their numbers from one.
pub fn policies(text: &str) -> Result<Vec<(usize, Document)>, YamlError> {
    let documents: Vec<(usize, Document)> = (1..)
        .zip(yaml::read(text)?)
        .filter(|(_, document)| !document.value.is_null())
        .collect();
    let alone = documents.len() == 1;
    Ok(documents
        .into_iter()
        .filter(|(_, document)| alone || is_policy(&document.value))
        .collect())
}

/// A policy that compiles.
pub struct OnePolicy {
    pub document: Value,
    pub json: Vec<u8>,
    pub fingerprint: policy::Fingerprint,
    /// What refuses nothing and may not be meant, keys that were left out among it.
    pub warnings: Vec<Problem>,
}

/// The one policy of a file, as JSON.
pub fn policy(path: &Path, stdin: &mut dyn BufRead) -> Result<(Value, Vec<u8>), Error> {
    let read = one_policy(&name(path), &text(path, stdin)?)?;
    Ok((read.document, read.json))
}

/// The one policy of a text, which compiles; `name` stands in messages.
pub fn one_policy(name: &str, text: &str) -> Result<OnePolicy, Error> {
    read_one(name, text, |_| Review::default())
}

/// The one policy of a text, for a cluster: what compiles and is surely not meant is refused too.
pub fn meant_policy(name: &str, text: &str) -> Result<OnePolicy, Error> {
    read_one(name, text, policy::review)
}

fn read_one(name: &str, text: &str, review: impl Fn(&[u8]) -> Review) -> Result<OnePolicy, Error> {
    let mut found = policies(text).map_err(|error| syntax(name, &error))?;
    match (found.len(), found.pop()) {
        (1, Some((_, document))) => {
            let json = document.value.to_string().into_bytes();
            let problems = match Policy::from_json(&json, &signature::Software) {
                Ok(policy) => {
                    let review = review(&json);
                    if review.findings.is_empty() {
                        return Ok(OnePolicy {
                            fingerprint: policy.fingerprint(),
                            warnings: warnings(&document, &policy, &review),
                            document: document.value,
                            json,
                        });
                    }
                    review.findings
                }
                Err(problems) => problems,
            };
            let problems = problems.iter().map(|problem| {
                let place = document.place(&problem.path);
                let problem = redact::anything(&problem.to_string());
                format!("{name}:{}:{}: {problem}", place.line, place.column)
            });
            Err(Error::Policy {
                file: name.to_owned(),
                problems: problems.collect(),
            })
        }
        (0, _) => Err(Error::input(format!("`{name}` has no HeaderPolicy"))),
        (count, _) => Err(Error::input_hint(
            format!("`{name}` has {count} HeaderPolicies, expected one"),
            "put each into a file of its own",
        )),
    }
}

/// What refuses nothing and may not be meant: keys that were left out, and what the review asks about.
pub fn warnings(document: &Document, policy: &Policy, review: &Review) -> Vec<Problem> {
    let keys = policy.warnings().iter().map(|key| {
        let mut key = shown(document, key);
        // The last one may only count those before.
        if !key.path.is_empty() {
            key.expected.push_str("; the key is left out");
        }
        key
    });
    let others = review.warnings.iter();
    keys.chain(others.map(|warning| shown(document, warning)))
        .collect()
}

/// A problem with its place. A token may stand anywhere, as a field's name too.
pub fn shown(document: &Document, error: &ConfigError) -> Problem {
    let place = document.place(&error.path);
    Problem {
        line: Some(place.line),
        column: Some(place.column),
        path: redact::anything(&error.path),
        found: redact::anything(&error.found),
        expected: redact::anything(&error.expected),
        hint: error.hint.as_deref().map(redact::anything),
    }
}

/// Text that is no YAML, as an error.
pub fn syntax(name: &str, error: &YamlError) -> Error {
    let place = error
        .place
        .map(|place| format!(":{}:{}", place.line, place.column))
        .unwrap_or_default();
    Error::input(format!(
        "{name}{place}: {}",
        redact::anything(&error.message)
    ))
}

/// Ours by its kind, or by its API group: a misspelt kind should be told.
fn is_policy(document: &Value) -> bool {
    let field = |name: &str| {
        document
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let group = policy::API_VERSION.split('/').next().unwrap_or_default();
    field("kind") == policy::KIND || field("apiVersion").split('/').next() == Some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_meant_comes_with_the_policy() {
        let text = r#"
apiVersion: policy.kyma-istio.dev/v1alpha1
kind: HeaderPolicy
spec:
  forwarded: {trust: {hops: 1}}
  jwt:
    otherwise: Require
    providers:
      - name: login
        issuer: https://login.example.com
        audiences: [shop]
        jwks: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}, {kty: LWE}]}
"#;
        let read = meant_policy("p.yaml", text).unwrap();
        let told = read.warnings.iter().map(|warning| {
            (
                warning.path.as_str(),
                warning.line,
                warning.expected.ends_with("; the key is left out"),
                warning.hint.is_some(),
            )
        });
        let told: Vec<_> = told.collect();
        assert_eq!(
            told,
            [
                (
                    "spec.jwt.providers[0].jwks.keys[1].kty",
                    Some(12),
                    true,
                    false
                ),
                ("spec.forwarded.trust.hops", Some(5), false, true),
            ]
        );
    }
}
