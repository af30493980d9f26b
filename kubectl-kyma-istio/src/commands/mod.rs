//! One file a verb. A command returns a report; it writes nothing but through the printer.

mod backup;
mod check;
mod decide;
mod diff;
mod download_progress;
mod explain;
mod external_diff;
mod filter;
mod given;
mod input;
mod install;
mod lease;
mod operation;
mod patch;
mod prepare;
mod rehearse;
mod render;
mod rendering;
mod runtime;
mod schema;
#[cfg(feature = "simulate")]
mod serve;
mod simulate;
mod status;
mod stop;
mod test;
mod told;
mod uninstall;
mod upgrade;
mod validate;
mod verify;
mod version;
mod xff;

use std::io::BufRead;

use crate::cli::{Command, Filter, Xff};
use crate::error::Error;
use crate::printer::Printer;
use crate::report::Report;

/// Runs a command.
pub fn run(
    command: Command,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    match command {
        Command::Install(arguments) => install::run(&arguments, stdin, printer),
        Command::Upgrade(arguments) => upgrade::run(&arguments, stdin, printer),
        Command::Patch(arguments) => patch::run(&arguments, stdin, printer),
        Command::Uninstall(arguments) => uninstall::run(&arguments, stdin, printer),
        Command::Diff(arguments) => diff::run(&arguments, stdin, printer),
        Command::Render(arguments) => render::run(&arguments, stdin, printer),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Version { output } => Ok(version::run(output.form)),
        Command::Filter(Filter::Validate(arguments)) => validate::run(&arguments, stdin),
        Command::Filter(Filter::Push(arguments)) => filter::push::run(&arguments),
        Command::Filter(Filter::Inspect(arguments)) => filter::inspect::run(&arguments),
        Command::Filter(Filter::Deploy(arguments)) => {
            filter::deploy::run(&arguments, stdin, printer)
        }
        Command::Filter(Filter::Status(arguments)) => {
            filter::status::run(&arguments, filter::status::Detail::Proxies)
        }
        Command::Filter(Filter::List(arguments)) => {
            filter::status::run(&arguments, filter::status::Detail::Policies)
        }
        Command::Filter(Filter::Rollback(arguments)) => {
            filter::rollback::run(&arguments, stdin, printer)
        }
        Command::Filter(Filter::Remove(arguments)) => {
            filter::remove::run(&arguments, stdin, printer)
        }
        Command::Filter(Filter::Logs(arguments)) => filter::logs::run(&arguments, printer),
        Command::Xff(Xff::Show(arguments)) => xff::show::run(&arguments),
        Command::Xff(Xff::Set(arguments)) => xff::set::run(&arguments, stdin, printer),
        Command::Xff(Xff::Probe(arguments)) => xff::probe::run(&arguments),
        Command::Xff(Xff::Explain(arguments)) => xff::explain::run(&arguments, stdin),
        Command::Filter(Filter::Compare(arguments)) => filter::canary::compare(&arguments),
        Command::Filter(Filter::Promote(arguments)) => {
            filter::canary::promote(&arguments, stdin, printer)
        }
        Command::Filter(Filter::Schema) => Ok(schema::run()),
        Command::Filter(Filter::Simulate(arguments)) => simulate::run(&arguments, stdin, printer),
        Command::Filter(Filter::Test(arguments)) => test::run(&arguments, printer),
        #[cfg(feature = "simulate")]
        Command::Filter(Filter::Serve(arguments)) => serve::run(&arguments, stdin, printer),
        #[cfg(not(feature = "simulate"))]
        Command::Filter(Filter::Serve(_)) => Err(Error::input(
            "this plugin was built without wasmtime (feature `simulate`)",
        )),
    }
}
