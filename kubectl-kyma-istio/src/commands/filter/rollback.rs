//! `filter rollback`: image and policy as they were before the last roll-out.

use std::io::BufRead;

use cluster::guard::Mode;
use cluster::observe::observe;
use serde_json::Value;

use super::super::runtime;
use super::rollout::{self, Rollout, with_spec};
use super::{looking, pull};
use crate::cli::Replace;
use crate::error::{Error, exit};
use crate::printer::Printer;
use crate::report::{Body, Report};

pub fn run(
    arguments: &Replace,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let mode = match arguments.operate.dry_run {
        true => Mode::DryRun,
        false => Mode::Write,
    };
    let deployed = runtime::block_on(async {
        let connection = runtime::connection(&arguments.connection, mode).await?;
        let namespace = arguments.connection.namespace.as_deref();
        let plugin = looking::plugin(&connection, &arguments.policy, namespace).await?;
        let previous = plugin.previous().ok_or(Error::NotConfirmed {
            what: "there is nothing to go back to: this is the first roll-out, or the one before was too large to be kept".into(),
            hint: "`filter remove` takes the policy away, `filter deploy` brings another",
            code: exit::REFUSED,
        })?;
        let observed = observe(&connection).await?;
        // Going back is a roll-out too: a second rollback goes forth again.
        let now = plugin.object.pointer("/spec").map(Value::to_string);
        let object = with_spec(&plugin.object, previous, now.as_deref())?;
        let (object, found) = pull::rehearsed(&connection, object, arguments, printer).await?;
        let rollout = Rollout {
            connection: &connection,
            observed: &observed,
            object,
            before: Some(plugin.object),
            operate: arguments.operate,
            rolls: arguments.rolls,
            reads_stdin: false,
            verb: "filter rollback",
        };
        let deployed = rollout::run(rollout, stdin, printer).await?;
        Ok(deployed.with(found))
    })?;
    Ok(Report::new(
        arguments.output.form,
        Body::Deployed(Box::new(deployed)),
    ))
}
