//! A request from flags and files.

use std::io::BufRead;

use policy::{HeaderValue, Position, Scenario};

use super::{Defaults, input};
use crate::cli::{self, RequestFlags, Simulate};
use crate::error::Error;
use crate::redact;

/// The request that the user describes: a file's, then the flags.
pub fn scenario(arguments: &Simulate, defaults: &Defaults, stdin: &mut dyn BufRead) -> Result<Scenario, Error> {
    let mut scenario = match &arguments.request_file {
        Some(path) => {
            let text = input::text(path, stdin)?;
            let name = input::name(path);
            corpus::yaml::read_as(&text).map_err(|error| input::syntax(&name, &error))?
        }
        None => empty(),
    };
    apply(&arguments.request, &mut scenario)?;
    fill(&mut scenario, defaults);
    Ok(scenario)
}

/// Sets what the request leaves open.
pub fn fill(scenario: &mut Scenario, defaults: &Defaults) {
    scenario.position.get_or_insert(defaults.position);
    scenario.now.get_or_insert(defaults.now);
}

fn empty() -> Scenario {
    Scenario {
        id: None,
        position: None,
        peer: None,
        peer_identity: None,
        tls: false,
        method: "GET".to_owned(),
        path: "/".to_owned(),
        headers: Vec::new(),
        now: None,
    }
}

fn apply(flags: &RequestFlags, scenario: &mut Scenario) -> Result<(), Error> {
    let text = |value: &str| HeaderValue::Text(value.to_owned());
    if let Some(host) = &flags.host {
        scenario.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host") && name != ":authority");
        scenario.headers.insert(0, ("host".to_owned(), text(host)));
    }
    for header in &flags.header {
        let (name, value) = split(header)?;
        scenario.headers.push((name, text(value)));
    }
    scenario.headers.extend(flags.xff.iter().map(|chain| ("x-forwarded-for".to_owned(), text(chain))));
    if let Some(token) = &flags.token {
        let token = match token.strip_prefix('@') {
            Some(path) => input::text(path.as_ref(), &mut std::io::empty())?,
            None => token.clone(),
        };
        scenario.headers.push(("authorization".to_owned(), text(&format!("Bearer {}", token.trim()))));
    }
    scenario.peer = flags.peer.or(scenario.peer);
    scenario.peer_identity = flags.peer_identity.clone().or(scenario.peer_identity.take());
    scenario.tls |= flags.tls;
    scenario.now = flags.now.or(scenario.now);
    scenario.position = flags.position.map(position).or(scenario.position);
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
    let colon = header.get(skip..).and_then(|rest| rest.find(':')).map(|colon| colon + skip);
    let (name, value) = colon.map_or((header, None), |colon| (header.get(..colon).unwrap_or_default(), header.get(colon + 1..)));
    match value {
        Some(value) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim())),
        _ => Err(Error::input_hint(format!("`--header {}` has no colon, expected `name: value`", redact::anything(header)), "quote it: --header 'x-team: blue'")),
    }
}

fn position(position: cli::Position) -> Position {
    match position {
        cli::Position::Gateway => Position::Gateway,
        cli::Position::SidecarInbound => Position::SidecarInbound,
        cli::Position::SidecarOutbound => Position::SidecarOutbound,
    }
}
