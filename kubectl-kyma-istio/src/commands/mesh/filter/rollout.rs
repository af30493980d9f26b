//! One roll-out of a plugin: show, confirm, write, wait for each proxy's own word; and back again where that doesn't come.

mod back;
mod plan;
mod wait;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::rc::Rc;

use cluster::connect::Connection;
use cluster::proxy;
use cluster::run::Stands;
use cluster::turn::{Scope, Turn};
use mesh::codes::Code;
use mesh::filter::{PREVIOUS, Plugin};
use mesh::object::Object;
use mesh::observed::{ISTIO_SYSTEM, Observed};
use mesh::plan::{Gate, Plan};

use self::back::Back;
pub use self::back::with_spec;
use self::plan::plan;
use self::wait::{Ended, Waited};
use super::super::super::stop::Stop;
use super::super::operation::Operation;
use super::super::rehearse::{self, rehearse};
use super::super::session::{Draft, Session, Task, removal};
use super::super::told::told;
use super::looking;
use crate::cli::{Operate, Rolls};
use crate::error::{Error, exit};
use crate::printer::{Printer, Text};
use crate::report::Deployed;

/// What is rolled out.
pub struct Rollout<'a, C> {
    pub connection: &'a Connection,
    pub observed: Rc<Observed>,
    pub object: Object,
    /// What stands there now.
    pub before: Option<Object>,
    /// A plugin that goes once this one runs.
    pub replaces: Option<&'a Plugin>,
    /// Whether it may still be rolled out, asked again in its turn.
    pub check: C,
    pub operate: Operate,
    pub rolls: Rolls,
    pub reads_stdin: bool,
    pub verb: &'static str,
}

pub async fn run<C: AsyncFn(&mut Printer<'_>) -> Result<(), Error>>(
    rollout: Rollout<'_, C>,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Deployed, Error> {
    let connection = rollout.connection;
    let session = Session {
        connection,
        operation: rollout.operation(),
        backup: None,
    };
    can_be_proved(connection, &Plugin::of(&rollout.object)).await?;
    let task = Rolling {
        rollout: &rollout,
        is_checked: Cell::new(true),
    };
    let draft = task.draft(Some(stdin), printer).await?;
    let changes = rehearse::shown(&draft.changes, &draft.observed);
    let dry_run = rollout.operate.dry_run;
    let mut deployed = Deployed::new(connection, &rollout.object, changes, dry_run);
    if dry_run {
        return Ok(deployed);
    }
    let id = rollout.object.id();
    let (turn, stands) = if draft.plan.is_empty() {
        // Nothing to write, and nothing became to write since: it is only waited for, and perhaps gone back.
        let (turn, again) = session.draft_in_turn(&task, printer).await?;
        if !again.plan.is_empty() {
            turn.end().await;
            return Err(rollout.changed());
        }
        (turn, rollout.before.as_ref().map(Stands::of))
    } else {
        let written = session.write(&task, draft, stdin, printer).await?;
        let draft = &written.draft;
        let changes = rehearse::shown(&draft.changes, &draft.observed);
        deployed = Deployed::new(connection, &rollout.object, changes, dry_run);
        deployed.written = !written.report.written.is_empty();
        let mut stands = written.report.stands;
        let before = rollout.before.as_ref().map(Stands::of);
        (written.turn, stands.remove(&id).or(before))
    };
    // In its turn until it is known how it ended, and until what didn't run is undone.
    let mut proof = Proof {
        rollout: &rollout,
        session: &session,
        turn: Some(turn),
        stands,
    };
    let proved = proof.prove(&mut deployed, printer).await;
    if let Some(turn) = proof.turn {
        turn.end().await;
    }
    proved.map(|()| deployed)
}

impl<C> Rollout<'_, C> {
    fn operation(&self) -> Operation {
        Operation {
            verb: self.verb,
            yes: self.operate.yes,
            reads_stdin: self.reads_stdin,
            timeout: self.operate.timeout,
            conflicts: rehearse::conflicts(self.rolls.force_conflicts),
        }
    }

    fn plugin(&self) -> Plugin {
        Plugin::of(&self.object)
    }

    fn changed(&self) -> Error {
        Error::NotConfirmed {
            what: format!(
                "somebody else changed `{}` meanwhile: nothing was written",
                self.plugin()
            )
            .into(),
            hint: "run it again: it looks anew",
            code: exit::REFUSED,
        }
    }
}

/// What a policy in this namespace keeps others from. One in the root namespace reaches proxies of all.
pub fn scope(namespace: &str) -> Scope {
    match namespace {
        ISTIO_SYSTEM => Scope::Mesh,
        namespace => Scope::Namespace(namespace.to_owned()),
    }
}

struct Rolling<'a, 'r, C> {
    rollout: &'a Rollout<'r, C>,
    /// The first draft follows its checks at once.
    is_checked: Cell<bool>,
}

impl<C: AsyncFn(&mut Printer<'_>) -> Result<(), Error>> Task for Rolling<'_, '_, C> {
    type Seen = ();

    fn scope(&self) -> Scope {
        scope(&self.rollout.plugin().namespace)
    }

    async fn draft(
        &self,
        _: Option<&mut dyn BufRead>,
        printer: &mut Printer<'_>,
    ) -> Result<Draft<()>, Error> {
        let rollout = self.rollout;
        let live = live(rollout.connection, &rollout.plugin()).await?;
        if live.as_ref().map(Stands::of) != rollout.before.as_ref().map(Stands::of) {
            return Err(rollout.changed());
        }
        if !self.is_checked.take() {
            (rollout.check)(printer).await?;
        }
        let planned = plan(rollout.connection, &rollout.object, &rollout.operation()).await?;
        let conflicts = rehearse::conflicts(rollout.rolls.force_conflicts);
        let observed = rollout.observed.clone();
        let rehearsed = rehearse(rollout.connection, planned, conflicts, &observed).await?;
        rehearsed.notes.iter().for_each(|note| printer.story(note));
        Ok(Draft {
            plan: rehearsed.plan,
            changes: rehearsed.objects,
            kept: Vec::new(),
            observed,
            seen: (),
        })
    }

    fn show(&self, draft: &Draft<()>, text: &mut Text) {
        let rollout = self.rollout;
        let changes = rehearse::shown(&draft.changes, &draft.observed);
        Deployed::new(rollout.connection, &rollout.object, changes, false).plan(text);
    }
}

async fn live(connection: &Connection, plugin: &Plugin) -> Result<Option<Object>, Error> {
    Ok(cluster::filter::plugin(connection, &plugin.namespace, &plugin.name).await?)
}

/// The wait for the proxies' word, and what follows from it.
struct Proof<'a, 's, C> {
    rollout: &'a Rollout<'a, C>,
    session: &'a Session<'s>,
    /// None once it was lost and couldn't be taken again.
    turn: Option<Turn>,
    /// The plugin as this command left it.
    stands: Option<Stands>,
}

impl<C> Proof<'_, '_, C> {
    /// Whatever ended the wait ends here: it runs, or what was there before is brought back, or it is said what stays.
    async fn prove(
        &mut self,
        deployed: &mut Deployed,
        printer: &mut Printer<'_>,
    ) -> Result<(), Error> {
        let rollout = self.rollout;
        let waited = self.waited(&rollout.object, printer).await?;
        deployed.status = waited.status;
        deployed.not_asked = waited.not_asked;
        deployed.interrupted = waited.ended == Ended::Interrupted;
        deployed.timed_out = waited.ended == Ended::TimedOut;
        deployed.can_go_back = rollout.object.annotation(PREVIOUS).is_some();
        if let Some(replaced) = rollout.replaces
            && deployed.exit_code() == exit::DONE
        {
            let replaced = self.replace(replaced, printer).await;
            deployed.canary_left = replaced.err().map(|error| error.to_string());
            return Ok(());
        }
        if waited.ended != Ended::Hopeless || rollout.rolls.no_rollback {
            return Ok(());
        }
        let way = back::way(&rollout.object, rollout.before.as_ref(), deployed.written);
        if matches!(way, Back::Nowhere) {
            return Ok(());
        }
        match self.go_back(way, printer).await {
            Ok(None) => deployed.taken_away = true,
            Ok(Some(object)) => {
                let waited = self.waited(&object, printer).await?;
                deployed.written_back = true;
                deployed.interrupted = waited.ended == Ended::Interrupted;
                deployed.brought_back = waited.status;
                deployed.not_asked = waited.not_asked;
            }
            // What the proxies said is worth more than this failure alone.
            Err(error) => deployed.not_brought_back = Some(error.to_string()),
        }
        Ok(())
    }

    /// Until every selected proxy runs what this object says, or it is known that they won't.
    async fn waited(&self, object: &Object, printer: &mut Printer<'_>) -> Result<Waited, Error> {
        let connection = self.rollout.connection;
        let mut stop = Stop::new()?;
        let plugin = Plugin::of(object);
        let look = async || looking::status(connection, &plugin).await;
        let pace = wait::Pace::within(self.session.operation.timeout);
        Ok(told(printer, async |said| {
            wait::until_enforced(look, stop.wait(), pace, &mut |line| said.say(line)).await
        })
        .await)
    }

    /// Undoes what this command wrote, and only that. None: the plugin was taken away.
    async fn go_back(
        &mut self,
        way: Back,
        printer: &mut Printer<'_>,
    ) -> Result<Option<Object>, Error> {
        let rollout = self.rollout;
        self.keep_turn(printer).await?;
        let found = live(rollout.connection, &rollout.plugin()).await?;
        let is_ours = found.as_ref().map(Stands::of) == self.stands;
        let Some(found) = found.filter(|_| is_ours) else {
            return Err(Error::input(format!(
                "somebody else changed `{}` meanwhile: it is left as it is",
                rollout.plugin()
            )));
        };
        let (plan, object) = match way {
            Back::To(object) => {
                printer.story("bringing back what was there before");
                let operation = &self.session.operation;
                (
                    plan(rollout.connection, &object, operation).await?,
                    Some(object),
                )
            }
            Back::Away | Back::Nowhere => {
                printer.story("taking it away again: nothing was there before");
                let uid = found.uid().unwrap_or_default();
                (removal(found.id(), uid), None)
            }
        };
        self.apply(&plan, printer).await?;
        Ok(object)
    }

    /// A wait may outlast the Lease: an API server that was away. Then it is taken again; what stands there tells whether somebody wrote meanwhile.
    async fn keep_turn(&mut self, printer: &mut Printer<'_>) -> Result<(), Error> {
        if let Some(turn) = &mut self.turn
            && turn.check().await.is_ok()
        {
            return Ok(());
        }
        // Ours may still stand there, and would be waited for.
        if let Some(turn) = self.turn.take() {
            turn.end().await;
        }
        let scope = scope(&self.rollout.plugin().namespace);
        self.turn = Some(self.session.turn(&scope, printer).await?);
        Ok(())
    }

    async fn apply(&mut self, plan: &Plan, printer: &mut Printer<'_>) -> Result<(), Error> {
        self.keep_turn(printer).await?;
        match &mut self.turn {
            Some(turn) => self.session.apply(turn, plan, printer).await.map(drop),
            None => Ok(()),
        }
    }

    /// Takes away what this one replaces.
    async fn replace(&mut self, replaced: &Plugin, printer: &mut Printer<'_>) -> Result<(), Error> {
        self.keep_turn(printer).await?;
        let found = live(self.rollout.connection, replaced).await?;
        let seen = Stands::of(&replaced.object);
        let Some(found) = found.filter(|found| Stands::of(found) == seen) else {
            return Err(Error::input(format!(
                "somebody else changed or removed `{replaced}` meanwhile: it is left as it is"
            )));
        };
        let uid = found.uid().unwrap_or_default();
        let plan = removal(found.id(), uid);
        self.apply(&plan, printer).await?;
        printer.story(&format!("took the canary {replaced} away"));
        Ok(())
    }
}

/// Nothing is written where nobody could tell afterwards whether it runs.
async fn can_be_proved(connection: &Connection, plugin: &Plugin) -> Result<(), Error> {
    let proxies = looking::proxies(connection, plugin).await?;
    let namespaces: BTreeSet<String> = proxies.into_iter().map(|proxy| proxy.namespace).collect();
    let mut gates = Vec::new();
    for namespace in namespaces {
        if !proxy::may_ask(connection, &namespace).await? {
            gates.push(Gate {
                code: Code::CannotTell,
                what: format!(
                    "can't create pods/portforward in namespace `{namespace}`: no proxy there could be asked whether it runs the policy"
                ),
                hint: Some(format!(
                    "`kubectl auth can-i create pods --subresource=portforward -n {namespace}` asks the cluster; somebody with more rights must grant it"
                )),
            });
        }
    }
    match gates.is_empty() {
        true => Ok(()),
        false => Err(Error::from(gates)),
    }
}
