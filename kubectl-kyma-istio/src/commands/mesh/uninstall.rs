//! `uninstall`: look, list what blocks it, confirm, back up, remove in order.

use std::io::BufRead;

use cluster::apply::Conflicts;
use cluster::connect::Connection;
use cluster::observe::{contents, observe};
use mesh::plan::{self, Answers};

use super::operation::{self, Operation};
use super::{backup, runtime};
use crate::cli::Uninstall;
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{MeshBody, Planned, Report, Uninstalled};

pub fn run(
    arguments: &Uninstall,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let uninstalled = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.dry_run).await?;
        uninstall(&connection, arguments, stdin, printer).await
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Uninstalled(Box::new(uninstalled)),
    ))
}

async fn uninstall(
    connection: &Connection,
    arguments: &Uninstall,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Uninstalled, Error> {
    let observed = observe(connection).await?;
    let contents = contents(connection, &observed).await?;
    let answers = Answers {
        take_ownership: arguments.take_ownership,
        accept_strict: false,
        only_shows: false,
    };
    let found = plan::uninstall(&observed, &contents, &answers, arguments.delete_blockers)
        .map_err(Error::from)?;
    let mut uninstalled = Uninstalled {
        context: connection.context.clone(),
        dry_run: arguments.dry_run,
        plan: Planned::of(&found.plan),
        blockers: found.blockers.iter().map(|one| one.id()).collect(),
        blocked: found.blocked().filter(|_| !arguments.delete_blockers),
        backup: Vec::new(),
        written: Vec::new(),
        meshed: found.meshed,
        leftovers: found.leftovers,
    };
    if arguments.dry_run {
        return Ok(uninstalled);
    }
    let is_blocked = uninstalled.blocked.is_some();
    if !is_blocked && !found.plan.is_empty() {
        printer.tell(|text| uninstalled.told(text));
        let operation = Operation {
            verb: "uninstall",
            yes: arguments.yes,
            reads_stdin: false,
            timeout: arguments.timeout,
            conflicts: Conflicts::Refuse,
        };
        operation.confirm(connection, stdin, printer)?;
        uninstalled.backup = backup::write(arguments.backup.as_deref(), &found.kept)?;
        uninstalled.written =
            operation::run(connection, &found.plan, &observed, &operation, printer).await?;
    } else {
        uninstalled.backup = backup::write(arguments.backup.as_deref(), &found.kept)?;
    }
    Ok(uninstalled)
}
