//! Measuring what filters cost. The program is `src/bin/bench.rs`.

mod load;
mod options;
mod report;
mod scenarios;

pub use options::Options;
pub use report::{Measured, Report};

use crate::{Bootstrap, Envoy, Node, Result};

/// Runs all scenarios in one Envoy, in interleaved rounds, and writes the report.
pub fn run(options: &Options, mut progress: impl FnMut(String)) -> Result<Report> {
    let scenarios = scenarios::all(options)?;
    let envoy = Envoy::start(&Bootstrap {
        listeners: scenarios.clone(),
        version: options.envoy.clone(),
        log_level: "error".into(),
        ..Bootstrap::new(Node::Router)
    })?;
    let load = load::Load::new(options)?;
    for scenario in &scenarios {
        load.check(&envoy, &scenario.name)?;
    }
    let mut rounds = vec![Vec::new(); scenarios.len()];
    for round in 1..=options.rounds {
        for (scenario, costs) in scenarios.iter().zip(&mut rounds) {
            let cost = load.measure(&envoy, &scenario.name)?;
            progress(format!(
                "round {round}/{}: {} {cost:.2} µs",
                options.rounds, scenario.name
            ));
            costs.push(cost);
        }
    }
    let names = scenarios.into_iter().map(|scenario| scenario.name);
    let report = Report::of(names.zip(rounds).collect());
    report.write(&options.out)?;
    Ok(report)
}
