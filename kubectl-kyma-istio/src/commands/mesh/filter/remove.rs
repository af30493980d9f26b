//! `filter remove`: the plugin goes, and no proxy has it any more.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::rc::Rc;
use std::time::{Duration, Instant};

use cluster::apply::Conflicts;
use cluster::connect::Connection;
use cluster::proxy::{self, Pod};
use cluster::turn::Scope;
use mesh::filter::Plugin;
use mesh::plan::{Action, Plan, Step};

use super::super::operation::Operation;
use super::super::runtime;
use super::super::session::{Draft, Session, Task, unless_stopped};
use super::super::told::told;
use super::looking;
use super::rollout::scope;
use crate::cli::Remove;
use crate::error::{Error, exit};
use crate::printer::{Printer, Text};
use crate::report::{MeshBody, Removed, Report};

const PAUSE: Duration = Duration::from_secs(2);

pub fn run(
    arguments: &Remove,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let removed = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.operate.dry_run).await?;
        let task = Removing::find(&connection, arguments).await?;
        let draft = task.draft(Some(stdin), printer).await?;
        if arguments.operate.dry_run {
            return Ok(draft.seen.removed);
        }
        let session = Session {
            connection: &connection,
            operation: Operation {
                verb: "filter remove",
                yes: arguments.operate.yes,
                reads_stdin: false,
                timeout: arguments.operate.timeout,
                conflicts: Conflicts::Refuse,
            },
            backup: None,
        };
        let written = session.write(&task, draft, stdin, printer).await?;
        let doomed = &written.draft.seen.doomed;
        let limit = arguments.operate.timeout;
        let left = unless_stopped(gone(&connection, doomed, limit, printer)).await;
        let done = written.end(left, printer).await?;
        let mut removed = done.draft.seen.removed;
        removed.left = done.proof;
        Ok(removed)
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Removed(removed),
    ))
}

struct Removing<'a> {
    connection: &'a Connection,
    arguments: &'a Remove,
    /// Of the policy, wherever it was found.
    namespace: String,
    name: String,
}

struct Doomed {
    removed: Removed,
    /// The shadows first: a policy without them is one that somebody may go on with.
    doomed: Vec<Plugin>,
}

impl<'a> Removing<'a> {
    async fn find(connection: &'a Connection, arguments: &'a Remove) -> Result<Self, Error> {
        let namespace = arguments.connection.namespace.as_deref();
        let plugin = looking::plugin(connection, &arguments.policy, namespace).await?;
        Ok(Self {
            connection,
            arguments,
            namespace: plugin.namespace,
            name: plugin.name,
        })
    }
}

impl Task for Removing<'_> {
    type Seen = Doomed;

    fn scope(&self) -> Scope {
        scope(&self.namespace)
    }

    async fn draft(
        &self,
        _: Option<&mut dyn BufRead>,
        _: &mut Printer<'_>,
    ) -> Result<Draft<Doomed>, Error> {
        let connection = self.connection;
        let all = looking::plugins(connection, None, Some(&self.namespace)).await?;
        let (own, others): (Vec<Plugin>, Vec<Plugin>) =
            all.into_iter().partition(|one| one.name == self.name);
        let Some(plugin) = own.into_iter().next() else {
            return Err(Error::NotConfirmed {
                what: format!(
                    "somebody else removed `{}/{}` meanwhile: nothing was written",
                    self.namespace, self.name
                )
                .into(),
                hint: "`kubectl kyma-istio filter list` shows what is there",
                code: exit::REFUSED,
            });
        };
        let is_canary = |one: &Plugin| one.canary_of() == Some(plugin.name.as_str());
        let canaries: Vec<Plugin> = others.into_iter().filter(is_canary).collect();
        let proxies = looking::proxies(connection, &plugin).await?;
        let removed = Removed {
            policy: plugin.to_string(),
            canaries: canaries.iter().map(ToString::to_string).collect(),
            dry_run: self.arguments.operate.dry_run,
            proxies: proxies.iter().map(ToString::to_string).collect(),
            left: Vec::new(),
        };
        let doomed: Vec<Plugin> = canaries.into_iter().chain([plugin]).collect();
        let uid = |plugin: &Plugin| plugin.object.uid().unwrap_or_default().to_owned();
        let ids = doomed
            .iter()
            .map(|plugin| (plugin.object.id(), uid(plugin)));
        let step = Step {
            name: "remove",
            title: format!("remove {}", removed.policy),
            action: Action::Delete(ids.collect()),
        };
        Ok(Draft {
            observed: Rc::default(),
            plan: Plan {
                steps: vec![step],
                ..Plan::default()
            },
            changes: Vec::new(),
            kept: Vec::new(),
            seen: Doomed { removed, doomed },
        })
    }

    fn show(&self, draft: &Draft<Doomed>, text: &mut Text) {
        draft.seen.removed.plan(text);
    }
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
