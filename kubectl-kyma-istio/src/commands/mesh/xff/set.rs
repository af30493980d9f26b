//! `xff set`: one number in the Istio custom resource.

use std::io::BufRead;
use std::rc::Rc;

use cluster::apply::Conflicts;
use cluster::connect::Connection;
use cluster::observe::observe;
use mesh::diff::consequences;
use mesh::plan::{Action, Plan, Step};
use serde_json::json;

use super::super::operation::Operation;
use super::super::rehearse::{self, rehearse};
use super::super::runtime;
use super::super::session::{Draft, Session, Task};
use crate::cli::Set;
use crate::error::{Error, exit};
use crate::printer::{Printer, Text};
use crate::report::{HopsSet, MeshBody, Report};

pub fn run(
    arguments: &Set,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let set = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.operate.dry_run).await?;
        let task = Setting {
            connection: &connection,
            arguments,
        };
        let draft = task.draft(Some(stdin), printer).await?;
        if arguments.operate.dry_run || draft.seen.changes.is_empty() {
            return Ok(draft.seen);
        }
        let session = Session {
            connection: &connection,
            operation: task.operation(),
            backup: None,
        };
        let written = session.write(&task, draft, stdin, printer).await?;
        written.turn.end().await;
        let mut set = written.draft.seen;
        set.written = true;
        Ok(set)
    })?;
    Ok(Report::new(arguments.output.form, MeshBody::HopsSet(set)))
}

struct Setting<'a> {
    connection: &'a Connection,
    arguments: &'a Set,
}

impl Setting<'_> {
    fn operation(&self) -> Operation {
        Operation {
            verb: "xff set",
            yes: self.arguments.operate.yes,
            reads_stdin: false,
            timeout: self.arguments.operate.timeout,
            conflicts: Conflicts::Refuse,
        }
    }
}

impl Task for Setting<'_> {
    type Seen = HopsSet;

    async fn draft(
        &self,
        _: Option<&mut dyn BufRead>,
        _: &mut Printer<'_>,
    ) -> Result<Draft<HopsSet>, Error> {
        let (connection, arguments) = (self.connection, self.arguments);
        let observed = observe(connection).await?;
        let [resource] = observed.istio_crs.as_slice() else {
            return Err(Error::NotConfirmed {
                what: format!(
                    "found {} Istio custom resources on the cluster, expected one",
                    observed.istio_crs.len()
                )
                .into(),
                hint: "write `numTrustedProxies` under `spec.config` of the resource in your file, and run `kubectl kyma-istio install -f FILE`",
                code: exit::REFUSED,
            });
        };
        let id = resource.id();
        let step = Step {
            name: "hops",
            title: format!("set numTrustedProxies of {id} to {}", arguments.hops),
            action: Action::Merge {
                id: id.clone(),
                patch: json!({"spec": {"config": {"numTrustedProxies": arguments.hops}}}),
            },
        };
        let plan = Plan {
            steps: vec![step],
            ..Plan::default()
        };
        let rehearsed = rehearse(connection, plan, Conflicts::Refuse, &observed).await?;
        let seen = HopsSet {
            resource: id,
            hops: arguments.hops,
            dry_run: arguments.operate.dry_run,
            changes: rehearse::shown(&rehearsed.objects, &observed),
            consequences: consequences(&rehearsed.objects, &observed),
            written: false,
            is_managed: observed.kyma_manager.is_some(),
        };
        Ok(Draft {
            plan: rehearsed.plan,
            changes: rehearsed.objects,
            kept: Vec::new(),
            observed: Rc::new(observed),
            seen,
        })
    }

    fn show(&self, draft: &Draft<HopsSet>, text: &mut Text) {
        draft.seen.plan(text);
    }
}
