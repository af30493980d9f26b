//! What happens while it happens. The plugin draws it; here it is data.

use std::time::Duration;

use mesh::object::Id;

use crate::apply::Change;

/// Takes events as they come. Called between requests, so it must not block for long.
pub trait Progress: Send + Sync {
    /// One event.
    fn event(&self, event: Event<'_>);
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// A step begins.
    StepStarted {
        /// Its stable name.
        name: &'a str,
        /// One line for people.
        title: &'a str,
        /// From one.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// A step is done.
    StepFinished {
        /// Its stable name.
        name: &'a str,
        /// How long it took.
        took: Duration,
    },
    /// An object was applied, or merged into.
    Applied {
        /// Which.
        id: &'a Id,
        /// What became of it.
        change: Change,
    },
    /// An object was deleted.
    Deleted {
        /// Which.
        id: &'a Id,
    },
    /// Nothing new is begun from now on.
    Stopping {
        /// Why, one line.
        why: &'a str,
    },
    /// Something isn't ready yet. Said when the reason changes, and again every ten seconds.
    Waiting {
        /// For what.
        id: &'a Id,
        /// Why it isn't ready, one line.
        why: &'a str,
        /// Since when.
        waited: Duration,
    },
    /// Something is ready.
    Ready {
        /// What.
        id: &'a Id,
    },
    /// A download goes on.
    Downloading {
        /// What is downloaded.
        what: &'a str,
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all, if the server says.
        of: Option<u64>,
    },
}

/// Nobody looks.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: Event<'_>) {}
}
