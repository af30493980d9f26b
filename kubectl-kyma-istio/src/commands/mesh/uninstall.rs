//! `uninstall`: look, list what blocks it, confirm, back up, remove in order.

use std::io::BufRead;
use std::rc::Rc;

use cluster::apply::Conflicts;
use cluster::connect::Connection;
use cluster::observe::{contents, observe};
use mesh::plan::{self, Answers};

use super::operation::Operation;
use super::session::{Draft, Session, Task};
use super::{backup, runtime};
use crate::cli::Uninstall;
use crate::error::Error;
use crate::printer::{Printer, Text};
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
    let task = Uninstalling {
        connection,
        arguments,
    };
    let draft = task.draft(Some(stdin), printer).await?;
    if arguments.dry_run {
        return Ok(draft.seen);
    }
    if draft.seen.blocked.is_some() || draft.plan.is_empty() {
        let mut uninstalled = draft.seen;
        uninstalled.backup = backup::write(arguments.backup.as_deref(), &draft.kept)?;
        return Ok(uninstalled);
    }
    let session = Session {
        connection,
        operation: Operation {
            verb: "uninstall",
            yes: arguments.yes,
            reads_stdin: false,
            timeout: arguments.timeout,
            conflicts: Conflicts::Refuse,
        },
        backup: arguments.backup.as_deref(),
    };
    let written = session.write(&task, draft, stdin, printer).await?;
    written.turn.end().await;
    let mut uninstalled = written.draft.seen;
    uninstalled.backup = written.files;
    uninstalled.written = written.report.written;
    Ok(uninstalled)
}

struct Uninstalling<'a> {
    connection: &'a Connection,
    arguments: &'a Uninstall,
}

impl Task for Uninstalling<'_> {
    type Seen = Uninstalled;

    async fn draft(
        &self,
        _: Option<&mut dyn BufRead>,
        _: &mut Printer<'_>,
    ) -> Result<Draft<Uninstalled>, Error> {
        let (connection, arguments) = (self.connection, self.arguments);
        let observed = observe(connection).await?;
        let contents = contents(connection, &observed).await?;
        let answers = Answers {
            take_ownership: arguments.take_ownership,
            accept_strict: false,
            only_shows: false,
        };
        let found = plan::uninstall(&observed, &contents, &answers, arguments.delete_blockers)
            .map_err(Error::from)?;
        let seen = Uninstalled {
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
        // What came to block it meanwhile stops it in its turn as well.
        let plan = match seen.blocked {
            Some(_) => plan::Plan::default(),
            None => found.plan,
        };
        Ok(Draft {
            plan,
            changes: Vec::new(),
            kept: found.kept,
            observed: Rc::new(observed),
            seen,
        })
    }

    fn show(&self, draft: &Draft<Uninstalled>, text: &mut Text) {
        draft.seen.told(text);
    }
}
