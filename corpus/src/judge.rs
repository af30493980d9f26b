//! Compares what came of a case with what must come of it, whole values.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, ExpectedHeader, Outcome};
use crate::observed::{Observed, by_name, text};

/// Every difference, each a line. `tokens` are put where the expectation names one.
pub fn judge(
    case: &Case,
    tokens: &BTreeMap<String, String>,
    observed: &Observed,
) -> Result<(), Vec<String>> {
    let expect = &case.expect;
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: &Option<String>, found: &Option<String>| {
        if expected != found {
            let show = |value: &Option<String>| {
                value
                    .as_ref()
                    .map_or("nothing".to_owned(), |v| format!("`{v}`"))
            };
            wrong.push(format!(
                "{what}: expected {}, observed {}",
                show(expected),
                show(found)
            ));
        }
    };

    compare(
        "outcome",
        &Some(name(expect.outcome)),
        &Some(name(observed.outcome)),
    );
    compare(
        "status",
        &expect.status.map(|s| s.to_string()),
        &observed.status.map(|s| s.to_string()),
    );
    let allowed = expect.outcome == Outcome::Allow;
    if observed.explanation.is_some() || !allowed {
        compare(
            "reason",
            &expect.reason,
            &observed.reason_or_shadow().map(str::to_owned),
        );
    }
    if observed.explanation.is_some() {
        // A refusal often comes before client or rule are known; where a case names them they are compared.
        for (field, expected) in [("client", &expect.client), ("rule", &expect.rule)] {
            if allowed || expected.is_some() {
                compare(field, expected, &observed.said(field).map(str::to_owned));
            }
        }
        // A host that fails while the decision is carried out refuses what the decision allowed.
        if !allowed && case.host_faults.is_empty() {
            compare(
                "reason in the decision",
                &expect.reason,
                &observed.said("reason").map(str::to_owned),
            );
        }
    }
    for (header, expected) in &expect.reply {
        let found: Vec<&str> = observed
            .reply
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(header))
            .map(|(_, v)| v.as_str())
            .collect();
        compare(
            &format!("reply header {header}"),
            expected,
            &(!found.is_empty()).then(|| found.join(", ")),
        );
    }
    if expect.outcome == Outcome::Allow && observed.outcome == Outcome::Allow {
        wrong.extend(judge_headers(case, tokens, observed));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn judge_headers(
    case: &Case,
    tokens: &BTreeMap<String, String>,
    observed: &Observed,
) -> Vec<String> {
    let mut expected = by_name(&observed.before);
    for (name, header) in &case.expect.headers {
        let values = match header {
            ExpectedHeader::Absent(()) => Vec::new(),
            ExpectedHeader::Once(value) => vec![value.bytes(tokens)],
            ExpectedHeader::Several(values) => {
                values.iter().map(|value| value.bytes(tokens)).collect()
            }
        };
        if values.is_empty() {
            expected.remove(name);
        } else {
            expected.insert(name.clone(), values);
        }
    }
    let found = by_name(&observed.after);
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let different = names
        .into_iter()
        .filter(|name| expected.get(*name) != found.get(*name));
    different
        .map(|name| {
            format!(
                "header {name}: expected {}, observed {}",
                show(expected.get(name)),
                show(found.get(name))
            )
        })
        .collect()
}

fn show(values: Option<&Vec<Vec<u8>>>) -> String {
    let Some(values) = values else {
        return "none".to_owned();
    };
    let values: Vec<String> = values
        .iter()
        .map(|value| format!("`{}`", shorten(&text(value))))
        .collect();
    values.join(" and ")
}

fn shorten(value: &str) -> String {
    match value.char_indices().nth(200) {
        Some((end, _)) => format!(
            "{}… ({} bytes)",
            value.get(..end).unwrap_or_default(),
            value.len()
        ),
        None => value.to_owned(),
    }
}

fn name(outcome: Outcome) -> String {
    match outcome {
        Outcome::Allow => "allow".to_owned(),
        Outcome::Deny => "deny".to_owned(),
    }
}

/// What two depths saw differently, each a line; what one of them can't see is left out.
#[must_use]
pub fn disagreements(one: &Observed, other: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, one: String, other: String| {
        if one != other {
            found.push(format!("{what}: {one} and {other}"));
        }
    };
    compare("outcome", name(one.outcome), name(other.outcome));
    compare(
        "status",
        format!("{:?}", one.status),
        format!("{:?}", other.status),
    );
    compare(
        "reason",
        format!("{:?}", one.reason),
        format!("{:?}", other.reason),
    );
    if let (Some(one), Some(other)) = (&one.explanation, &other.explanation) {
        for field in ["client", "rule", "reason", "shadow"] {
            let said = |explanation: &serde_json::Value| {
                explanation
                    .get(field)
                    .cloned()
                    .unwrap_or_default()
                    .to_string()
            };
            compare(field, said(one), said(other));
        }
    }
    let (before, after) = (by_name(&one.after), by_name(&other.after));
    if one.outcome == Outcome::Allow && other.outcome == Outcome::Allow {
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for header in names {
            compare(
                &format!("header {header}"),
                show(before.get(header)),
                show(after.get(header)),
            );
        }
    }
    let reply = |observed: &Observed| {
        let mut reply = observed.reply.clone();
        reply.sort();
        reply
    };
    compare(
        "reply",
        format!("{:?}", reply(one)),
        format!("{:?}", reply(other)),
    );
    found
}
