//! Waiting until every selected proxy says that it runs a policy. Not here: what becomes of one that doesn't run.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use cluster::error::ClusterError;
use mesh::filter::State;

use crate::report::PolicyStatus;

/// How fast, and how long.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// Between two looks at the proxies.
    pause: Duration,
    /// A proxy that is bad for so long stays so: istio-agent tries again meanwhile.
    hopeless: Duration,
    limit: Duration,
}

impl Pace {
    pub(super) fn within(limit: Duration) -> Self {
        Self {
            pause: Duration::from_secs(2),
            hopeless: Duration::from_secs(20),
            limit,
        }
    }
}

/// How the wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Every selected proxy runs it.
    Enforced,
    /// A proxy is known not to run it.
    Hopeless,
    /// Nobody knows.
    TimedOut,
    /// By the user.
    Interrupted,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Waited {
    pub(super) ended: Ended,
    /// By the last look that found something.
    pub(super) status: Option<PolicyStatus>,
    /// Why the last look found nothing.
    pub(super) not_asked: Option<String>,
}

/// Looks until every selected proxy runs it, or one won't. A look that fails says nothing: an API server that restarts is gone
/// for longer than requests are repeated.
pub(super) async fn until_enforced(
    look: impl AsyncFn() -> Result<PolicyStatus, ClusterError>,
    stopped: impl Future<Output = ()>,
    pace: Pace,
    tell: &mut dyn FnMut(&str),
) -> Waited {
    let started = Instant::now();
    let mut stopped = pin!(stopped);
    let mut said = String::new();
    let mut bad_since: Option<Instant> = None;
    let mut waited = Waited {
        ended: Ended::Interrupted,
        status: None,
        not_asked: None,
    };
    loop {
        let found = tokio::select! {
            biased;
            () = &mut stopped => return waited,
            found = look() => found,
        };
        let line = match &found {
            Ok(status) => line(status),
            Err(error) => format!("can't look: {error}"),
        };
        if line != said {
            tell(&line);
            said = line;
        }
        match found {
            Ok(status) => {
                let is_bad = status.proxies.iter().any(|proxy| is_bad(&proxy.state));
                bad_since = bad_since.filter(|_| is_bad).or(is_bad.then(Instant::now));
                waited.not_asked = None;
                let is_enforced = status.is_enforced();
                waited.status = Some(status);
                let ended = match bad_since {
                    _ if is_enforced => Some(Ended::Enforced),
                    Some(since) if since.elapsed() >= pace.hopeless => Some(Ended::Hopeless),
                    _ => None,
                };
                if let Some(ended) = ended {
                    return Waited { ended, ..waited };
                }
            }
            Err(error) => waited.not_asked = Some(error.to_string()),
        }
        if started.elapsed() >= pace.limit {
            let ended = match &waited.status {
                Some(status) if waited.not_asked.is_none() && is_unenforced(status) => {
                    Ended::Hopeless
                }
                _ => Ended::TimedOut,
            };
            return Waited { ended, ..waited };
        }
        tokio::select! {
            () = tokio::time::sleep(pace.pause) => {}
            () = &mut stopped => return waited,
        }
    }
}

/// It was told, and won't.
fn is_bad(state: &State) -> bool {
    state.is_final() && !state.is_running()
}

/// At the end also without the filter: its requests pass unjudged.
fn is_unenforced(status: &PolicyStatus) -> bool {
    let mut states = status.proxies.iter().map(|proxy| &proxy.state);
    states.any(|state| is_bad(state) || *state == State::Missing)
}

fn line(status: &PolicyStatus) -> String {
    let waiting = status
        .proxies
        .iter()
        .find(|proxy| !proxy.state.is_running());
    let why =
        waiting.map(|proxy| format!("; {}/{} {}", proxy.namespace, proxy.name, proxy.sentence));
    format!(
        "{} of {} proxies run it{}",
        status.running(),
        status.proxies.len(),
        why.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests;
