//! What a filter costs: CPU time of a real Envoy per request, side by side with Envoy's own jwt_authn.
//!
//! ```text
//! cargo run --release -p lab --bin bench -- --filter filter.wasm --policy policy.json --token token.jwt --jwks jwks.json
//! ```
//!
//! | option | meaning |
//! |---|---|
//! | `--filter FILE` | the wasm module to measure, with `--policy FILE`, its plugin configuration |
//! | `--token FILE`, `--jwks FILE` | an RS256 token and the keys it verifies with |
//! | `--noop FILE` | a do-nothing module; built when not given |
//! | `--provider FILE` | members laid over jwt_authn's provider, so that it does the same work: `claim_to_headers` and the like |
//! | `--xff TEXT` | the `x-forwarded-for` sent (`203.0.113.7`), read with one trusted hop |
//! | `--rounds N`, `--seconds N` | 5 interleaved rounds of 3 s per scenario |
//! | `--envoy VERSION` | one of `scripts/envoy.sh --list` |
//! | `--out FILE` | `out/bench/envoy.json` of the repository |
//!
//! Without `--filter` or without `--token` the scenarios that need them are left out. Needs `wrk`.

use std::process::ExitCode;

use lab::bench;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people; it has no other way to speak"
)]
fn main() -> ExitCode {
    let report = bench::Options::parse(std::env::args().skip(1))
        .and_then(|options| bench::run(&options, |progress| eprintln!("{progress}")));
    match report {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
