//! One file a verb. A command returns a report; it writes nothing but through the printer.

mod completion;
mod input;
#[cfg(feature = "mesh")]
mod mesh;
mod schema;
#[cfg(feature = "simulate")]
mod serve;
mod simulate;
mod stop;
mod test;
mod validate;
mod version;

use std::io::BufRead;

use crate::cli::{Command, Filter};
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
        #[cfg(feature = "mesh")]
        Command::Mesh(command) => mesh::run(command, stdin, printer),
        #[cfg(feature = "mesh")]
        Command::Filter(Filter::Mesh(command)) => mesh::filter::run(command, stdin, printer),
        Command::Completion(arguments) => completion::run(&arguments),
        Command::Version { output } => Ok(version::run(output.form)),
        Command::Filter(Filter::Validate(arguments)) => validate::run(&arguments, stdin),
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
