//! A proxy's verdict on a plugin. Where only its silence speaks, it is asked twice.

use std::time::Duration;

use mesh::filter::{AGAIN, Look, Plugin, State, judge};

use super::{Pod, explain, look};
use crate::connect::Connection;
use crate::error::ClusterError;

/// What a proxy makes of a plugin, and whether it still drains connections of before. `gauge` computes the gauge of a
/// configuration as the filter does, none where that doesn't compile.
///
/// # Errors
/// As [`look`].
pub async fn judged(
    connection: &Connection,
    pod: &Pod,
    plugin: &Plugin,
    gauge: &dyn Fn(&str) -> Option<u64>,
) -> Result<(State, bool), ClusterError> {
    // What stands there now, whoever wrote it: an annotation only says what was deployed.
    let wanted = plugin
        .config()
        .and_then(|config| gauge(&config.to_string()));
    let verdict = |look: &Look| judge(plugin, wanted, look, gauge);
    let look = async || {
        let mut found = look(connection, pod).await?;
        // Of a hundred proxies that run it, no log is read.
        if verdict(&found).needs_log() {
            explain(connection, pod, &mut found).await;
        }
        Ok(found)
    };
    let (state, look) = settled(look, verdict, AGAIN).await?;
    Ok((state, look.is_draining))
}

async fn settled(
    look: impl AsyncFn() -> Result<Look, ClusterError>,
    verdict: impl Fn(&Look) -> State,
    pause: Duration,
) -> Result<(State, Look), ClusterError> {
    let first = look().await?;
    let state = verdict(&first);
    if !state.is_silent() {
        return Ok((state, first));
    }
    tokio::time::sleep(pause).await;
    let second = look().await?;
    Ok((verdict(&second), second))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::slice::from_ref;

    use super::*;

    /// What is found after looks that say these; and how many looks it took.
    async fn after(said: &[State]) -> (State, usize) {
        let looks = Cell::new(0);
        let look = async || {
            looks.set(looks.get() + 1);
            Ok(Look::default())
        };
        let found = settled(look, |_| said[looks.get() - 1].clone(), Duration::ZERO).await;
        (found.expect("a look").0, looks.get())
    }

    #[tokio::test]
    async fn a_gauge_that_was_taken_back_for_a_moment_is_no_refusal() {
        let silent = State::Refusing { cause: None };
        let running = State::Running {
            fingerprint: "1".to_owned(),
        };
        let refusing = State::Refusing {
            cause: Some("spec: found x".to_owned()),
        };
        assert_eq!(
            after(&[silent.clone(), running.clone()]).await,
            (running.clone(), 2)
        );
        assert_eq!(after(&[silent.clone(), silent.clone()]).await, (silent, 2));
        assert_eq!(after(from_ref(&refusing)).await, (refusing, 1));
        assert_eq!(after(from_ref(&running)).await, (running, 1));
    }
}
