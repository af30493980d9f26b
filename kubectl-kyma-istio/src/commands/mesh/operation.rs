//! How a verb that writes is confirmed and run.

use std::io::BufRead;
use std::time::Duration;

use cluster::apply::Conflicts;
use cluster::connect::Connection;

use crate::error::{Error, exit};
use crate::printer::Printer;

/// How a plan is confirmed and run.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// `install`, as the Lease names its holder.
    pub verb: &'static str,
    /// `--yes`.
    pub yes: bool,
    /// A file that came by stdin leaves nothing to answer with.
    pub reads_stdin: bool,
    /// The limit of each wait.
    pub timeout: Duration,
    /// What becomes of fields that others own.
    pub conflicts: Conflicts,
}

impl Operation {
    /// Is there somebody to be asked?
    pub fn can_ask(&self, printer: &Printer<'_>) -> bool {
        printer.is_interactive() && !self.yes && !self.reads_stdin
    }

    /// Asks whether to write. Without a terminal nobody is asked, and nothing is written.
    pub fn confirm(
        &self,
        connection: &Connection,
        stdin: &mut dyn BufRead,
        printer: &mut Printer<'_>,
    ) -> Result<(), Error> {
        if self.yes {
            return Ok(());
        }
        if !self.can_ask(printer) {
            return Err(Error::NotConfirmed {
                what: "nobody can be asked for a yes: no terminal, or stdin is a file to read"
                    .into(),
                hint: "look at the plan with `--dry-run`, then run it with `--yes`",
                code: exit::INVALID,
            });
        }
        let question = format!(
            "Do this to context `{}` ({})?",
            connection.context, connection.server
        );
        match printer.confirm(&question, stdin) {
            true => Ok(()),
            false => Err(Error::NotConfirmed {
                what: "you said no: nothing was written".into(),
                hint: "`--dry-run` shows the plan with every change",
                code: exit::REFUSED,
            }),
        }
    }
}
