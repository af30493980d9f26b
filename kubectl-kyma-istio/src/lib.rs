//! `kubectl kyma-istio`: arguments → plan → apply → report.
//!
//! ```
//! let (mut stdin, mut stdout, mut stderr) = (std::io::empty(), Vec::new(), Vec::new());
//! let code = kubectl_kyma_istio::run(["kubectl-kyma_istio", "version"], &mut stdin, &mut stdout, &mut stderr);
//! assert_eq!(code, kubectl_kyma_istio::exit::DONE);
//! ```

#![cfg_attr(
    not(feature = "mesh"),
    allow(dead_code, reason = "some of it is for the verbs about a cluster")
)]

mod cache;
mod cli;
mod commands;
mod completion;
mod error;
mod module;
mod printer;
mod reasons;
mod redact;
mod report;
mod settings;

use std::ffi::OsString;
use std::io::{BufRead, Write};

use clap::Parser as _;

pub use completion::by_environment;
pub use error::exit;
pub use reasons::{Words, words};
pub use settings::Settings;

/// Runs one command without colours; the exit code is one of [`exit`].
pub fn run<A: Into<OsString> + Clone>(
    args: impl IntoIterator<Item = A>,
    stdin: &mut dyn BufRead,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    run_with(&Settings::plain(), args, stdin, stdout, stderr)
}

/// Runs one command with settings that don't come from the arguments.
pub fn run_with<A: Into<OsString> + Clone>(
    settings: &Settings,
    args: impl IntoIterator<Item = A>,
    stdin: &mut dyn BufRead,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    let mut printer = printer::Printer::new(settings, stdout, stderr);
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    if let Some(words) = completion::asked(&args) {
        let folder = std::env::current_dir().ok();
        return printer.raw(&completion::answer(words, folder.as_deref()));
    }
    let cli = match cli::Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return printer.usage(&error, &redact::token_flags(&args)),
    };
    match commands::run(cli.command, stdin, &mut printer) {
        Ok(report) => printer.report(&report),
        Err(error) => printer.error(&error),
    }
}
