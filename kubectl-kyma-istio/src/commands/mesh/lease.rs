//! One Lease keeps two commands apart. One that died holds it for a minute at most; then the next command goes on.

use std::time::Duration;

use cluster::apply::{ApplyMode, Change, apply};
use cluster::connect::Connection;
use cluster::error::ClusterError;
use cluster::lease::{Held, acquire};
use cluster::run::{Verb, Written};
use mesh::observed::{ISTIO_SYSTEM, KYMA_SYSTEM, Observed};
use mesh::plan::Plan;

use super::operation::Operation;
use crate::error::Error;
use crate::printer::Printer;

/// Between two looks at a Lease whose holder may be dead.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes the Lease for a plan. On an empty cluster the namespace comes first: then it is the first write of the plan, and
/// told as such.
pub async fn take(
    connection: &Connection,
    plan: &Plan,
    observed: &Observed,
    operation: &Operation,
    printer: &mut Printer<'_>,
) -> Result<(Held, Option<Written>), Error> {
    let namespace = place(plan, observed);
    let own = plan
        .objects()
        .find(|object| object.kind() == "Namespace" && object.name() == namespace);
    let mut written = None;
    if let Some(own) = own {
        let applied = apply(connection, own, ApplyMode::Real, operation.conflicts).await?;
        let verb = match applied.change {
            Change::Created => Some(Verb::Created),
            Change::Changed => Some(Verb::Changed),
            Change::Unchanged => None,
        };
        written = verb.map(|verb| Written {
            step: "lease".to_owned(),
            verb,
            id: own.id(),
        });
    }
    let holder = holder(operation.verb);
    let mut before: Option<Duration> = None;
    loop {
        let busy = match acquire(connection, namespace, &holder).await {
            Err(busy @ ClusterError::Busy { .. }) => busy,
            other => return Ok((other?, written)),
        };
        let ClusterError::Busy { left, .. } = &busy else {
            return Err(busy.into());
        };
        match before {
            // It was renewed: somebody is at work.
            Some(before) if *left > before => return Err(busy.into()),
            Some(_) => {}
            None => printer.story(&format!(
                "{busy}; waiting {} s at most, in case it is dead",
                left.as_secs()
            )),
        }
        before = Some(*left);
        tokio::time::sleep(PAUSE).await;
    }
}

/// The namespace of the Lease. Nothing can be made in one that is going: then what is left is done from Kyma's, or from
/// the one that is always there.
fn place(plan: &Plan, observed: &Observed) -> &'static str {
    let stands = |name: &str| {
        let all = observed.namespaces.iter();
        let mut found = all.filter(|one| one.metadata.name.as_deref() == Some(name));
        found.any(|one| one.metadata.deletion_timestamp.is_none())
    };
    let comes = |name: &str| {
        plan.objects()
            .any(|object| object.kind() == "Namespace" && object.name() == name)
    };
    match () {
        () if observed.kyma_manager.is_some() => KYMA_SYSTEM,
        () if stands(ISTIO_SYSTEM) || comes(ISTIO_SYSTEM) => ISTIO_SYSTEM,
        () if stands(KYMA_SYSTEM) => KYMA_SYSTEM,
        () => "default",
    }
}

/// Who works, for the one who is turned away.
fn holder(verb: &str) -> String {
    let name = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "somebody".to_owned());
    format!("{verb} by {name}, process {}", std::process::id())
}
