//! The verbs that bring the filter into the mesh: push, inspect, deploy, and everything after.

pub mod canary;
pub mod deploy;
pub mod inspect;
pub mod logs;
pub(super) mod looking;
mod pull;
pub mod push;
pub mod remove;
mod replacement;
pub mod rollback;
mod rollout;
pub mod save;
pub mod status;

use std::io::BufRead;

use delivery::{Credentials, Environment, Reference};

use crate::cli::FilterCommand;
use crate::error::Error;
use crate::printer::Printer;
use crate::report::Report;

/// Runs a verb of `filter` that needs a registry or a cluster.
pub fn run(
    command: FilterCommand,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    match command {
        FilterCommand::Push(arguments) => push::run(&arguments),
        FilterCommand::Save(arguments) => save::run(&arguments),
        FilterCommand::Inspect(arguments) => inspect::run(&arguments),
        FilterCommand::Deploy(arguments) => deploy::run(&arguments, stdin, printer),
        FilterCommand::Status(arguments) => status::run(&arguments, status::Detail::Proxies),
        FilterCommand::List(arguments) => status::run(&arguments, status::Detail::Policies),
        FilterCommand::Rollback(arguments) => rollback::run(&arguments, stdin, printer),
        FilterCommand::Compare(arguments) => canary::compare(&arguments),
        FilterCommand::Promote(arguments) => canary::promote(&arguments, stdin, printer),
        FilterCommand::Remove(arguments) => remove::run(&arguments, stdin, printer),
        FilterCommand::Logs(arguments) => logs::run(&arguments, printer),
    }
}

/// What the user's files and helpers have for a registry.
fn credentials(reference: &Reference) -> Result<Credentials, Error> {
    let environment = Environment::of_process();
    let found = delivery::find(&environment, reference.registry(), reference.repository())?;
    Ok(found.credentials)
}
