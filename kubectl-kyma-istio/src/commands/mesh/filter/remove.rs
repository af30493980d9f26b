//! `filter remove`: the plugin goes, and no proxy has it any more.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::time::{Duration, Instant};

use cluster::apply::{Conflicts, delete as delete_object};
use cluster::connect::Connection;
use cluster::proxy::{self, Pod};
use mesh::filter::Plugin;

use super::super::operation::Operation;
use super::super::runtime;
use super::super::told::told;
use super::looking;
use crate::cli::Remove;
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{MeshBody, Removed, Report};

const PAUSE: Duration = Duration::from_secs(2);

pub fn run(
    arguments: &Remove,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let removed = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.operate.dry_run).await?;
        let namespace = arguments.connection.namespace.as_deref();
        let plugin = looking::plugin(&connection, &arguments.policy, namespace).await?;
        let all = looking::plugins(&connection, None, Some(&plugin.namespace)).await?;
        let is_canary = |one: &Plugin| one.canary_of() == Some(plugin.name.as_str());
        let canaries: Vec<Plugin> = all.into_iter().filter(is_canary).collect();
        let proxies = looking::proxies(&connection, &plugin).await?;
        let names: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        let mut removed = Removed {
            policy: plugin.to_string(),
            canaries: canaries.iter().map(ToString::to_string).collect(),
            dry_run: arguments.operate.dry_run,
            proxies: names,
            left: Vec::new(),
        };
        if arguments.operate.dry_run {
            return Ok(removed);
        }
        printer.tell(|text| removed.plan(text));
        let operation = Operation {
            verb: "filter remove",
            yes: arguments.operate.yes,
            reads_stdin: false,
            timeout: arguments.operate.timeout,
            conflicts: Conflicts::Refuse,
        };
        operation.confirm(&connection, stdin, printer)?;
        // The shadows first: a policy without them is one that somebody may go on with.
        let doomed: Vec<Plugin> = canaries.into_iter().chain([plugin]).collect();
        for plugin in &doomed {
            delete(&connection, plugin).await?;
        }
        removed.left = gone(&connection, &doomed, arguments.operate.timeout, printer).await?;
        Ok(removed)
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Removed(removed),
    ))
}

/// Deletes the plugin as it stands there now.
pub async fn delete(connection: &Connection, plugin: &Plugin) -> Result<(), Error> {
    let live = cluster::filter::plugin(connection, &plugin.namespace, &plugin.name).await?;
    if let Some(live) = live
        && let Some(uid) = live.uid()
    {
        delete_object(connection, &live.id(), uid).await?;
    }
    Ok(())
}

/// Waits until no proxy has them; those that still do at the end.
async fn gone(
    connection: &Connection,
    plugins: &[Plugin],
    limit: Duration,
    printer: &mut Printer<'_>,
) -> Result<Vec<String>, Error> {
    told(printer, async |said| {
        let started = Instant::now();
        let mut last = String::new();
        loop {
            let mut left = BTreeSet::new();
            for plugin in plugins {
                left.extend(still_in(connection, plugin).await?);
            }
            if left.is_empty() || started.elapsed() >= limit {
                return Ok(left.into_iter().collect());
            }
            let names: Vec<String> = left.into_iter().collect();
            let line = format!(
                "still in {} (a gateway drains its old listeners for 45 seconds)",
                names.join(", ")
            );
            if line != last {
                said.say(&line);
                last = line;
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
    .await
}

/// Proxies that have it. One that can't be asked may be ending; it is asked again.
async fn still_in(connection: &Connection, plugin: &Plugin) -> Result<Vec<String>, Error> {
    let names = plugin.resources();
    let mut left = Vec::new();
    for selected in looking::proxies(connection, plugin).await? {
        let pod = Pod {
            namespace: selected.namespace.clone(),
            name: selected.name.clone(),
        };
        let has_it = match proxy::look(connection, &pod).await {
            Ok(look) => look
                .resources
                .iter()
                .any(|resource| names.contains(&resource.name)),
            Err(_) => true,
        };
        if has_it {
            left.push(selected.to_string());
        }
    }
    Ok(left)
}
