//! Which policies this VM holds, by plugin.
//!
//! Envoy keeps a replaced root context, and its timer, until its last stream ends, and one plugin may have several root contexts at once (a sidecar's inbound and outbound
//! side). Only the newest policy writes its fingerprint to the gauge. This is the filter's one static: it holds names and fingerprints, and the plugin's name is part of the key, since
//! two plugins of one digest share a VM.

use std::cell::Cell;
use std::rc::Rc;

thread_local! {
    /// Newest last.
    static HELD: Cell<Vec<Rc<Held>>> = const { Cell::new(Vec::new()) };
}

/// One policy of one plugin.
#[derive(Debug)]
pub(crate) struct Held {
    /// What the names of the plugin's metrics begin with.
    pub prefix: String,
    /// What the gauge reads while the policy runs.
    pub gauge: u64,
}

impl Held {
    /// Adds a policy as its plugin's newest.
    #[cold]
    pub fn add(prefix: String, gauge: u64) -> Rc<Self> {
        let held = Rc::new(Self { prefix, gauge });
        with(|all| all.push(Rc::clone(&held)));
        held
    }

    /// Makes the policy its plugin's newest again: Envoy takes up a root context that an open request kept alive, and does not configure it once more.
    #[cold]
    pub fn renew(self: &Rc<Self>) {
        with(|all| {
            all.retain(|held| !Rc::ptr_eq(held, self));
            all.push(Rc::clone(self));
        });
    }

    /// Whether another policy of the plugin is newer. The same policy in another root context is not another one.
    #[cold]
    pub fn is_superseded(&self) -> bool {
        with(|all| self.newest(all)).is_some_and(|gauge| gauge != self.gauge)
    }

    /// Removes the policy. What the gauge should read from now on; `None` leaves that to the newer policy.
    #[cold]
    pub fn remove(self: &Rc<Self>) -> Option<u64> {
        with(|all| {
            let last = all.iter().rev().find(|held| held.prefix == self.prefix);
            let was_newest = last.is_some_and(|held| Rc::ptr_eq(held, self));
            all.retain(|held| !Rc::ptr_eq(held, self));
            was_newest.then(|| self.newest(all).unwrap_or(0))
        })
    }

    fn newest(&self, all: &[Rc<Self>]) -> Option<u64> {
        let last = all.iter().rev().find(|held| held.prefix == self.prefix);
        last.map(|held| held.gauge)
    }
}

fn with<T>(change: impl FnOnce(&mut Vec<Rc<Held>>) -> T) -> T {
    HELD.with(|cell| {
        let mut all = cell.take();
        let result = change(&mut all);
        cell.set(all);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(prefix: &str, gauge: u64) -> Rc<Held> {
        Held::add(prefix.to_owned(), gauge)
    }

    #[test]
    fn a_newer_policy_of_the_plugin_supersedes_it() {
        let (old, other) = (add("a", 1), add("b", 2));
        assert!(!old.is_superseded());
        let new = add("a", 3);
        assert_eq!(
            [&old, &other, &new].map(|held| held.is_superseded()),
            [true, false, false]
        );
        assert_eq!(old.remove(), None);
        assert_eq!(new.remove(), Some(0));
        assert_eq!(other.remove(), Some(0));
    }

    #[test]
    fn the_same_policy_at_another_listener_supersedes_nothing() {
        let (inbound, outbound) = (add("a", 1), add("a", 1));
        assert!(!inbound.is_superseded());
        assert_eq!(outbound.remove(), Some(1));
        assert_eq!(inbound.remove(), Some(0));
    }

    #[test]
    fn a_policy_that_gets_new_requests_is_the_newest_again() {
        let (old, new) = (add("a", 1), add("a", 2));
        old.renew();
        assert_eq!([&old, &new].map(|held| held.is_superseded()), [false, true]);
        assert_eq!(new.remove(), None);
        assert_eq!(old.remove(), Some(0));
    }

    #[test]
    fn an_older_policy_is_the_newest_once_the_newer_is_removed() {
        let (old, new) = (add("a", 1), add("a", 2));
        assert_eq!(new.remove(), Some(1));
        assert!(!old.is_superseded());
        // A policy that was removed already changes nothing.
        assert_eq!(new.remove(), None);
        assert_eq!(old.remove(), Some(0));
    }
}
