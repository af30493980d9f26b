//! `--requests`: JSON Lines in, JSON Lines out, one at a time. A bad line is answered and the run goes on.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use corpus::Scenario;
use corpus::{EngineError, Observed, Outcome};
use serde::Serialize;
use serde_json::Value;

use super::{Defaults, Loaded, request};
use crate::cli::Form;
use crate::error::Error;
use crate::printer::Printer;
use crate::redact;
use crate::report::{Batch, Body, Judged, Report};

/// The answer to a line that could not be judged.
#[derive(Serialize)]
struct Failed {
    id: Option<Value>,
    error: String,
}

pub fn run(
    path: &Path,
    loaded: &Loaded,
    defaults: &Defaults,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let mut file;
    let lines: &mut dyn BufRead = if path.as_os_str() == "-" {
        stdin
    } else {
        file = BufReader::new(File::open(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?);
        &mut file
    };
    let mut engine = loaded.engine()?;
    let mut batch = Batch::default();
    let mut line = Vec::new();
    let mut noted = false;
    for number in 1_u64.. {
        line.clear();
        let read = lines
            .read_until(b'\n', &mut line)
            .map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })?;
        if read == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let written = match judge(&line, engine.as_mut(), defaults) {
            Ok((judged, scenario, observed)) => {
                noted = noted || loaded.note(&scenario, &observed, printer);
                match judged.outcome {
                    Outcome::Allow => batch.allowed += 1,
                    Outcome::Deny => batch.denied += 1,
                }
                printer.json_line(&judged)
            }
            Err((error, dead)) => {
                batch.errors += 1;
                let id = serde_json::from_slice::<Value>(&line)
                    .ok()
                    .and_then(|mut value| value.get_mut("id").map(Value::take));
                // A trap kills the VM; the next line deserves a new one.
                if dead {
                    engine = loaded.engine()?;
                }
                printer.json_line(&Failed {
                    id,
                    error: format!("line {number}: {}", redact::anything(&error)),
                })
            }
        };
        // Whoever writes the next line after reading this answer must get it now.
        match written.and_then(|()| printer.flush()) {
            // Nobody reads on; what was judged so far stays judged.
            Err(Error::Closed) => break,
            other => other?,
        }
    }
    Ok(Report::new(Form::Json, Body::Batch(batch)))
}

fn judge(
    line: &[u8],
    engine: &mut dyn corpus::Engine,
    defaults: &Defaults,
) -> Result<(Judged, Scenario, Observed), (String, bool)> {
    let mut scenario = request::from_line(line, defaults).map_err(|error| (error, false))?;
    let id = scenario.id.take();
    let observed = engine
        .judge(&scenario)
        .map_err(|error| (error.to_string(), matches!(error, EngineError::Trap(_))))?;
    Ok((Judged::new(id, &observed), scenario, observed))
}
