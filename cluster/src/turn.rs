//! The right to write: the Lease of what is written, held from the last look to the proof. Not here: what is written.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use mesh::plan::Plan;
use serde_json::Value;
use tokio::time::timeout;

use crate::connect::Connection;
use crate::error::ClusterError;
use crate::interrupt::{Halt, interrupt};
use crate::kinds::Kind;
use crate::lease::{self, Held, Holder, Lost, Place, Rules, acquire, check_free};
use crate::list::{Query, list};
use crate::progress::{Event, Progress};
use crate::run::{self, Journal, Report, RunError, Settings};

/// How long giving the Lease back may take; it runs out by itself.
const RELEASE: Duration = Duration::from_secs(10);

/// What a command works on, and with it what it keeps others from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The mesh: its Lease is held, and nobody works on a namespace meanwhile.
    Mesh,
    /// The policies of a namespace: its Lease is held, and nobody works on the mesh meanwhile. In `default` that is one Lease.
    Namespace(String),
}

/// A turn. Both kinds take their own Lease first and look at the others' after that, so of two that come together at least one sees the other.
pub struct Turn {
    connection: Connection,
    held: Held,
    lost: Option<Lost>,
}

/// Ctrl-C and its like: each time that the user asks to stop.
pub trait Stops {
    /// Ends at the next one.
    fn asked(&mut self) -> impl Future<Output = ()>;
}

impl Turn {
    /// Takes the Lease. Of one whose holder may be dead, `waiting` is told.
    ///
    /// # Errors
    /// [`ClusterError::Busy`] when another command works; [`ClusterError::Interrupted`]; the cluster fails, or forbids it.
    pub async fn take(
        connection: &Connection,
        scope: &Scope,
        us: &Holder,
        rules: Rules,
        stops: &mut impl Stops,
        waiting: &mut dyn FnMut(&ClusterError),
    ) -> Result<Self, ClusterError> {
        let place = match scope {
            Scope::Namespace(name) if name != "default" => Place::Namespace(name.clone()),
            Scope::Mesh | Scope::Namespace(_) => Place::Mesh,
        };
        let held = tokio::select! {
            held = acquire(connection, &place, us, rules, waiting) => held?,
            () = stops.asked() => return Err(ClusterError::Interrupted),
        };
        let turn = Self {
            connection: connection.clone(),
            held,
            lost: None,
        };
        let free = tokio::select! {
            free = others(connection, scope, us, rules, waiting) => free,
            () = stops.asked() => Err(ClusterError::Interrupted),
        };
        match free {
            Ok(()) => Ok(turn),
            Err(error) => {
                turn.end().await;
                Err(error)
            }
        }
    }

    /// Whether it is still ours.
    ///
    /// # Errors
    /// [`ClusterError::TurnLost`].
    pub async fn check(&mut self) -> Result<(), ClusterError> {
        if self.lost.is_none() {
            self.lost = match self.held.is_lost() {
                true => Some(self.held.lost().await),
                false if self.held.term().is_over() => Some(Lost::NotRenewed),
                false => None,
            };
        }
        match &self.lost {
            Some(lost) => Err(Halt::TurnLost(lost.to_string()).error()),
            None => Ok(()),
        }
    }

    /// Runs a plan. What asks to stop is heard between two writes, and at once the second time; a turn that is lost ends it, the write that is on its way too
    /// before another command may begin.
    ///
    /// # Errors
    /// As [`run::run`]; a turn that was lost is an error whatever was done.
    pub async fn run(
        &mut self,
        plan: &Plan,
        settings: Settings,
        stops: &mut impl Stops,
        progress: &dyn Progress,
    ) -> Result<Report, RunError> {
        let journal = Journal::default();
        if let Err(lost) = self.check().await {
            return Err(journal.failed(None, lost));
        }
        let term = self.held.term();
        let (raise, seen) = interrupt();
        let settings = Settings {
            interrupt: seen.until(term.clone()),
            ..settings
        };
        let connection = self.connection.clone();
        let mut work = pin!(run::run(&connection, plan, &settings, &journal, progress));
        let mut asked = false;
        loop {
            let is_ours = self.lost.is_none();
            tokio::select! {
                biased;
                () = term.over() => {
                    let lost = self.lost.get_or_insert(Lost::NotRenewed);
                    return Err(journal.failed(None, Halt::TurnLost(lost.to_string()).error()));
                }
                lost = self.held.lost(), if is_ours => {
                    let why = lost.to_string();
                    progress.event(Event::Stopping {
                        why: &format!("{why}: stopping after the write that is on its way"),
                    });
                    raise.raise(Halt::TurnLost(why));
                    self.lost = Some(lost);
                }
                () = stops.asked() => {
                    if asked {
                        return Err(journal.failed(None, ClusterError::Interrupted));
                    }
                    asked = true;
                    progress.event(Event::Stopping {
                        why: "stopping after the write that is on its way; again stops at once",
                    });
                    if is_ours {
                        raise.raise(Halt::Asked);
                    }
                }
                result = &mut work => {
                    let report = result?;
                    return match self.check().await {
                        Ok(()) => Ok(report),
                        Err(lost) => Err(journal.failed(None, lost)),
                    };
                }
            }
        }
    }

    /// Gives it back, if it may still be ours. One that can't be given back runs out by itself.
    pub async fn end(self) {
        if !matches!(self.lost, Some(Lost::Taken { .. } | Lost::Deleted)) {
            let _ = timeout(RELEASE, self.held.release()).await;
        }
    }
}

/// Nobody else works where this turn would be in the way.
async fn others(
    connection: &Connection,
    scope: &Scope,
    us: &Holder,
    rules: Rules,
    waiting: &mut dyn FnMut(&ClusterError),
) -> Result<(), ClusterError> {
    match scope {
        Scope::Mesh => {}
        // The mesh's own Lease is held.
        Scope::Namespace(name) if name == "default" => return Ok(()),
        Scope::Namespace(_) => {
            return check_free(connection, &Place::Mesh, us, rules, waiting).await;
        }
    }
    let kind = Kind::known("coordination.k8s.io/v1", "leases", true);
    let query = Query {
        name: Some(lease::NAME),
        ..Query::default()
    };
    let leases: Vec<Value> = list(connection, &kind, query).await?;
    let namespaces = leases.iter().filter_map(|lease| {
        let namespace = lease.pointer("/metadata/namespace")?.as_str()?;
        Some(namespace.to_owned())
    });
    // Together: the dead among them are waited for once.
    let mut told: Vec<String> = Vec::new();
    let waiting = RefCell::new(move |busy: &ClusterError| {
        let said = busy.to_string();
        if !told.contains(&said) {
            waiting(busy);
            told.push(said);
        }
    });
    let looks = namespaces
        .filter(|name| name != "default")
        .map(|namespace| {
            let waiting = &waiting;
            async move {
                let place = Place::Namespace(namespace);
                let mut tell = |busy: &ClusterError| (waiting.borrow_mut())(busy);
                check_free(connection, &place, us, rules, &mut tell).await
            }
        });
    futures_util::future::try_join_all(looks).await.map(drop)
}
