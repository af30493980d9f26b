//! `filter simulate`: what the filter does with a request, and why.

mod batch;
mod request;

use std::io::BufRead;
use std::time::{SystemTime, UNIX_EPOCH};

use corpus::Scenario;
use corpus::{EngineError, Observed};
use policy::Position;
use serde_json::Value;

use super::input;
use crate::cli::{self, Simulate};
use crate::error::Error;
use crate::printer::Printer;
use crate::redact;
use crate::report::{Body, Report, Simulation};

pub fn run(
    arguments: &Simulate,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let streams = [
        Some(&arguments.policy),
        arguments.request_file.as_ref(),
        arguments.requests.as_ref(),
    ];
    if streams
        .iter()
        .flatten()
        .filter(|path| path.as_os_str() == "-")
        .count()
        > 1
    {
        return Err(Error::input(
            "stdin can be only one of the policy and the request",
        ));
    }
    let (document, json) = input::policy(&arguments.policy, stdin)?;
    let loaded = Loaded::new(arguments, json)?;
    let defaults = Defaults {
        fixed: position(&document),
        now: now(),
    };

    if let Some(path) = &arguments.requests {
        if arguments.output.form == cli::Form::Yaml {
            return Err(Error::input(
                "`--requests` answers in JSON Lines, not in YAML",
            ));
        }
        return batch::run(path, &loaded, &defaults, stdin, printer);
    }
    let scenario = request::scenario(arguments, &defaults, stdin)?;
    let observed = loaded
        .engine()?
        .judge(&scenario)
        .map_err(|error| refused(&error))?;
    loaded.note(&scenario, &observed, printer);
    let simulation = Simulation::new(arguments.engine, &document, &scenario, &observed);
    Ok(Report::new(
        arguments.output.form,
        Body::Simulation(Box::new(simulation)),
    ))
}

/// What a request has that doesn't say so.
struct Defaults {
    /// The position that the policy says.
    fixed: Option<Position>,
    now: f64,
}

impl Defaults {
    fn position(&self) -> Position {
        self.fixed.unwrap_or(Position::Gateway)
    }
}

fn position(document: &Value) -> Option<Position> {
    match document.pointer("/spec/position").and_then(Value::as_str) {
        Some("Gateway") => Some(Position::Gateway),
        Some("SidecarInbound") => Some(Position::SidecarInbound),
        Some("SidecarOutbound") => Some(Position::SidecarOutbound),
        _ => None,
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |now| now.as_secs_f64())
}

/// A policy and who judges by it.
enum Loaded {
    Native(Vec<u8>),
    #[cfg(feature = "simulate")]
    Wasm(corpus::Module, Vec<u8>),
}

impl Loaded {
    fn new(arguments: &Simulate, policy: Vec<u8>) -> Result<Self, Error> {
        if arguments.engine == cli::Engine::Native {
            return Ok(Self::Native(policy));
        }
        let bytes = crate::module::bytes(arguments.filter.as_deref())?;
        Self::wasm(&bytes, policy)
    }

    #[cfg(feature = "simulate")]
    fn wasm(bytes: &[u8], policy: Vec<u8>) -> Result<Self, Error> {
        let module = crate::module::compiled(bytes)?;
        Ok(Self::Wasm(corpus::Module::new(module), policy))
    }

    #[cfg(not(feature = "simulate"))]
    fn wasm(_: &[u8], _: Vec<u8>) -> Result<Self, Error> {
        Err(Error::NoModule)
    }

    /// Says that a module answers without the line in which our filter explains itself; whether it told.
    fn note(&self, scenario: &Scenario, observed: &Observed, printer: &mut Printer<'_>) -> bool {
        // What a workload sends may pass unjudged, and then nothing is explained.
        let due =
            scenario.position != Some(Position::SidecarOutbound) && observed.explanation.is_none();
        if due {
            printer.story("note: this module explains nothing; is it a header-policy filter?");
        }
        due
    }

    fn engine(&self) -> Result<Box<dyn corpus::Engine>, Error> {
        match self {
            Self::Native(policy) => Ok(Box::new(
                corpus::Native::load(policy).map_err(|error| refused(&error))?,
            )),
            #[cfg(feature = "simulate")]
            Self::Wasm(module, policy) => Ok(Box::new(
                module.load(policy).map_err(|error| refused(&error))?,
            )),
        }
    }
}

fn refused(error: &EngineError) -> Error {
    Error::input(redact::anything(&error.to_string()))
}
