//! Waiting with a deadline, never by a blind sleep.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// Asks again and again until there is an answer.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(Error::Deadline {
                what: what.to_owned(),
                limit,
            });
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
