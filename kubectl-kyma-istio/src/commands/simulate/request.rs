//! A request from flags and files.

use std::io::BufRead;

use corpus::{HeaderValue, Scenario};
use policy::Position;
use serde_json::{Map, Value};

use super::{Defaults, input};
use crate::cli::{RequestFlags, Simulate};
use crate::error::Error;
use crate::redact;

/// The request that the user describes: a file's, then the flags.
pub fn scenario(
    arguments: &Simulate,
    defaults: &Defaults,
    stdin: &mut dyn BufRead,
) -> Result<Scenario, Error> {
    let mut scenario = match &arguments.request_file {
        Some(path) => read(&input::name(path), &input::text(path, stdin)?, defaults)?,
        None => Scenario {
            position: Some(defaults.position()),
            ..Scenario::default()
        },
    };
    apply(&arguments.request, &mut scenario)?;
    scenario.now.get_or_insert(defaults.now);
    check(&scenario, defaults).map_err(Error::input)?;
    Ok(scenario)
}

/// A request from a line of its own: complete, and such as a proxy may get.
pub fn from_line(line: &[u8], defaults: &Defaults) -> Result<Scenario, String> {
    let value = serde_json::from_slice(line).map_err(|error| {
        // The line is named by whoever knows which it is.
        let text = error.to_string();
        let end = format!(" at line {} column {}", error.line(), error.column());
        let what = text.strip_suffix(&end).unwrap_or(&text);
        format!("no JSON: {what} (column {})", error.column())
    })?;
    let mut scenario = from_value(value, defaults)?;
    scenario.now.get_or_insert(defaults.now);
    check(&scenario, defaults)?;
    Ok(scenario)
}

/// A request from a value; the position that it leaves open is filled in.
fn from_value(value: Value, defaults: &Defaults) -> Result<Scenario, String> {
    let Value::Object(mut request) = value else {
        return Err(format!(
            "found {}, expected an object such as `{{\"peer\": \"192.0.2.5\"}}`",
            kind(&value)
        ));
    };
    if !request.contains_key("position") {
        let position =
            serde_json::to_value(defaults.position()).map_err(|error| error.to_string())?;
        request.insert("position".to_owned(), position);
    }
    serde_json::from_value(Value::Object(request.clone()))
        .map_err(|error| problem(request, &error.to_string()))
}

/// The first field that is wrong, and how; serde names only fields that it doesn't know.
fn problem(request: Map<String, Value>, error: &str) -> String {
    let wrong = request.into_iter().find(|(name, value)| {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        serde_json::from_value::<Scenario>(Value::Object(alone)).is_err()
    });
    let Some((name, value)) = wrong else {
        return error.to_owned();
    };
    let (found, expected) = match name.as_str() {
        "position" => (
            shown(&value),
            "Gateway, SidecarInbound, SidecarOutbound or null",
        ),
        "peer" => (shown(&value), "an IP address"),
        "tls" => (shown(&value), "true or false"),
        "now" => (kind(&value).to_owned(), "seconds since 1970"),
        "peerIdentity" | "method" | "path" => (kind(&value).to_owned(), "text"),
        "headers" => return headers_problem(&value),
        // A field that is not there.
        _ => return error.to_owned(),
    };
    format!("`{name}`: found {found}, expected {expected}")
}

/// Headers hold secrets: their values are never repeated.
fn headers_problem(headers: &Value) -> String {
    let expected = "expected `[name, value]`, the value text or `{\"hex\": …}`";
    let Value::Array(headers) = headers else {
        return format!(
            "`headers`: found {}, expected a list of `[name, value]`",
            kind(headers)
        );
    };
    let wrong = headers.iter().enumerate().find(|(_, header)| {
        serde_json::from_value::<(String, HeaderValue)>((*header).clone()).is_err()
    });
    match wrong {
        Some((index, Value::Array(parts))) if parts.len() != 2 => {
            format!(
                "`headers[{index}]`: found {} elements, {expected}",
                parts.len()
            )
        }
        Some((index, Value::Array(parts))) => {
            let kinds: Vec<&str> = parts.iter().map(kind).collect();
            format!(
                "`headers[{index}]`: found {}, {expected}",
                kinds.join(" and ")
            )
        }
        Some((index, header)) => format!("`headers[{index}]`: found {}, {expected}", kind(header)),
        None => format!("`headers`: {expected}"),
    }
}

/// A short value itself, a long one by its kind.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() <= 60 => format!("`{text}`"),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        other => kind(other).to_owned(),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn read(name: &str, text: &str, defaults: &Defaults) -> Result<Scenario, Error> {
    let mut documents = corpus::yaml::read(text).map_err(|error| input::syntax(name, &error))?;
    match (documents.len(), documents.pop()) {
        (1, Some(document)) => from_value(document.value, defaults).map_err(|error| {
            Error::input(format!(
                "`{name}` is no request: {}",
                redact::anything(&error)
            ))
        }),
        (count, _) => Err(Error::input(format!(
            "`{name}` has {count} documents, expected one request"
        ))),
    }
}

/// What a proxy would never hand to a filter, and a typing error here.
fn check(scenario: &Scenario, defaults: &Defaults) -> Result<(), String> {
    if let (Some(fixed), Some(asked)) = (defaults.fixed, scenario.position)
        && fixed != asked
    {
        return Err(format!(
            "the policy is for `position: {fixed:?}`, but `{asked:?}` was asked for"
        ));
    }
    check_line(":method", scenario.method.as_bytes())?;
    check_line(":path", scenario.path.as_bytes())?;
    for (name, value) in &scenario.headers {
        if name.is_empty() || name.chars().any(|c| c.is_control() || c == ' ') {
            return Err(format!("`{}` is no header name", name.escape_default()));
        }
        if let HeaderValue::Bytes { hex } = value {
            let digits = hex.len() % 2 == 0 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
            if !digits {
                return Err(format!(
                    "header `{name}`: `hex` is no even number of hexadecimal digits"
                ));
            }
        }
        check_line(name, &value.bytes())?;
    }
    match scenario.now {
        Some(now) if !(0.0..=9e15).contains(&now) => {
            Err(format!("`now` is {now}, expected seconds since 1970"))
        }
        _ => Ok(()),
    }
}

/// What no HTTP message can carry: it would be another message. Values are never repeated.
fn check_line(name: &str, value: &[u8]) -> Result<(), String> {
    let control = value.iter().find_map(|byte| match byte {
        b'\r' => Some("CR"),
        b'\n' => Some("LF"),
        0 => Some("NUL"),
        _ => None,
    });
    if let Some(control) = control {
        return Err(format!(
            "`{name}` has a {control} in its value, which HTTP can't carry"
        ));
    }
    // RFC 9110, 5.6.2.
    let is_token = |value: &[u8]| {
        !value.is_empty()
            && value
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
    };
    match name {
        ":method" if !is_token(value) => {
            Err("the method is no token of letters and digits, expected such as `GET`".to_owned())
        }
        ":path" if !value.starts_with(b"/") && value != b"*" => {
            Err("the path does not begin with `/`, expected `/…` or `*`".to_owned())
        }
        _ => Ok(()),
    }
}

fn apply(flags: &RequestFlags, scenario: &mut Scenario) -> Result<(), Error> {
    let text = |value: &str| HeaderValue::Text(value.to_owned());
    if let Some(host) = &flags.host {
        scenario
            .headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case("host") && name != ":authority");
        scenario.headers.insert(0, ("host".to_owned(), text(host)));
    }
    for header in &flags.header {
        let (name, value) = split(header)?;
        scenario.headers.push((name, text(value)));
    }
    scenario.headers.extend(
        flags
            .xff
            .iter()
            .map(|chain| ("x-forwarded-for".to_owned(), text(chain))),
    );
    if let Some(token) = &flags.token {
        let token = match token.strip_prefix('@') {
            Some(path) => input::text(path.as_ref(), &mut std::io::empty())?,
            None => token.clone(),
        };
        if token.trim().is_empty() {
            return Err(Error::input("the token of `--token` is empty"));
        }
        scenario.headers.push((
            "authorization".to_owned(),
            text(&format!("Bearer {}", token.trim())),
        ));
    }
    scenario.peer = flags.peer.or(scenario.peer);
    scenario.peer_identity = flags
        .peer_identity
        .clone()
        .or(scenario.peer_identity.take());
    scenario.tls |= flags.tls;
    scenario.now = flags.now.or(scenario.now);
    scenario.position = flags.position.map(Position::from).or(scenario.position);
    if let Some(method) = &flags.method {
        scenario.method.clone_from(method);
    }
    if let Some(path) = &flags.path {
        scenario.path.clone_from(path);
    }
    Ok(())
}

/// `name: value`. A pseudo header's name begins with a colon.
fn split(header: &str) -> Result<(String, &str), Error> {
    let skip = usize::from(header.starts_with(':'));
    let colon = header
        .get(skip..)
        .and_then(|rest| rest.find(':'))
        .map(|colon| colon + skip);
    let (name, value) = colon.map_or((header, None), |colon| {
        (
            header.get(..colon).unwrap_or_default(),
            header.get(colon + 1..),
        )
    });
    match value {
        Some(value) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim())),
        _ => Err(Error::input_hint(
            // It may be a secret whose name was forgotten.
            "a `--header` has no name before a colon, expected `name: value`",
            "quote it: --header 'x-team: blue'",
        )),
    }
}
