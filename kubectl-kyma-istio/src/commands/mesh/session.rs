//! One way for every verb that writes: look and plan, show, ask; then, in its turn, look and plan again, write what was agreed, and hold the turn until it is proved.
//! No verb composes these by itself.

use std::io::BufRead;
use std::rc::Rc;

use cluster::connect::Connection;
use cluster::error::ClusterError;
use cluster::lease::{Holder, Rules};
use cluster::run::{Report, RunError, Settings};
use cluster::turn::{Scope, Stops, Turn};
use mesh::diff::ObjectChange;
use mesh::object::{Id, Object};
use mesh::observed::Observed;
use mesh::plan::{Consent, Novelty, Plan};

use super::super::stop::Stop;
use super::backup;
use super::operation::Operation;
use super::told::told;
use crate::error::{Error, MeshError, exit};
use crate::printer::{Printer, Text};

/// How often somebody is asked again because the cluster changed meanwhile.
const MOST_QUESTIONS: usize = 3;

/// What a verb has of its own.
pub trait Task {
    /// What it remembers of a look, besides the plan.
    type Seen;

    /// What it works on.
    fn scope(&self) -> Scope {
        Scope::Mesh
    }

    /// Looks and plans. Writes nothing; what it asked once it doesn't ask again. Without `stdin` nobody can be asked: in a turn a question would keep others waiting.
    async fn draft(
        &self,
        stdin: Option<&mut dyn BufRead>,
        printer: &mut Printer<'_>,
    ) -> Result<Draft<Self::Seen>, Error>;

    /// The plan for people, before the question.
    fn show(&self, draft: &Draft<Self::Seen>, text: &mut Text);
}

/// A plan, made of one look at the cluster.
pub struct Draft<S> {
    pub observed: Rc<Observed>,
    /// What is left to do.
    pub plan: Plan,
    /// What the API server says would change.
    pub changes: Vec<ObjectChange>,
    /// What is copied into the backup's folder before anything is written.
    pub kept: Vec<Object>,
    pub seen: S,
}

impl<S> Draft<S> {
    fn consent(&self) -> Consent {
        Consent::of(&self.plan, &self.changes, &self.observed)
    }
}

/// What was written, and the turn that is still held.
pub struct Written<S> {
    pub draft: Draft<S>,
    pub report: Report,
    /// The backup's files.
    pub files: Vec<String>,
    pub turn: Turn,
}

/// A session on a cluster.
pub struct Session<'s> {
    pub connection: &'s Connection,
    pub operation: Operation,
    /// Where objects are copied that the plan removes.
    pub backup: Option<&'s std::path::Path>,
}

impl Session<'_> {
    /// Shows the draft, asks, and writes it in its turn. The plan that is written was made in the turn; whatever it does beyond what was agreed is asked for again, or told
    /// where `--yes` agreed to everything.
    pub async fn write<T: Task>(
        &self,
        task: &T,
        mut agreed: Draft<T::Seen>,
        stdin: &mut dyn BufRead,
        printer: &mut Printer<'_>,
    ) -> Result<Written<T::Seen>, Error> {
        for _ in 0..MOST_QUESTIONS {
            printer.tell(|text| task.show(&agreed, text));
            // Not in the turn: a person at lunch locks nobody out.
            self.operation.confirm(self.connection, stdin, printer)?;
            let (turn, again) = self.draft_in_turn(task, printer).await?;
            let new = agreed.consent().beyond(&again.consent());
            tell_new(&new, printer);
            if new.is_empty() || self.operation.yes {
                return self.run(again, turn, printer).await;
            }
            turn.end().await;
            agreed = again;
        }
        Err(Error::NotConfirmed {
            what: format!(
                "the cluster changed after each of {MOST_QUESTIONS} questions: nothing was written"
            )
            .into(),
            hint: "wait until nobody else changes it, or use `--yes`",
            code: exit::REFUSED,
        })
    }

    /// Takes the turn, and looks and plans in it.
    pub async fn draft_in_turn<T: Task>(
        &self,
        task: &T,
        printer: &mut Printer<'_>,
    ) -> Result<(Turn, Draft<T::Seen>), Error> {
        let turn = self.turn(&task.scope(), printer).await?;
        match unless_stopped(task.draft(None, printer)).await {
            Ok(draft) => Ok((turn, draft)),
            Err(error) => {
                turn.end().await;
                Err(error)
            }
        }
    }

    /// The turn alone.
    pub async fn turn(&self, scope: &Scope, printer: &mut Printer<'_>) -> Result<Turn, Error> {
        let holder = Holder::new(&who(self.operation.verb));
        let mut told: Vec<String> = Vec::new();
        let mut waiting = |busy: &ClusterError| {
            let ClusterError::Busy { holder, left, .. } = busy else {
                return;
            };
            if !told.contains(holder) {
                told.push(holder.clone());
                printer.story(&format!(
                    "{busy}; waiting for a sign of life, {} s at most",
                    left.as_secs()
                ));
            }
        };
        let mut stop = Stop::new()?;
        let rules = Rules::USUAL;
        let turn = Turn::take(
            self.connection,
            scope,
            &holder,
            rules,
            &mut stop,
            &mut waiting,
        );
        match turn.await {
            Err(ClusterError::Interrupted) => Err(stopped()),
            turn => Ok(turn?),
        }
    }

    async fn run<S>(
        &self,
        draft: Draft<S>,
        mut turn: Turn,
        printer: &mut Printer<'_>,
    ) -> Result<Written<S>, Error> {
        let files = match backup::write(self.backup, &draft.kept) {
            Ok(files) => files,
            Err(error) => {
                turn.end().await;
                return Err(error);
            }
        };
        match self.apply(&mut turn, &draft.plan, printer).await {
            Ok(report) => Ok(Written {
                draft,
                report,
                files,
                turn,
            }),
            Err(error) => {
                turn.end().await;
                Err(error)
            }
        }
    }

    /// Runs a plan in a turn, with progress; Ctrl-C stops it between two writes. What was written before a failure is told.
    pub async fn apply(
        &self,
        turn: &mut Turn,
        plan: &Plan,
        printer: &mut Printer<'_>,
    ) -> Result<Report, Error> {
        let settings = Settings {
            timeout: self.operation.timeout,
            conflicts: self.operation.conflicts,
            abort_after: std::env::var("KYMA_ISTIO_ABORT_AFTER").ok(),
            interrupt: cluster::interrupt::Interrupt::never(),
        };
        let mut stop = Stop::new()?;
        let result = told(printer, async |told| {
            turn.run(plan, settings, &mut stop, told).await
        })
        .await;
        result.map_err(|stopped| {
            tell_stopped(&stopped, printer);
            Error::Mesh(MeshError::Run(Box::new(stopped)))
        })
    }
}

/// What was written and proved.
pub struct Done<S, P> {
    pub draft: Draft<S>,
    pub report: Report,
    /// The backup's files.
    pub files: Vec<String>,
    pub proof: P,
}

impl<S> Written<S> {
    /// Ends the turn. What was written is told where the proof failed, since no report says it then.
    pub async fn end<P>(
        self,
        proof: Result<P, Error>,
        printer: &mut Printer<'_>,
    ) -> Result<Done<S, P>, Error> {
        self.turn.end().await;
        match proof {
            Ok(proof) => Ok(Done {
                draft: self.draft,
                report: self.report,
                files: self.files,
                proof,
            }),
            Err(error) => {
                tell_written(&self.report, printer);
                Err(error)
            }
        }
    }
}

/// Work that Ctrl-C ends at once: it writes nothing. The default handler is gone once signals were heard.
pub async fn unless_stopped<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut stop = Stop::new()?;
    tokio::select! {
        result = work => result,
        () = stop.wait() => Err(stopped()),
    }
}

fn stopped() -> Error {
    Error::NotConfirmed {
        what: "interrupted".into(),
        hint: "running it again continues",
        code: exit::PARTLY,
    }
}

impl Stops for Stop {
    async fn asked(&mut self) {
        self.wait().await;
    }
}

fn tell_new(new: &[Novelty], printer: &mut Printer<'_>) {
    const MOST: usize = 20;
    if new.is_empty() {
        return;
    }
    printer.story("the cluster changed since the plan was shown; it now also");
    for one in new.iter().take(MOST) {
        printer.story(&format!("  {one}"));
    }
    if let Some(more) = new.len().checked_sub(MOST).filter(|more| *more > 0) {
        printer.story(&format!("  and {more} more"));
    }
}

fn tell_stopped(stopped: &RunError, printer: &mut Printer<'_>) {
    tell_written(&stopped.done, printer);
    for id in &stopped.begun {
        printer.story(&format!(
            "perhaps written: {id} (step {}): the answer was not waited for",
            stopped.step
        ));
    }
}

/// What was written before a failure.
fn tell_written(report: &Report, printer: &mut Printer<'_>) {
    for written in &report.written {
        let verb = match written.verb {
            cluster::run::Verb::Created => "created",
            cluster::run::Verb::Changed => "changed",
            cluster::run::Verb::Deleted => "deleted",
        };
        printer.story(&format!(
            "written: {verb} {} (step {})",
            written.id, written.step
        ));
    }
}

/// Who works, for the one who is turned away: `install by anna on laptop`.
fn who(verb: &str) -> String {
    let name = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "somebody".to_owned());
    let host = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let host = host.map(|host| host.trim().to_owned());
    match host.filter(|host| !host.is_empty()) {
        Some(host) => format!("{verb} by {name} on {host}"),
        None => format!("{verb} by {name}"),
    }
}

/// A plan of one delete.
pub fn removal(id: Id, uid: &str) -> Plan {
    use mesh::plan::{Action, Step};
    Plan {
        steps: vec![Step {
            name: "remove",
            title: format!("remove {id}"),
            action: Action::Delete(vec![(id, uid.to_owned())]),
        }],
        ..Plan::default()
    }
}
