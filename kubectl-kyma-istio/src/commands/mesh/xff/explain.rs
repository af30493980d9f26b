//! `xff explain`: one chain, read by Envoy and by a policy.

use std::io::BufRead;

use corpus::Engine as _;
use corpus::{HeaderValue, Scenario};
use policy::Position;
use serde_json::{Value, json};

use super::super::input;
use crate::cli::ExplainChain;
use crate::error::Error;
use crate::redact;
use crate::report::{ChainReading, ExplainedChain, MeshBody, Report};

pub fn run(arguments: &ExplainChain, stdin: &mut dyn BufRead) -> Result<Report, Error> {
    // The engine computes what Envoy does bit for bit in this mode; docs/differences-to-envoy.md names the exceptions.
    let envoy = json!({
        "apiVersion": policy::API_VERSION,
        "spec": {"position": "Gateway", "forwarded": {"mode": "Envoy", "trust": {"hops": arguments.trusted}}},
    });
    let scenario = scenario(arguments);
    let policy = arguments
        .policy
        .as_deref()
        .map(|path| input::policy(path, stdin))
        .transpose()?;
    let explained = ExplainedChain {
        trusted: arguments.trusted,
        envoy: reading(&envoy, &scenario)?,
        policy: policy
            .map(|(document, _)| reading(&document, &scenario))
            .transpose()?,
    };
    Ok(Report::new(
        arguments.output.form,
        MeshBody::ExplainedChain(explained),
    ))
}

fn scenario(arguments: &ExplainChain) -> Scenario {
    let lines = arguments.xff.iter();
    Scenario {
        position: Some(Position::Gateway),
        peer: Some(arguments.peer),
        headers: lines
            .map(|line| {
                (
                    "x-forwarded-for".to_owned(),
                    HeaderValue::Text(line.clone()),
                )
            })
            .collect(),
        now: Some(0.0),
        ..Scenario::default()
    }
}

fn reading(policy: &Value, scenario: &Scenario) -> Result<ChainReading, Error> {
    let refused = |error: corpus::EngineError| Error::input(redact::anything(&error.to_string()));
    let mut engine = corpus::Native::load(policy.to_string().as_bytes()).map_err(refused)?;
    let observed = engine.judge(scenario).map_err(refused)?;
    Ok(ChainReading::new(policy, &observed))
}
