//! `install`: plan, confirm, apply in order, wait, verify.

mod ask;

use std::cell::Cell;
use std::io::BufRead;
use std::rc::Rc;
use std::time::Duration;

use cluster::connect::Connection;
use mesh::observed::Observed;
use mesh::plan::{Answers, Plan, Skip, upgradable};

use super::given::{self, Given};
use super::operation::Operation;
use super::prepare::{self, Memory, Purpose};
use super::rehearse::{self, rehearse};
use super::runtime;
use super::session::{Draft, Session, Task, unless_stopped};
use super::verify::{of_release, settled};
use crate::cli::Install;
use crate::error::Error;
use crate::printer::{Printer, Text};
use crate::report::{Installed, MeshBody, Planned, Report, Verified};

/// The verb for which an Istio must be there, of a version that may become the wanted one.
pub const UPGRADE: &str = "upgrade";

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
                let work = Work::new(&connection, arguments, &given, "install");
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

/// Bringing what is wanted to the cluster: an installation, or an upgrade.
pub struct Work<'a> {
    connection: &'a Connection,
    arguments: &'a Install,
    given: &'a Given,
    /// As the Lease names its holder.
    verb: &'static str,
    memory: Cell<Memory>,
    answers: Cell<Answers>,
}

impl<'a> Work<'a> {
    pub fn new(
        connection: &'a Connection,
        arguments: &'a Install,
        given: &'a Given,
        verb: &'static str,
    ) -> Self {
        let answers = Answers {
            take_ownership: arguments.consent.take_ownership,
            // A rehearsal shows what STRICT takes; it takes nothing.
            accept_strict: arguments.consent.accept_strict || arguments.dry_run,
            only_shows: false,
        };
        Self {
            connection,
            arguments,
            given,
            verb,
            memory: Cell::default(),
            answers: Cell::new(answers),
        }
    }

    pub async fn install(
        &self,
        stdin: &mut dyn BufRead,
        printer: &mut Printer<'_>,
    ) -> Result<Installed, Error> {
        let (connection, arguments) = (self.connection, self.arguments);
        let draft = self.draft(Some(stdin), printer).await?;
        let mut installed = Installed {
            context: connection.context.clone(),
            dry_run: arguments.dry_run,
            plan: Planned::of(&draft.plan),
            changes: None,
            written: Vec::new(),
            verified: None,
            not_verified: None,
        };
        if arguments.dry_run {
            installed.changes = Some(rehearse::shown(&draft.changes, &draft.observed));
            return Ok(installed);
        }
        if draft.plan.is_empty() {
            self.judge(&draft.observed, Duration::ZERO, &mut installed, printer)
                .await?;
            return Ok(installed);
        }
        let session = Session {
            connection,
            operation: operation(arguments, self.verb),
            backup: None,
        };
        let written = session.write(self, draft, stdin, printer).await?;
        installed.plan = Planned::of(&written.draft.plan);
        let patience = SETTLE.min(arguments.timeout);
        let proof = self
            .judge(&written.draft.observed, patience, &mut installed, printer)
            .await;
        let done = written.end(proof, printer).await?;
        installed.written = done.report.written;
        Ok(installed)
    }

    async fn judge(
        &self,
        observed: &Observed,
        patience: Duration,
        installed: &mut Installed,
        printer: &mut Printer<'_>,
    ) -> Result<(), Error> {
        let required = prepare::required(observed, self.given);
        match (why_not(self.arguments, self.given), required) {
            (Some(why), _) => installed.not_verified = Some(why.to_owned()),
            (None, None) => {
                installed.not_verified = Some(
                    "Kyma's operator chooses the version; `verify --version X` judges it"
                        .to_owned(),
                );
            }
            (None, Some(version)) => {
                printer.story("judging the criteria");
                let verified = unless_stopped(settled(self.connection, &version, patience));
                installed.verified = Some(verified.await?);
            }
        }
        Ok(())
    }
}

impl Task for Work<'_> {
    type Seen = ();

    async fn draft(
        &self,
        stdin: Option<&mut dyn BufRead>,
        printer: &mut Printer<'_>,
    ) -> Result<Draft<()>, Error> {
        let (connection, arguments) = (self.connection, self.arguments);
        let mut memory = self.memory.take();
        let prepared = prepare::prepare(
            connection,
            &arguments.inputs,
            self.given,
            Purpose::Install,
            &mut memory,
            printer,
        )
        .await;
        self.memory.set(memory);
        let prepared = prepared?;
        let mut answers = self.answers.get();
        if self.verb == UPGRADE {
            let gates = upgradable(&prepared.observed, &self.given.version.to_string(), answers);
            if !gates.is_empty() {
                return Err(Error::from(gates));
            }
        }
        let operation = operation(arguments, self.verb);
        let plan = ask::plan(&prepared, &mut answers, &operation, stdin, printer)?;
        self.answers.set(answers);
        let observed = prepared.observed;
        let rehearsed = rehearse(connection, plan, operation.conflicts, &observed).await?;
        rehearsed.notes.iter().for_each(|note| printer.story(note));
        Ok(Draft {
            plan: rehearsed.plan,
            changes: rehearsed.objects,
            kept: Vec::new(),
            observed: Rc::new(observed),
            seen: (),
        })
    }

    fn show(&self, draft: &Draft<()>, text: &mut Text) {
        Planned::of(&draft.plan).human(text);
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
