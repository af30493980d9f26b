//! One roll-out of a plugin: show, confirm, write, wait for each proxy's own word; and back again where that doesn't come.

mod plan;

use std::collections::BTreeSet;
use std::io::BufRead;
use std::time::{Duration, Instant};

use cluster::connect::Connection;
use cluster::error::ClusterError;
use cluster::proxy;
use mesh::codes::Code;
use mesh::filter::{FINGERPRINT, Plugin, State};
use mesh::object::Object;
use mesh::observed::Observed;
use mesh::plan::Gate;
use serde_json::{Value, json};

use self::plan::plan;
use super::super::operation::{self, Operation};
use super::super::rehearse::{self, rehearse};
use super::super::stop::Stop;
use super::super::told::{Told, told};
use super::deploy::now;
use super::looking::{self, compiled};
use crate::cli::Operate;
use crate::error::Error;
use crate::printer::Printer;
use crate::report::{Deployed, PolicyStatus};

/// Between two looks at the proxies.
const PAUSE: Duration = Duration::from_secs(2);
/// A proxy that is as bad as this for so long stays so: istio-agent tries again meanwhile.
const HOPELESS: Duration = Duration::from_secs(20);

/// What is rolled out.
pub struct Rollout<'a> {
    pub connection: &'a Connection,
    pub observed: &'a Observed,
    pub object: Object,
    /// What stands there now.
    pub before: Option<Object>,
    pub operate: Operate,
    /// Where it fails, what stood there before is brought back.
    pub brings_back: bool,
    pub reads_stdin: bool,
    pub verb: &'static str,
}

/// How the wait ended.
enum Waited {
    Enforced,
    Hopeless,
    TimedOut,
    Interrupted,
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
        conflicts: rehearse::conflicts(rollout.operate.force_conflicts),
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
    let plugin = Plugin::of(&rollout.object);
    let (waited, status) = wait(
        rollout.connection,
        &plugin,
        rollout.operate.timeout,
        printer,
    )
    .await?;
    deployed.status = Some(status);
    match waited {
        Waited::Enforced => {}
        Waited::Interrupted => return Err(ClusterError::Interrupted.into()),
        Waited::TimedOut => deployed.timed_out = true,
        Waited::Hopeless if rollout.brings_back && deployed.written => {
            let back = bring_back(&rollout, &operation, printer).await?;
            deployed.taken_away = back.is_none();
            deployed.brought_back = back;
        }
        Waited::Hopeless => {}
    }
    Ok(deployed)
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
        false => Err(Error::Gates(gates)),
    }
}

/// Until every selected proxy runs it, or none of the others will.
async fn wait(
    connection: &Connection,
    plugin: &Plugin,
    limit: Duration,
    printer: &mut Printer<'_>,
) -> Result<(Waited, PolicyStatus), Error> {
    let mut stop = Stop::new()?;
    told(printer, async |said| {
        let started = Instant::now();
        let mut last = String::new();
        let mut bad_since: Option<Instant> = None;
        loop {
            let status = looking::status(connection, plugin).await?;
            tell(&status, &mut last, said);
            if status.is_enforced() {
                return Ok((Waited::Enforced, status));
            }
            let is_bad = |state: &State| state.is_final() && !state.is_running();
            bad_since = match status.proxies.iter().any(|proxy| is_bad(&proxy.state)) {
                true => bad_since.or(Some(Instant::now())),
                false => None,
            };
            if bad_since.is_some_and(|since| since.elapsed() >= HOPELESS) {
                return Ok((Waited::Hopeless, status));
            }
            if started.elapsed() >= limit {
                let waited = match bad_since {
                    Some(_) => Waited::Hopeless,
                    None => Waited::TimedOut,
                };
                return Ok((waited, status));
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.wait() => return Ok((Waited::Interrupted, status)),
            }
        }
    })
    .await
}

/// A line when something changed.
fn tell(status: &PolicyStatus, last: &mut String, said: &Told) {
    let waiting = status
        .proxies
        .iter()
        .find(|proxy| !proxy.state.is_running());
    let why =
        waiting.map(|proxy| format!("; {}/{} {}", proxy.namespace, proxy.name, proxy.sentence));
    let line = format!(
        "{} of {} proxies run it{}",
        status.running(),
        status.proxies.len(),
        why.unwrap_or_default()
    );
    if line != *last {
        said.say(&line);
        *last = line;
    }
}

/// What stood there before, or nothing.
async fn bring_back(
    rollout: &Rollout<'_>,
    operation: &Operation,
    printer: &mut Printer<'_>,
) -> Result<Option<PolicyStatus>, Error> {
    let connection = rollout.connection;
    let Some(before) = &rollout.before else {
        printer.story("taking it away again: nothing was there before");
        super::remove::delete(connection, &Plugin::of(&rollout.object)).await?;
        return Ok(None);
    };
    printer.story("bringing back what was there before");
    let spec = before.pointer("/spec").cloned().unwrap_or_default();
    let object = with_spec(
        &rollout.object,
        spec,
        before.annotation(mesh::filter::PREVIOUS),
    )?;
    let planned = plan(connection, &object, operation).await?;
    operation::run(connection, &planned, rollout.observed, operation, printer).await?;
    let (_, status) = wait(
        connection,
        &Plugin::of(&object),
        rollout.operate.timeout,
        printer,
    )
    .await?;
    Ok(Some(status))
}

/// The same plugin with another `spec`, as a roll-out of its own: a new revision, so that no proxy skips it.
pub fn with_spec(
    object: &Object,
    mut spec: Value,
    previous: Option<&str>,
) -> Result<Object, Error> {
    let broken = |what: &str| Error::input(format!("what stood there before {what}"));
    if let Some(config) = spec
        .pointer_mut("/pluginConfig/spec")
        .and_then(Value::as_object_mut)
    {
        config.insert("revision".to_owned(), now().into());
    }
    let config = spec.get("pluginConfig").cloned().unwrap_or_default();
    let policy = compiled(config.to_string().as_bytes()).map_err(|_| broken("doesn't compile"))?;
    let mut annotations = json!({FINGERPRINT: policy.fingerprint().to_string()});
    if let Some(previous) = previous {
        annotations[mesh::filter::PREVIOUS] = json!(previous);
    }
    Object::new(json!({
        "apiVersion": object.pointer("/apiVersion"),
        "kind": object.kind(),
        "metadata": {
            "name": object.name(), "namespace": object.namespace(),
            "labels": object.labels(), "annotations": annotations,
        },
        "spec": spec,
    }))
    .map_err(|error| broken(&format!("can't be applied: {error}")))
}
