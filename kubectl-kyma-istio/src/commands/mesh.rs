//! The verbs about Istio and about a cluster.

mod backup;
mod check;
mod decide;
mod diff;
mod download_progress;
mod explain;
mod external_diff;
pub mod filter;
mod given;
mod install;
mod operation;
mod patch;
mod prepare;
mod rehearse;
mod render;
mod rendering;
mod runtime;
mod session;
mod status;
mod told;
mod uninstall;
mod upgrade;
mod verify;
mod xff;

use std::io::BufRead;

use super::{input, stop};
use crate::cli::{MeshCommand, Xff};
use crate::error::Error;
use crate::printer::Printer;
use crate::report::Report;

/// Runs such a verb.
pub fn run(
    command: MeshCommand,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    match command {
        MeshCommand::Install(arguments) => install::run(&arguments, stdin, printer),
        MeshCommand::Upgrade(arguments) => upgrade::run(&arguments, stdin, printer),
        MeshCommand::Patch(arguments) => patch::run(&arguments, stdin, printer),
        MeshCommand::Uninstall(arguments) => uninstall::run(&arguments, stdin, printer),
        MeshCommand::Diff(arguments) => diff::run(&arguments, stdin, printer),
        MeshCommand::Render(arguments) => render::run(&arguments, stdin, printer),
        MeshCommand::Verify(arguments) => verify::run(&arguments),
        MeshCommand::Status(arguments) => status::run(&arguments),
        MeshCommand::Check(arguments) => check::run(&arguments),
        MeshCommand::Explain(arguments) => explain::run(&arguments),
        MeshCommand::Xff(verb) => match *verb {
            Xff::Show(arguments) => xff::show::run(&arguments),
            Xff::Set(arguments) => xff::set::run(&arguments, stdin, printer),
            Xff::Probe(arguments) => xff::probe::run(&arguments),
            Xff::Explain(arguments) => xff::explain::run(&arguments, stdin),
        },
    }
}
