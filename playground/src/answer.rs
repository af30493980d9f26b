//! What is told about a request, as JSON.

use corpus::{Arrived, HeaderValue};
use policy::{ConfigError, Decision, Explanation, Outcome, Policy};
use serde::Serialize;
use serde_json::Value;

/// A decision. It goes to whoever wrote the request, so unlike an [`Explanation`] alone it may hold the request's own secrets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    #[serde(flatten)]
    explanation: Explanation,
    /// What the next hop gets, in no particular order among different names.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Vec<(String, HeaderValue)>>,
    /// What the client gets instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    headers: Vec<(String, String)>,
    body: &'static str,
}

/// Why there is no decision.
#[derive(Debug, Serialize)]
pub struct Refused {
    error: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    path: String,
    found: String,
    expected: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// One line of JSON.
pub fn json(judged: &Result<Answer, Refused>) -> String {
    let text = match judged {
        Ok(answer) => serde_json::to_string(answer),
        Err(refused) => serde_json::to_string(refused),
    };
    // Text, numbers and lists always have a JSON form; should that ever fail, it is no allow.
    text.unwrap_or_else(|_| {
        r#"{"error":[{"path":"","found":"an answer without a JSON form","expected":"one that has it"}]}"#.to_owned()
    })
}

impl Answer {
    pub fn of(id: Option<Value>, policy: &Policy, decision: &Decision, arrived: &Arrived) -> Self {
        let explanation = decision.explain(policy);
        let (headers, reply) = match &decision.verdict {
            Outcome::Allow => (Some(sent_on(arrived, decision)), None),
            Outcome::Deny(_, reply) => {
                let (headers, body) = (reply.headers.clone(), reply.body);
                (None, Some(Reply { headers, body }))
            }
        };
        Self {
            id,
            explanation,
            headers,
            reply,
        }
    }
}

/// The headers after the edits.
fn sent_on(arrived: &Arrived, decision: &Decision) -> Vec<(String, HeaderValue)> {
    let mut headers = arrived.headers.clone();
    decision.apply_to(&mut headers);
    // A name was text in the request or in the policy.
    let readable = headers
        .iter()
        .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), readable(value)));
    readable.collect()
}

fn readable(value: &[u8]) -> HeaderValue {
    match std::str::from_utf8(value) {
        Ok(text) => HeaderValue::Text(text.to_owned()),
        Err(_) => HeaderValue::Bytes {
            hex: value.iter().map(|byte| format!("{byte:02x}")).collect(),
        },
    }
}

impl From<Vec<ConfigError>> for Refused {
    fn from(problems: Vec<ConfigError>) -> Self {
        let error = problems.into_iter().map(|problem| Problem {
            path: problem.path,
            found: problem.found,
            expected: problem.expected,
            hint: problem.hint,
        });
        Self {
            error: error.collect(),
        }
    }
}
