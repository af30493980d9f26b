//! CPU time of a real Envoy, in interleaved rounds.

use super::{
    Machine, Options, Report,
    authorizer::Authorizer,
    load::{self, Load},
    scenarios::{self, Scenario},
};
use crate::{Bootstrap, Envoy, Node, Result};

/// Runs all scenarios in one Envoy with one worker.
pub(super) fn measure(
    options: &Options,
    progress: &mut dyn FnMut(String),
) -> Result<(Machine, Report)> {
    let load = load::prepare(options.seconds)?;
    let authorizer = Authorizer::start(options.envoy.clone())?;
    let machine = Machine::here(options, authorizer.version()?);
    let scenarios = scenarios::all(&options.filter, &authorizer)?;
    let envoy = Envoy::start(&Bootstrap {
        listeners: scenarios.iter().map(|one| one.listener.clone()).collect(),
        upstream: Some(authorizer.address()?),
        version: options.envoy.clone(),
        log_level: "error".into(),
        ..Bootstrap::new(Node::Router)
    })?;
    for scenario in &scenarios {
        load.check(&envoy, scenario)?;
    }
    let mut rounds = vec![Vec::new(); scenarios.len()];
    for round in 1..=options.rounds {
        one_round(round, &load, &envoy, &scenarios, &mut rounds, &mut |line| {
            progress(format!("round {round}/{}: {line}", options.rounds));
        })?;
    }
    let names = scenarios.iter().map(|scenario| scenario.name.to_owned());
    Ok((machine, Report::of(names.zip(rounds).collect())))
}

/// Every second round goes backwards, so that none of two neighbours is always the one that comes later.
fn one_round(
    round: usize,
    load: &Load,
    envoy: &Envoy,
    scenarios: &[Scenario],
    costs: &mut [Vec<f64>],
    progress: &mut dyn FnMut(String),
) -> Result<()> {
    let mut order: Vec<_> = scenarios.iter().zip(costs).collect();
    if round.is_multiple_of(2) {
        order.reverse();
    }
    for (scenario, costs) in order {
        let cost = load.measure(envoy, scenario)?;
        progress(format!("{} {cost:.2} µs", scenario.name));
        costs.push(cost);
    }
    Ok(())
}
