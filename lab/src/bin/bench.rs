//! What a filter costs: CPU time of a real Envoy for each request, side by side with what Envoy brings itself; fuel and memory
//! under wasmtime. `docs/performance.md` says how it is measured.
//!
//! ```text
//! cargo run --profile plugin -p lab --bin bench -- [all | costs | commands | publish] [--option value …]
//! ```
//!
//! | job | does |
//! |---|---|
//! | `all` | all measurements; the default. Needs `wrk`, and a quiet machine for figures that mean something |
//! | `costs` | only what wasmtime tells: the same in every run but for the milliseconds |
//! | `commands` | only what the plugin's commands take beside istioctl |
//! | `publish` | brings the last report into `docs/` |
//!
//! | option | meaning |
//! |---|---|
//! | `--filter FILE` | the wasm module to measure (`out/header-policy.wasm`) |
//! | `--plugin FILE`, `--command-rounds N` | the built plugin; 9 rounds |
//! | `--rounds N`, `--seconds N` | 15 interleaved rounds of 2 s for each scenario |
//! | `--envoy VERSION` | one of `scripts/tools.sh --list envoy` |
//! | `--out FOLDER` | for `envoy.json`, `wasm.json`, `machine.json`, `table.md` and the plots (`out/bench`) |

use std::process::ExitCode;

use lab::bench;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people; it has no other way to speak"
)]
fn main() -> ExitCode {
    let said = bench::Options::parse(std::env::args().skip(1))
        .and_then(|options| bench::run(&options, |progress| eprintln!("{progress}")));
    match said {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
