//! Requests without pause while something changes.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::cluster::until;

/// So many before the change, and so many after it.
const AROUND: usize = 100;

/// Requests one after the other, from before `change` until after it: how many there were, and each that failed.
///
/// # Panics
/// As `change` does; or no requests get through any more.
pub fn under_load(
    request: impl Fn() -> Result<(), String> + Sync,
    change: impl FnOnce(),
) -> (usize, Vec<String>) {
    let (done, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let count = || sent.load(Ordering::Relaxed);
    let more = |than: usize| {
        until("more requests", || match count() {
            now if now >= than + AROUND => Ok(()),
            now => Err(format!("{now}, expected {}", than + AROUND)),
        });
    };
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut failures = Vec::new();
            while !done.load(Ordering::Relaxed) {
                failures.extend(request().err());
                sent.fetch_add(1, Ordering::Relaxed);
            }
            failures
        });
        // Also when the change fails: the load must not go on for ever.
        let changed = panic::catch_unwind(AssertUnwindSafe(|| {
            more(0);
            change();
            more(count());
        }));
        done.store(true, Ordering::Relaxed);
        let failures = load.join().expect("the load");
        if let Err(failure) = changed {
            panic::resume_unwind(failure);
        }
        (count(), failures)
    })
}
