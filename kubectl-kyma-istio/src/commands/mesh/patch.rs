//! `patch`: brings an Istio that others installed to what Kyma needs, and back.

mod certificate;
mod job;

use std::io::BufRead;
use std::rc::Rc;
use std::time::Duration;

use cluster::apply::Conflicts;
use cluster::connect::Connection;
use cluster::observe::{observe, patchable};
use mesh::compose;
use mesh::object::{Object, read_manifests};
use mesh::observed::Observed;
use mesh::patch::{self, Certificate, Patched, Wishes, missing_webhooks};
use mesh::versions::{Version, versions};

use super::operation::Operation;
use super::rehearse::{self, rehearse};
use super::session::{Draft, Session, Task, unless_stopped};
use super::told::told;
use super::verify::{of_release, settled};
use super::{rendering, runtime};
use crate::cli::Patch;
use crate::error::Error;
use crate::printer::{Printer, Text};
use crate::report::{MeshBody, PatchReport, Planned, Report, Verified};

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
    let task = Patching {
        connection,
        arguments,
        certificate: certificate::given(arguments)?,
    };
    let draft = task.draft(Some(stdin), printer).await?;
    if arguments.dry_run {
        let mut report = draft.seen;
        report.changes = Some(rehearse::shown(&draft.changes, &draft.observed));
        return Ok(report);
    }
    if draft.plan.is_empty() {
        let mut report = draft.seen;
        report.verified = verified(connection, arguments, Duration::ZERO, printer).await?;
        return Ok(report);
    }
    let session = Session {
        connection,
        operation: task.operation(),
        backup: arguments.backup.as_deref(),
    };
    let written = session.write(&task, draft, stdin, printer).await?;
    let patience = SETTLE.min(arguments.timeout);
    let proof = verified(connection, arguments, patience, printer).await;
    let done = written.end(proof, printer).await?;
    let mut report = done.draft.seen;
    report.backup = done.files;
    report.written = done.report.written;
    report.verified = done.proof;
    Ok(report)
}

async fn verified(
    connection: &Connection,
    arguments: &Patch,
    patience: Duration,
    printer: &mut Printer<'_>,
) -> Result<Option<Verified>, Error> {
    if arguments.undo || arguments.skip_verify {
        return Ok(None);
    }
    printer.story("judging the criteria");
    let version = of_release(required(arguments))?;
    Ok(Some(
        unless_stopped(settled(connection, &version, patience)).await?,
    ))
}

struct Patching<'a> {
    connection: &'a Connection,
    arguments: &'a Patch,
    /// Made once: a second look must not make another key.
    certificate: Option<Certificate>,
}

impl Patching<'_> {
    fn operation(&self) -> Operation {
        Operation {
            verb: if self.arguments.undo {
                "patch --undo"
            } else {
                "patch"
            },
            yes: self.arguments.yes,
            reads_stdin: false,
            timeout: self.arguments.timeout,
            conflicts: Conflicts::Refuse,
        }
    }
}

impl Task for Patching<'_> {
    type Seen = PatchReport;

    async fn draft(
        &self,
        _: Option<&mut dyn BufRead>,
        printer: &mut Printer<'_>,
    ) -> Result<Draft<PatchReport>, Error> {
        let (connection, arguments) = (self.connection, self.arguments);
        let observed = observe(connection).await?;
        let found = patchable(connection).await?;
        let patched: Patched = match arguments.undo {
            true => patch::undo(&observed, &found),
            false => {
                let wishes = Wishes {
                    memory: arguments.memory_limit.clone(),
                    certificate: self.certificate.clone(),
                    delete_data: arguments.delete_data,
                    webhooks: webhooks(&observed, arguments, printer).await?,
                };
                patch::patch(&observed, &found, &wishes)
            }
        }
        .map_err(Error::from)?;
        let rehearsed = rehearse(connection, patched.plan, Conflicts::Refuse, &observed).await?;
        rehearsed.notes.iter().for_each(|note| printer.story(note));
        let seen = PatchReport {
            context: connection.context.clone(),
            dry_run: arguments.dry_run,
            undo: arguments.undo,
            plan: Planned::of(&rehearsed.plan),
            changes: None,
            backup: Vec::new(),
            written: Vec::new(),
            unlimited: patched.unlimited,
            leftovers: patched.leftovers,
            verified: None,
        };
        Ok(Draft {
            plan: rehearsed.plan,
            changes: rehearsed.objects,
            kept: patched.kept,
            observed: Rc::new(observed),
            seen,
        })
    }

    fn show(&self, draft: &Draft<PatchReport>, text: &mut Text) {
        draft.seen.told(text);
    }
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
