//! Waiting until every selected proxy says that it runs a policy. Not here: what becomes of one that doesn't run.

use std::collections::BTreeMap;
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
    let mut bad = Bad::default();
    let mut waited = Waited {
        ended: Ended::Interrupted,
        status: None,
        not_asked: None,
    };
    loop {
        // A look at many proxies may last longer than what is left, but not for ever.
        let left = pace
            .limit
            .saturating_sub(started.elapsed())
            .max(pace.hopeless);
        let found = tokio::select! {
            biased;
            () = &mut stopped => return waited,
            found = tokio::time::timeout(left, look()) => match found {
                Ok(found) => found,
                Err(_) => Err(slow()),
            },
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
                bad.look(&status);
                waited.not_asked = None;
                let is_enforced = status.is_enforced();
                waited.status = Some(status);
                let ended = match is_enforced {
                    true => Some(Ended::Enforced),
                    false if bad.is_hopeless(pace.hopeless) => Some(Ended::Hopeless),
                    false => None,
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

fn slow() -> ClusterError {
    ClusterError::Answer {
        verb: "ask",
        what: "the proxies".to_owned(),
        cause: "no answer came in time".to_owned(),
    }
}

/// The proxies that were bad at each look since, each by itself: one that was bad once, then another, is no proxy that stays so.
#[derive(Default)]
struct Bad(BTreeMap<(String, String), (Instant, u32)>);

impl Bad {
    fn look(&mut self, status: &PolicyStatus) {
        let before = std::mem::take(&mut self.0);
        let bad = status.proxies.iter().filter(|proxy| is_bad(&proxy.state));
        self.0 = bad
            .map(|proxy| {
                let key = (proxy.namespace.clone(), proxy.name.clone());
                let (since, looks) = before.get(&key).copied().unwrap_or((Instant::now(), 0));
                (key, (since, looks + 1))
            })
            .collect();
    }

    /// One look may last longer than the patience, so it takes two at least.
    fn is_hopeless(&self, patience: Duration) -> bool {
        let mut all = self.0.values();
        all.any(|(since, looks)| *looks > 1 && since.elapsed() >= patience)
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
