//! Measuring what filters cost: CPU time in a real Envoy, fuel and memory under wasmtime; and
//! what the plugin's commands take. The program is `src/bin/bench.rs`,
//! the words are docs/performance.md. Nothing here judges with an exit code: targets are shown, not asserted.

mod authorizer;
mod commands;
mod costs;
mod curves;
mod load;
mod machine;
mod markdown;
mod neighbours;
mod options;
mod plot;
mod policies;
mod publish;
mod report;
mod rounds;
mod scenarios;
mod statistics;
mod targets;
mod tokens;
mod vm;

use std::{fs, path::Path};

pub use commands::Commands;
pub use costs::{Configuration, Costs, Curve, Point, PolicyCosts, REQUESTS, RequestCosts, Size};
pub use machine::Machine;
pub use options::{Job, Options};
pub use report::{Measured, Report};
pub use statistics::Median;

use crate::{Result, error::Doing};

/// Does the job and returns the tables, as Markdown.
pub fn run(options: &Options, mut progress: impl FnMut(String)) -> Result<String> {
    let out = &options.out;
    fs::create_dir_all(out).doing(|| format!("making {}", out.display()))?;
    let tables = match options.job {
        Job::All => {
            let options = &fixed(options)?;
            let (machine, report) = rounds::measure(options, &mut progress)?;
            write(&out.join(ENVOY), &pretty(&report.to_json()))?;
            write(&out.join(MACHINE), &pretty(&machine))?;
            let costs = costs(options, &mut progress)?;
            let commands = commands(options, &mut progress)?;
            let tables = markdown::tables(Some((&machine, &report)), &costs, Some(&commands));
            write(&out.join(CPU_PLOT), &plot::bars(&report))?;
            tables
        }
        Job::Costs => markdown::tables(None, &costs(&fixed(options)?, &mut progress)?, None),
        Job::Commands => markdown::commands(&commands(options, &mut progress)?),
        Job::Publish => return publish::publish(out),
    };
    write(&out.join(TABLES), &tables)?;
    Ok(tables)
}

/// With a copy of the module: a build that ends meanwhile changes nothing.
fn fixed(options: &Options) -> Result<Options> {
    let filter = options.out.join(MODULE);
    fs::copy(&options.filter, &filter)
        .doing(|| format!("copying {} (made by `make wasm`)", options.filter.display()))?;
    Ok(Options {
        filter,
        ..options.clone()
    })
}

fn costs(options: &Options, progress: &mut dyn FnMut(String)) -> Result<Costs> {
    let costs = costs::measure(&options.filter, progress)?;
    write(&options.out.join(WASM), &pretty(&costs))?;
    write(&options.out.join(CURVES_PLOT), &plot::curves(&costs))?;
    Ok(costs)
}

fn commands(options: &Options, progress: &mut dyn FnMut(String)) -> Result<Commands> {
    let commands = commands::measure(options, progress)?;
    write(&options.out.join(COMMANDS), &pretty(&commands))?;
    Ok(commands)
}

fn pretty(value: &impl serde::Serialize) -> String {
    // These are plain data: strings, numbers, lists and maps with text keys.
    let json = serde_json::to_value(value).unwrap_or_default();
    format!("{json:#}\n")
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).doing(|| format!("writing {}", path.display()))
}

const ENVOY: &str = "envoy.json";
const WASM: &str = "wasm.json";
const COMMANDS: &str = "commands.json";
const MODULE: &str = "measured.wasm";
const MACHINE: &str = "machine.json";
const TABLES: &str = "table.md";
const CPU_PLOT: &str = "performance-cpu.svg";
const CURVES_PLOT: &str = "performance-curves.svg";
