//! `install`: plan, confirm, apply in order, wait, verify.

mod ask;

use std::io::BufRead;
use std::time::Duration;

use cluster::connect::Connection;
use mesh::plan::{Answers, Plan, Skip};

use super::given::{self, Given};
use super::operation::{self, Operation};
use super::prepare::{self, Prepared, Purpose};
use super::rehearse::{self, rehearse};
use super::runtime;
use super::verify::{of_release, settled};
use crate::cli::Install;
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{Installed, MeshBody, Planned, Report, Verified};

/// What changed lately may settle so long.
const SETTLE: Duration = Duration::from_secs(30);

pub fn run(
    arguments: &Install,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Report, Error> {
    let given = given::read(&arguments.inputs, stdin)?;
    let installed = runtime::block_on(async {
        let connection = runtime::writer(&arguments.connection, arguments.dry_run).await?;
        match given.wishes().install {
            true => {
                let prepared = prepare::prepare(
                    &connection,
                    &arguments.inputs,
                    &given,
                    Purpose::Install,
                    printer,
                )
                .await?;
                let work = Work {
                    connection: &connection,
                    arguments,
                    given: &given,
                    prepared: &prepared,
                    verb: "install",
                };
                work.install(stdin, printer).await
            }
            false => only_judge(&connection, arguments, &given).await,
        }
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Installed(Box::new(installed)),
    ))
}

/// Bringing what was prepared to the cluster: an installation, or an upgrade.
pub struct Work<'a> {
    pub connection: &'a Connection,
    pub arguments: &'a Install,
    pub given: &'a Given,
    pub prepared: &'a Prepared,
    /// As the Lease names its holder.
    pub verb: &'static str,
}

impl Work<'_> {
    pub async fn install(
        &self,
        stdin: &mut dyn BufRead,
        printer: &mut Printer<'_>,
    ) -> Result<Installed, Error> {
        let Self {
            connection,
            arguments,
            given,
            prepared,
            verb,
        } = *self;
        let observed = &prepared.observed;
        let answers = Answers {
            take_ownership: arguments.consent.take_ownership,
            // A rehearsal shows what STRICT takes; it takes nothing.
            accept_strict: arguments.consent.accept_strict || arguments.dry_run,
            only_shows: false,
        };
        let operation = operation(arguments, verb);
        let plan = ask::plan(prepared, answers, &operation, stdin, printer)?;
        let rehearsed = rehearse(connection, plan, operation.conflicts, observed).await?;
        rehearsed.notes.iter().for_each(|note| printer.story(note));
        let planned = Planned::of(&rehearsed.plan);
        let mut installed = Installed {
            context: connection.context.clone(),
            dry_run: arguments.dry_run,
            plan: planned,
            changes: None,
            written: Vec::new(),
            verified: None,
            not_verified: None,
        };
        if arguments.dry_run {
            installed.changes = Some(rehearse::shown(&rehearsed.objects, observed));
            return Ok(installed);
        }
        let is_empty = rehearsed.plan.is_empty();
        if !is_empty {
            printer.tell(|text| installed.plan.human(text));
            operation.confirm(connection, stdin, printer)?;
            installed.written =
                operation::run(connection, &rehearsed.plan, observed, &operation, printer).await?;
        }
        let patience = match is_empty {
            true => Duration::ZERO,
            false => SETTLE.min(arguments.timeout),
        };
        let required = prepare::required(prepared, given);
        match (why_not(arguments, given), required) {
            (Some(why), _) => installed.not_verified = Some(why.to_owned()),
            (None, None) => {
                installed.not_verified = Some(
                    "Kyma's operator chooses the version; `verify --version X` judges it"
                        .to_owned(),
                );
            }
            (None, Some(version)) => {
                printer.story("judging the criteria");
                installed.verified = Some(settled(connection, &version, patience).await?);
            }
        }
        Ok(installed)
    }
}

fn operation(arguments: &Install, verb: &'static str) -> Operation {
    let is_stdin = |file: &std::path::PathBuf| file.as_os_str() == "-";
    Operation {
        verb,
        yes: arguments.yes,
        reads_stdin: arguments.inputs.files.iter().any(is_stdin),
        timeout: arguments.timeout,
        conflicts: rehearse::conflicts(arguments.consent.force_conflicts),
    }
}

fn why_not(arguments: &Install, given: &Given) -> Option<&'static str> {
    match (arguments.skip_verify, given.wishes().patch) {
        (true, _) => Some("--skip-verify"),
        (false, false) => Some("the Installation has no component `istio-kyma-patch`"),
        (false, true) => None,
    }
}

/// The Installation brings no Istio: the one that is there is judged, if the Installation asks for that.
async fn only_judge(
    connection: &Connection,
    arguments: &Install,
    given: &Given,
) -> Result<Installed, Error> {
    let not_verified = why_not(arguments, given).map(str::to_owned);
    let verified: Option<Verified> = match (&not_verified, arguments.dry_run) {
        (None, false) => {
            let version = of_release(given.version)?;
            Some(settled(connection, &version, Duration::ZERO).await?)
        }
        _ => None,
    };
    let skip = Skip {
        what: "Istio is not installed".to_owned(),
        why: "the Installation has no component `istio`".to_owned(),
    };
    let plan = Plan {
        skips: vec![skip],
        ..Plan::default()
    };
    Ok(Installed {
        context: connection.context.clone(),
        dry_run: arguments.dry_run,
        plan: Planned::of(&plan),
        changes: arguments.dry_run.then(Vec::new),
        written: Vec::new(),
        verified,
        not_verified,
    })
}
