//! `filter test`: cases on the engine and on the filter; they must agree.

use std::time::{SystemTime, UNIX_EPOCH};

use corpus::{Case, Depth, Engine, EngineError, Observed, Ready, Suite};

use crate::cli::{Test, TestEngine};
use crate::error::Error;
use crate::printer::Printer;
use crate::redact;
use crate::report::{Body, Report, Tested, Tests};

pub fn run(arguments: &Test, printer: &mut Printer<'_>) -> Result<Report, Error> {
    let files = corpus::files(&arguments.cases).map_err(|error| Error::input(error.to_string()))?;
    if files.is_empty() {
        return Err(Error::input("no files of cases there: expected `*.yaml`"));
    }
    let mut engines: Vec<(&'static str, Depth, Box<Loader>)> = Vec::new();
    if arguments.engine != TestEngine::Wasm {
        engines.push((
            "native",
            Depth::Native,
            Box::new(|ready| Ok(Box::new(corpus::Native::ready(ready)?))),
        ));
    }
    if arguments.engine != TestEngine::Native {
        engines.push(("wasm", Depth::Wasmtime, wasm(arguments)?));
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());

    let mut tests = Tests::default();
    for file in &files {
        let suite = Suite::read(file)
            .map_err(|error| Error::input(redact::anything(&error.to_string())))?;
        let mut mint = suite.mint(now);
        for (line, case) in &suite.cases {
            let name = case.name.clone();
            let mut tested = Tested {
                file: file.display().to_string(),
                line: *line,
                name,
                engines: Vec::new(),
                differences: Vec::new(),
            };
            match suite.ready(case, &mut mint, now) {
                Ok(ready) => compare(case, &ready, &engines, &mut tested),
                Err(error) => tested
                    .differences
                    .push(redact::anything(&error.to_string())),
            }
            tests.add(tested);
        }
    }
    if tests.cases.is_empty() {
        return Err(Error::input_hint(
            format!("{} files and no case in them", files.len()),
            "a file of cases has a list `cases`; a run that judges nothing is no success",
        ));
    }
    printer.story(&format!(
        "{} files, engine {}",
        files.len(),
        engines
            .iter()
            .map(|e| e.0)
            .collect::<Vec<_>>()
            .join(" and ")
    ));
    Ok(Report::new(arguments.output, Body::Tests(tests)))
}

type Loader = dyn Fn(&Ready) -> Result<Box<dyn Engine>, EngineError>;

#[cfg(feature = "simulate")]
fn wasm(arguments: &Test) -> Result<Box<Loader>, Error> {
    let bytes = crate::module::bytes(arguments.filter.as_deref())?;
    let module = corpus::Module::new(crate::module::compiled(&bytes)?);
    Ok(Box::new(move |ready| Ok(Box::new(module.ready(ready)?))))
}

#[cfg(not(feature = "simulate"))]
fn wasm(arguments: &Test) -> Result<Box<Loader>, Error> {
    Err(crate::module::bytes(arguments.filter.as_deref())
        .err()
        .unwrap_or(Error::NoModule))
}

fn compare(
    case: &Case,
    ready: &Ready,
    engines: &[(&'static str, Depth, Box<Loader>)],
    tested: &mut Tested,
) {
    let mut seen: Vec<(&str, Observed)> = Vec::new();
    // What goes wrong alike with both engines is told once.
    let mut wrong: Vec<(String, Vec<&str>)> = Vec::new();
    let mut add =
        |name: &'static str, line: String| match wrong.iter_mut().find(|(other, _)| *other == line)
        {
            Some((_, names)) => names.push(name),
            None => wrong.push((line, vec![name])),
        };
    for (name, depth, load) in engines {
        if !case.runs_at(*depth) {
            continue;
        }
        tested.engines.push(name);
        match load(ready).and_then(|mut engine| engine.judge(&ready.scenario)) {
            Err(error) => add(name, error.to_string()),
            Ok(observed) => {
                let wrong = corpus::judge(case, &ready.tokens, &observed)
                    .err()
                    .unwrap_or_default();
                wrong.into_iter().for_each(|line| add(name, line));
                seen.push((*name, observed));
            }
        }
    }
    tested.differences.extend(
        wrong
            .into_iter()
            .map(|(line, names)| format!("{}: {line}", names.join(" and "))),
    );
    if let [(first, one), (second, other)] = seen.as_slice() {
        let disagreements = corpus::disagreements(one, other);
        tested.differences.extend(
            disagreements
                .into_iter()
                .map(|line| format!("{first} and {second} disagree: {line}")),
        );
    }
    tested
        .differences
        .iter_mut()
        .for_each(|line| *line = redact::anything(line));
}
