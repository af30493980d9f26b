//! A request from flags and files.

use std::io::BufRead;

use policy::{HeaderValue, Position, Scenario};
use serde_json::Value;

use super::{Defaults, input};
use crate::cli::{self, RequestFlags, Simulate};
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
            position: Some(defaults.position),
            ..Scenario::default()
        },
    };
    apply(&arguments.request, &mut scenario)?;
    scenario.now.get_or_insert(defaults.now);
    Ok(scenario)
}

/// A request from a value; what it leaves open is filled in.
pub fn from_value(mut value: Value, defaults: &Defaults) -> Result<Scenario, String> {
    if let Some(request) = value
        .as_object_mut()
        .filter(|request| !request.contains_key("position"))
    {
        let position =
            serde_json::to_value(defaults.position).map_err(|error| error.to_string())?;
        request.insert("position".to_owned(), position);
    }
    let mut scenario: Scenario =
        serde_json::from_value(value).map_err(|error| error.to_string())?;
    scenario.now.get_or_insert(defaults.now);
    check(&scenario)?;
    Ok(scenario)
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
fn check(scenario: &Scenario) -> Result<(), String> {
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
    }
    match scenario.now {
        Some(now) if !(0.0..=9e15).contains(&now) => {
            Err(format!("`now` is {now}, expected seconds since 1970"))
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
    scenario.position = flags.position.map(position).or(scenario.position);
    if let Some(method) = &flags.method {
        scenario.method.clone_from(method);
    }
    if let Some(path) = &flags.path {
        scenario.path.clone_from(path);
    }
    check(scenario).map_err(Error::input)
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
            format!(
                "`--header {}` has no colon, expected `name: value`",
                redact::anything(header)
            ),
            "quote it: --header 'x-team: blue'",
        )),
    }
}

fn position(position: cli::Position) -> Position {
    match position {
        cli::Position::Gateway => Position::Gateway,
        cli::Position::SidecarInbound => Position::SidecarInbound,
        cli::Position::SidecarOutbound => Position::SidecarOutbound,
    }
}
