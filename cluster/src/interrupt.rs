//! Why work must stop, as a flag that is looked at between writes: a write is never cut in two.

use tokio::sync::watch;

use crate::error::ClusterError;
use crate::lease::{Lost, Term};

/// Why nothing new may be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// Ctrl-C.
    Asked,
    /// It is another command's turn, or may be soon.
    TurnLost(String),
}

/// Raised by who hears the signal.
#[derive(Debug, Clone)]
pub struct Raise(watch::Sender<Option<Halt>>);

/// Looked at by who works.
#[derive(Debug, Clone)]
pub struct Interrupt {
    flag: watch::Receiver<Option<Halt>>,
    /// Where a turn is held: how long.
    term: Option<Term>,
}

/// A flag and its two ends.
#[must_use]
pub fn interrupt() -> (Raise, Interrupt) {
    let (raise, seen) = watch::channel(None);
    (
        Raise(raise),
        Interrupt {
            flag: seen,
            term: None,
        },
    )
}

impl Raise {
    /// From now on nothing new is begun.
    pub fn raise(&self, why: Halt) {
        self.0.send_replace(Some(why));
    }
}

impl Interrupt {
    /// A flag that nobody raises.
    #[must_use]
    pub fn never() -> Self {
        interrupt().1
    }

    /// The same flag, up also when a turn's time is over: a process that stood still knows of no signal.
    #[must_use]
    pub fn until(self, term: Term) -> Self {
        Self {
            term: Some(term),
            ..self
        }
    }

    /// # Errors
    /// [`ClusterError::Interrupted`] or [`ClusterError::TurnLost`] once the flag is up.
    pub fn check(&self) -> Result<(), ClusterError> {
        match &*self.flag.borrow() {
            Some(why) => Err(why.error()),
            None if self.term.as_ref().is_some_and(Term::is_over) => {
                Err(Halt::TurnLost(Lost::NotRenewed.to_string()).error())
            }
            None => Ok(()),
        }
    }

    /// Sleeps, but not past the flag.
    pub(crate) async fn sleep(&self, time: std::time::Duration) {
        let mut seen = self.flag.clone();
        let raised = async {
            if seen.wait_for(Option::is_some).await.is_err() {
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

impl Halt {
    pub(crate) fn error(&self) -> ClusterError {
        match self {
            Self::Asked => ClusterError::Interrupted,
            Self::TurnLost(why) => ClusterError::TurnLost { why: why.clone() },
        }
    }
}
