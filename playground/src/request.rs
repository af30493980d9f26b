//! Reads a request and tells every problem of it, in the words that a policy's problems have. No header's value ever stands in one.

use corpus::{HeaderValue, Scenario};
use policy::ConfigError;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The last second of the year 9999: what comes after it was counted in milliseconds.
const LATEST: f64 = 253_402_300_799.0;

const MEMBERS: [(&str, &str); 9] = [
    ("id", "anything"),
    (
        "position",
        "`Gateway`, `SidecarInbound`, `SidecarOutbound` or null",
    ),
    ("peer", "an IP address"),
    ("peerIdentity", "text"),
    ("tls", "true or false"),
    ("method", "text"),
    ("path", "text"),
    (
        "headers",
        "a list of [name, value], a value being text or {\"hex\": …}",
    ),
    ("now", "seconds since 1970"),
];

/// The request that a JSON text holds.
pub fn read(text: &str) -> Result<Scenario, Vec<ConfigError>> {
    // serde would take a list of the members too.
    let object = text.trim_ascii_start().starts_with('{');
    let problems = match serde_json::from_str::<Scenario>(text) {
        Ok(scenario) if object => match check(&scenario) {
            problems if problems.is_empty() => return Ok(scenario),
            problems => problems,
        },
        _ => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(members)) => misread(&members),
            Ok(other) => vec![problem("", kind(&other), "a JSON object")],
            Err(error) => {
                let found = format!(
                    "text that is no JSON at line {}, column {}",
                    error.line(),
                    error.column()
                );
                vec![problem("", &found, "a JSON object")]
            }
        },
    };
    Err(problems)
}

/// What the types can't say.
fn check(scenario: &Scenario) -> Vec<ConfigError> {
    let mut problems = Vec::new();
    match scenario.now {
        None => problems.push(missing_now()),
        Some(now) if !(0.0..=LATEST).contains(&now) => {
            let mut far = problem(
                ".now",
                &format!("`{now}`"),
                "seconds since 1970, before the year 10000",
            );
            far.hint = Some("in JavaScript, `Date.now() / 1000`".to_owned());
            problems.push(far);
        }
        Some(_) => {}
    }
    for (index, (_, value)) in scenario.headers.iter().enumerate() {
        if let HeaderValue::Bytes { hex } = value {
            let whole = hex.len() % 2 == 0 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
            if !whole {
                let path = format!(".headers[{index}]");
                problems.push(problem(
                    &path,
                    "a `hex` that is no bytes",
                    "an even number of hexadecimal digits",
                ));
            }
        }
    }
    problems
}

/// Which members can't be read: each is tried alone.
fn misread(members: &Map<String, Value>) -> Vec<ConfigError> {
    let mut problems = Vec::new();
    for (name, value) in members {
        let Some((_, expected)) = MEMBERS.iter().find(|(member, _)| member == name) else {
            let known: Vec<String> = MEMBERS
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            let expected = format!("one of {}", known.join(", "));
            problems.push(problem(&format!(".{name}"), "an unknown field", &expected));
            continue;
        };
        match value {
            Value::Array(headers) if name == "headers" => {
                for (index, header) in headers.iter().enumerate() {
                    if !reads("headers", &json!([header])) {
                        let path = format!(".headers[{index}]");
                        problems.push(problem(
                            &path,
                            kind(header),
                            "[name, value], the value being text or {\"hex\": …}",
                        ));
                    }
                }
            }
            _ if reads(name, value) => {}
            // A short text in place of a name or an address is a typing error and no secret.
            Value::String(text) if name != "headers" && text.len() <= 64 => {
                problems.push(problem(&format!(".{name}"), &format!("`{text}`"), expected));
            }
            _ => problems.push(problem(&format!(".{name}"), kind(value), expected)),
        }
    }
    if members.get("now").is_none_or(Value::is_null) {
        problems.push(missing_now());
    }
    if problems.is_empty() {
        // Each member can be read and all together can't.
        problems.push(problem("", "a field that stands twice", "each field once"));
    }
    problems
}

fn reads(name: &str, value: &Value) -> bool {
    let alone = Map::from_iter([(name.to_owned(), value.clone())]);
    Scenario::deserialize(Value::Object(alone)).is_ok()
}

fn missing_now() -> ConfigError {
    let mut missing = problem(".now", "nothing", "seconds since 1970");
    missing.hint = Some("in JavaScript, `Date.now() / 1000`".to_owned());
    missing
}

fn problem(path: &str, found: &str, expected: &str) -> ConfigError {
    ConfigError {
        path: format!("request{path}"),
        found: found.to_owned(),
        expected: expected.to_owned(),
        hint: None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
