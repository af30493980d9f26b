//! `filter rollback`: image and policy as they were before the last roll-out.

use std::io::BufRead;

use super::super::runtime;
use super::looking;
use super::replacement::Replacement;
use crate::cli::Replace;
use crate::error::{Error, exit};
use crate::printer::Printer;
use crate::report::{MeshBody, Report};

pub fn run(
    arguments: &Replace,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let deployed = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.operate.dry_run).await?;
        let namespace = arguments.connection.namespace.as_deref();
        let plugin = looking::plugin(&connection, &arguments.policy, namespace).await?;
        let previous = plugin.previous().ok_or(Error::NotConfirmed {
            what: "there is nothing to go back to: this is the first roll-out, or the one before was too large to be kept".into(),
            hint: "`filter remove` takes the policy away, `filter deploy` brings another",
            code: exit::REFUSED,
        })?;
        // Going back is a roll-out too: a second rollback goes forth again.
        let by = Replacement {
            connection: &connection,
            arguments,
            verb: "filter rollback",
            replaces: None,
        };
        by.run(plugin, previous, stdin, printer).await
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Deployed(Box::new(deployed)),
    ))
}
