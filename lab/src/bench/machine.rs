//! What the figures were taken on.

use serde::{Deserialize, Serialize};

use super::Options;

/// The circumstances of a measurement; figures of another machine are not to be compared with them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Envoy's version.
    pub envoy: String,
    /// The processor's name.
    pub processor: String,
    /// How many of them there are.
    pub processors: usize,
    /// How many rounds were run.
    pub rounds: usize,
    /// How long each scenario ran in a round.
    pub seconds: u64,
    /// Processes that wanted to run in the minute before: far above 0 means that the machine was not quiet.
    pub load_before: f64,
}

impl Machine {
    pub(super) fn here(options: &Options, envoy: String) -> Self {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processor = file("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map(|(_, name)| name.trim().to_owned());
        Self {
            envoy,
            processor: processor.unwrap_or_else(|| std::env::consts::ARCH.into()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            rounds: options.rounds,
            seconds: options.seconds,
            load_before: load(),
        }
    }
}

/// Processes that wanted to run in the last minute.
pub(super) fn load() -> f64 {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = load.split_whitespace().next();
    first.and_then(|load| load.parse().ok()).unwrap_or_default()
}
