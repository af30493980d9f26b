//! Ctrl-C as a flag that is looked at between writes: a write is never cut in two.

use tokio::sync::watch;

use crate::error::ClusterError;

/// Raised by who hears the signal.
#[derive(Debug, Clone)]
pub struct Raise(watch::Sender<bool>);

/// Looked at by who works.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

/// A flag and its two ends.
#[must_use]
pub fn interrupt() -> (Raise, Interrupt) {
    let (raise, seen) = watch::channel(false);
    (Raise(raise), Interrupt(seen))
}

impl Raise {
    /// From now on nothing new is begun.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// A flag that nobody raises.
    #[must_use]
    pub fn never() -> Self {
        interrupt().1
    }

    /// # Errors
    /// [`ClusterError::Interrupted`] once the flag is up.
    pub fn check(&self) -> Result<(), ClusterError> {
        match *self.0.borrow() {
            true => Err(ClusterError::Interrupted),
            false => Ok(()),
        }
    }

    /// Sleeps, but not past the flag.
    pub(crate) async fn sleep(&self, time: std::time::Duration) {
        let mut seen = self.0.clone();
        let raised = async {
            if seen.wait_for(|raised| *raised).await.is_err() {
                // Nobody is left to raise it.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = raised => {}
        }
    }
}
