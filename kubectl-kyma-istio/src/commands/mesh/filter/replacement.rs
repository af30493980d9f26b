//! Another `spec` for a plugin that is deployed: what `rollback` and `promote` have in common.

use std::io::BufRead;
use std::rc::Rc;

use cluster::connect::Connection;
use cluster::observe::observe;
use mesh::filter::Plugin;
use serde_json::Value;

use super::pull;
use super::rollout::{self, Rollout, with_spec};
use crate::cli::Replace;
use crate::error::Error;
use crate::printer::Printer;
use crate::report::Deployed;

pub struct Replacement<'a> {
    pub connection: &'a Connection,
    pub arguments: &'a Replace,
    pub verb: &'static str,
    /// What goes once the replacement runs.
    pub replaces: Option<&'a Plugin>,
}

impl Replacement<'_> {
    /// Rehearses the pull and rolls out; what stood there before is remembered.
    pub async fn run(
        &self,
        plugin: Plugin,
        spec: Value,
        stdin: &mut dyn BufRead,
        printer: &mut Printer<'_>,
    ) -> Result<Deployed, Error> {
        let Self {
            connection,
            arguments,
            verb,
            replaces,
        } = *self;
        let observed = observe(connection).await?;
        let before = plugin.object.pointer("/spec").map(Value::to_string);
        let object = with_spec(&plugin.object, spec, before.as_deref())?;
        let (object, found) = pull::rehearsed(connection, object, arguments, printer).await?;
        let rollout = Rollout {
            connection,
            observed: Rc::new(observed),
            object,
            before: Some(plugin.object),
            replaces,
            // The pull was rehearsed, and the proxies are those of before.
            check: async |_: &mut Printer<'_>| Ok(()),
            operate: arguments.operate,
            rolls: arguments.rolls,
            reads_stdin: false,
            verb,
        };
        let deployed = rollout::run(rollout, stdin, printer).await?;
        Ok(deployed.with(found))
    }
}
