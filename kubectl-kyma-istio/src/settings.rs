//! What surrounds a command: the terminal. Read once, in `main`; tests pass their own.

use std::io::IsTerminal as _;

use anstream::{AutoStream, ColorChoice};

/// What surrounds a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Colours on stdout.
    pub colour_stdout: bool,
    /// Colours on stderr.
    pub colour_stderr: bool,
    /// Somebody sits there who can be asked.
    pub interactive: bool,
}

impl Settings {
    /// No colours, and nobody to ask.
    #[must_use]
    pub const fn plain() -> Self {
        Self {
            colour_stdout: false,
            colour_stderr: false,
            interactive: false,
        }
    }

    /// As the process finds it: `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb` and pipes are honoured.
    #[must_use]
    pub fn of_terminal() -> Self {
        Self {
            colour_stdout: AutoStream::choice(&std::io::stdout()) != ColorChoice::Never,
            colour_stderr: AutoStream::choice(&std::io::stderr()) != ColorChoice::Never,
            interactive: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
        }
    }
}
