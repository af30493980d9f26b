//! When a command is told to end.

use crate::error::Error;

/// Ctrl-C, or SIGTERM where there is one.
pub struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Stop {
    #[cfg(unix)]
    pub fn new() -> Result<Self, Error> {
        use tokio::signal::unix::SignalKind;
        Ok(Self {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
            hangup: None,
        })
    }

    /// Also when the terminal is closed. Not for what somebody may leave to itself with `nohup`.
    #[cfg(unix)]
    pub fn with_hangup() -> Result<Self, Error> {
        Ok(Self {
            hangup: Some(hear(tokio::signal::unix::SignalKind::hangup())?),
            ..Self::new()?
        })
    }

    #[cfg(unix)]
    pub async fn wait(&mut self) {
        let hung_up = async {
            match &mut self.hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hung_up => {}
        }
    }

    #[cfg(not(unix))]
    pub fn new() -> Result<Self, Error> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    pub fn with_hangup() -> Result<Self, Error> {
        Self::new()
    }

    #[cfg(not(unix))]
    pub async fn wait(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(unix)]
fn hear(kind: tokio::signal::unix::SignalKind) -> Result<tokio::signal::unix::Signal, Error> {
    tokio::signal::unix::signal(kind)
        .map_err(|error| Error::input(format!("can't hear signals: {error}")))
}
