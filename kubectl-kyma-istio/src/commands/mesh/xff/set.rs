//! `xff set`: one number in the Istio custom resource.

use std::io::BufRead;

use cluster::apply::Conflicts;
use cluster::observe::observe;
use mesh::diff::consequences;
use mesh::plan::{Action, Plan, Step};
use serde_json::json;

use super::super::operation::{self, Operation};
use super::super::rehearse::{self, rehearse};
use super::super::runtime;
use crate::cli::Set;
use crate::error::{Error, exit};
use crate::printer::Printer;
use crate::report::{HopsSet, MeshBody, Report};

pub fn run(
    arguments: &Set,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let set = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.operate.dry_run).await?;
        let observed = observe(&connection).await?;
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
        let operation = Operation {
            verb: "xff set",
            yes: arguments.operate.yes,
            reads_stdin: false,
            timeout: arguments.operate.timeout,
            conflicts: Conflicts::Refuse,
        };
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
        let rehearsed = rehearse(&connection, plan, operation.conflicts, &observed).await?;
        let mut set = HopsSet {
            resource: id,
            hops: arguments.hops,
            dry_run: arguments.operate.dry_run,
            changes: rehearse::shown(&rehearsed.objects, &observed),
            consequences: consequences(&rehearsed.objects, &observed),
            written: false,
            is_managed: observed.kyma_manager.is_some(),
        };
        if arguments.operate.dry_run || set.changes.is_empty() {
            return Ok(set);
        }
        printer.tell(|text| set.plan(text));
        operation.confirm(&connection, stdin, printer)?;
        operation::run(&connection, &rehearsed.plan, &observed, &operation, printer).await?;
        set.written = true;
        Ok(set)
    })?;
    Ok(Report::new(arguments.output.form, MeshBody::HopsSet(set)))
}
