//! Runs the plan under the Lease, with progress; Ctrl-C stops it between two writes.

use cluster::connect::Connection;
use cluster::error::ClusterError;
use cluster::interrupt::interrupt;
use cluster::run::{RunError, Settings, Written};
use mesh::observed::Observed;
use mesh::plan::Plan;

use super::super::lease;
use super::super::stop::Stop;
use super::super::told::told;
use super::Operation;
use crate::error::{Error, MeshError};
use crate::printer::Printer;

/// Runs it; every write, in its order.
pub async fn run(
    connection: &Connection,
    plan: &Plan,
    observed: &Observed,
    operation: &Operation,
    printer: &mut Printer<'_>,
) -> Result<Vec<Written>, Error> {
    let (mut held, first) = lease::take(connection, plan, observed, operation, printer).await?;
    let (raise, seen) = interrupt();
    let settings = Settings {
        timeout: operation.timeout,
        conflicts: operation.conflicts,
        abort_after: std::env::var("KYMA_ISTIO_ABORT_AFTER").ok(),
        interrupt: seen,
    };
    // Only now: before the first write Ctrl-C simply ends the process.
    let mut stop = Stop::new()?;
    let mut is_lost = false;
    let result = told(printer, async |told| {
        let work = cluster::run::run(connection, plan, &settings, told);
        tokio::pin!(work);
        tokio::select! {
            result = &mut work => return result.map_err(Error::from),
            () = stop.wait() => told.say("stopping after the write that is on its way; again stops at once"),
            () = held.lost() => {
                is_lost = true;
                told.say("another command has taken over: stopping after the write that is on its way");
            }
        }
        raise.raise();
        tokio::select! {
            result = &mut work => result.map_err(Error::from),
            () = stop.wait() => Err(ClusterError::Interrupted.into()),
        }
    })
    .await;
    if !is_lost {
        // A Lease that can't be given back runs out by itself.
        let _ = held.release().await;
    }
    match result {
        Ok(report) => Ok(first.into_iter().chain(report.written).collect()),
        Err(Error::Mesh(MeshError::Run(mut stopped))) => {
            stopped.done.written.splice(0..0, first);
            tell(&stopped, printer);
            Err(Error::Mesh(MeshError::Run(stopped)))
        }
        Err(error) => Err(error),
    }
}

/// What was written before the failure.
fn tell(stopped: &RunError, printer: &mut Printer<'_>) {
    for written in &stopped.done.written {
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
