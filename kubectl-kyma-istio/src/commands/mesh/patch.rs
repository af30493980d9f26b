//! `patch`: brings an Istio that others installed to what Kyma needs, and back.

mod certificate;
mod job;

use std::io::BufRead;
use std::time::Duration;

use cluster::apply::Conflicts;
use cluster::connect::Connection;
use cluster::observe::{observe, patchable};
use mesh::compose;
use mesh::object::{Object, read_manifests};
use mesh::observed::Observed;
use mesh::patch::{self, Patched, Wishes, missing_webhooks};
use mesh::versions::{Version, versions};

use super::operation::{self, Operation};
use super::rehearse::{self, rehearse};
use super::told::told;
use super::verify::{of_release, settled};
use super::{backup, rendering, runtime};
use crate::cli::Patch;
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{MeshBody, PatchReport, Planned, Report};

/// What changed lately may settle so long.
const SETTLE: Duration = Duration::from_secs(30);

pub fn run(
    arguments: &Patch,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    if let Some(image) = &arguments.image {
        rendering::refuse_credentials(&arguments.istioctl)?;
        return Ok(job::manifests(arguments, image));
    }
    let body = runtime::block_on(async {
        let connection = runtime::writer(
            &arguments.connection,
            arguments.dry_run || arguments.verify_only,
        )
        .await?;
        if arguments.verify_only {
            let version = of_release(required(arguments))?;
            let verified = settled(&connection, &version, Duration::ZERO).await?;
            return Ok(MeshBody::Verified(verified));
        }
        let report = patch(&connection, arguments, stdin, printer).await?;
        Ok(MeshBody::Patch(Box::new(report)))
    })?;
    Ok(Report::new(arguments.output.form, body))
}

fn required(arguments: &Patch) -> Version {
    arguments.istio_version.unwrap_or(versions().istio.default)
}

async fn patch(
    connection: &Connection,
    arguments: &Patch,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<PatchReport, Error> {
    let certificate = certificate::given(arguments)?;
    let observed = observe(connection).await?;
    let found = patchable(connection).await?;
    let patched: Patched = match arguments.undo {
        true => patch::undo(&observed, &found),
        false => {
            let wishes = Wishes {
                memory: arguments.memory_limit.clone(),
                certificate,
                delete_data: arguments.delete_data,
                webhooks: webhooks(&observed, arguments, printer).await?,
            };
            patch::patch(&observed, &found, &wishes)
        }
    }
    .map_err(Error::from)?;
    let operation = Operation {
        verb: "patch",
        yes: arguments.yes,
        reads_stdin: false,
        timeout: arguments.timeout,
        conflicts: Conflicts::Refuse,
    };
    let rehearsed = rehearse(connection, patched.plan, operation.conflicts, &observed).await?;
    rehearsed.notes.iter().for_each(|note| printer.story(note));
    let plan = rehearsed.plan;
    let mut report = PatchReport {
        context: connection.context.clone(),
        dry_run: arguments.dry_run,
        undo: arguments.undo,
        plan: Planned::of(&plan),
        changes: None,
        backup: Vec::new(),
        written: Vec::new(),
        unlimited: patched.unlimited,
        leftovers: patched.leftovers,
        verified: None,
    };
    if arguments.dry_run {
        report.changes = Some(rehearse::shown(&rehearsed.objects, &observed));
        return Ok(report);
    }
    if !plan.is_empty() {
        printer.tell(|text| report.told(text));
        operation.confirm(connection, stdin, printer)?;
        report.backup = backup::write(arguments.backup.as_deref(), &patched.kept)?;
        report.written = operation::run(connection, &plan, &observed, &operation, printer).await?;
    }
    if !arguments.undo && !arguments.skip_verify {
        printer.story("judging the criteria");
        let patience = match plan.is_empty() {
            true => Duration::ZERO,
            false => SETTLE.min(arguments.timeout),
        };
        let version = of_release(required(arguments))?;
        report.verified = Some(settled(connection, &version, patience).await?);
    }
    Ok(report)
}

/// Rendered only where one is missing: nothing else of the rendering is taken.
async fn webhooks(
    observed: &Observed,
    arguments: &Patch,
    printer: &mut Printer<'_>,
) -> Result<Vec<Object>, Error> {
    let missing = missing_webhooks(observed);
    if missing.is_empty() || observed.control_planes().is_empty() {
        return Ok(Vec::new());
    }
    let version = versions().istio.default;
    let found = rendering::find(&arguments.istioctl, version).await;
    let composed = compose::compose(&compose::Inputs::new(compose::Profile::Evaluation))
        .map_err(|problems| Error::input(format!("can't compose: {problems:?}")))?;
    let manifests = told(printer, async |told| {
        let istioctl =
            rendering::found_or_downloaded(found, &arguments.istioctl, version, told).await?;
        rendering::generate(&istioctl, &composed, &arguments.istioctl, told).await
    })
    .await?;
    let rendered = read_manifests(&manifests).map_err(|error| Error::input(error.to_string()))?;
    let is_missing = |object: &Object| missing.contains(&object.kind());
    Ok(rendered.into_iter().filter(is_missing).collect())
}
