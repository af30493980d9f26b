//! One roll-out of a plugin: show, confirm, write, wait for each proxy's own word; and back again where that doesn't come.

mod back;
mod plan;
mod wait;

use std::collections::BTreeSet;
use std::io::BufRead;

use cluster::connect::Connection;
use cluster::proxy;
use mesh::codes::Code;
use mesh::filter::{PREVIOUS, Plugin};
use mesh::object::Object;
use mesh::observed::Observed;
use mesh::plan::Gate;

use self::back::Back;
pub use self::back::with_spec;
use self::plan::plan;
use self::wait::{Ended, Waited};
use super::super::operation::{self, Operation};
use super::super::rehearse::{self, rehearse};
use super::super::stop::Stop;
use super::super::told::told;
use super::looking;
use crate::cli::{Operate, Rolls};
use crate::error::Error;
use crate::printer::Printer;
use crate::report::Deployed;

/// What is rolled out.
pub struct Rollout<'a> {
    pub connection: &'a Connection,
    pub observed: &'a Observed,
    pub object: Object,
    /// What stands there now.
    pub before: Option<Object>,
    pub operate: Operate,
    pub rolls: Rolls,
    pub reads_stdin: bool,
    pub verb: &'static str,
}

pub async fn run(
    rollout: Rollout<'_>,
    stdin: &mut dyn BufRead,
    printer: &mut Printer<'_>,
) -> Result<Deployed, Error> {
    let operation = Operation {
        verb: rollout.verb,
        yes: rollout.operate.yes,
        reads_stdin: rollout.reads_stdin,
        timeout: rollout.operate.timeout,
        conflicts: rehearse::conflicts(rollout.rolls.force_conflicts),
    };
    can_be_proved(rollout.connection, &Plugin::of(&rollout.object)).await?;
    let planned = plan(rollout.connection, &rollout.object, &operation).await?;
    let rehearsed = rehearse(
        rollout.connection,
        planned,
        operation.conflicts,
        rollout.observed,
    )
    .await?;
    rehearsed.notes.iter().for_each(|note| printer.story(note));
    let changes = rehearse::shown(&rehearsed.objects, rollout.observed);
    let mut deployed = Deployed::new(
        rollout.connection,
        &rollout.object,
        changes,
        rollout.operate.dry_run,
    );
    if rollout.operate.dry_run {
        return Ok(deployed);
    }
    if !rehearsed.objects.is_empty() {
        printer.tell(|text| deployed.plan(text));
        operation.confirm(rollout.connection, stdin, printer)?;
        operation::run(
            rollout.connection,
            &rehearsed.plan,
            rollout.observed,
            &operation,
            printer,
        )
        .await?;
        deployed.written = true;
    }
    let waited = waited(rollout.connection, &rollout.object, &operation, printer).await?;
    finish(&rollout, &operation, waited, &mut deployed, printer).await?;
    Ok(deployed)
}

/// Until every selected proxy runs what this object says, or it is known that they won't.
async fn waited(
    connection: &Connection,
    object: &Object,
    operation: &Operation,
    printer: &mut Printer<'_>,
) -> Result<Waited, Error> {
    let mut stop = Stop::new()?;
    let plugin = Plugin::of(object);
    let look = async || looking::status(connection, &plugin).await;
    let pace = wait::Pace::within(operation.timeout);
    Ok(told(printer, async |said| {
        wait::until_enforced(look, stop.wait(), pace, &mut |line| said.say(line)).await
    })
    .await)
}

/// Whatever ended the wait ends here: it runs, or what was there before is brought back, or it is said what stays.
async fn finish(
    rollout: &Rollout<'_>,
    operation: &Operation,
    waited: Waited,
    deployed: &mut Deployed,
    printer: &mut Printer<'_>,
) -> Result<(), Error> {
    deployed.status = waited.status;
    deployed.not_asked = waited.not_asked;
    deployed.interrupted = waited.ended == Ended::Interrupted;
    deployed.timed_out = waited.ended == Ended::TimedOut;
    deployed.can_go_back = rollout.object.annotation(PREVIOUS).is_some();
    if waited.ended != Ended::Hopeless || rollout.rolls.no_rollback {
        return Ok(());
    }
    let object = match back::way(&rollout.object, rollout.before.as_ref(), deployed.written) {
        Back::Nowhere => return Ok(()),
        Back::Away => {
            printer.story("taking it away again: nothing was there before");
            let plugin = Plugin::of(&rollout.object);
            match super::remove::delete(rollout.connection, &plugin).await {
                Ok(()) => deployed.taken_away = true,
                Err(error) => deployed.not_brought_back = Some(error.to_string()),
            }
            return Ok(());
        }
        Back::To(object) => object,
    };
    printer.story("bringing back what was there before");
    if let Err(error) = write(rollout, &object, operation, printer).await {
        // What the proxies said is worth more than this failure alone.
        deployed.not_brought_back = Some(error.to_string());
        return Ok(());
    }
    let waited = self::waited(rollout.connection, &object, operation, printer).await?;
    deployed.written_back = true;
    deployed.interrupted = waited.ended == Ended::Interrupted;
    deployed.brought_back = waited.status;
    deployed.not_asked = waited.not_asked;
    Ok(())
}

async fn write(
    rollout: &Rollout<'_>,
    object: &Object,
    operation: &Operation,
    printer: &mut Printer<'_>,
) -> Result<(), Error> {
    let planned = plan(rollout.connection, object, operation).await?;
    operation::run(
        rollout.connection,
        &planned,
        rollout.observed,
        operation,
        printer,
    )
    .await?;
    Ok(())
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
