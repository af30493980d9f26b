//! What a command did.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// The command line, for whoever reads a failure.
    line: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Runs it to its end, and tells how long it took.
    pub fn of(command: &mut Command) -> Self {
        let line = command_line(command);
        let started = Instant::now();
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("a program that starts");
        println!(
            "{:5.1} s, exit {}: {line}",
            started.elapsed().as_secs_f64(),
            status
        );
        Self {
            line,
            code: status.code().unwrap_or(-1),
            stdout: String::from_utf8(stdout).expect("UTF-8"),
            stderr: String::from_utf8(stderr).expect("UTF-8"),
        }
    }

    /// Runs it to its end, and does something else when its story has come to a line with this text.
    #[track_caller]
    pub fn while_at(command: &mut Command, text: &str, meanwhile: impl FnOnce()) -> Self {
        let line = command_line(command);
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("a program that starts");
        let mut story = BufReader::new(child.stderr.take().expect("its story"));
        let mut stderr = String::new();
        let mut meanwhile = Some(meanwhile);
        while let Ok(1..) = story.read_line(&mut stderr) {
            if stderr
                .lines()
                .last()
                .is_some_and(|line| line.contains(text))
                && let Some(meanwhile) = meanwhile.take()
            {
                meanwhile();
            }
        }
        let mut stdout = String::new();
        let mut answer = child.stdout.take().expect("its answer");
        answer.read_to_string(&mut stdout).expect("UTF-8");
        let status = child.wait().expect("a child");
        let ran = Self {
            line,
            code: status.code().unwrap_or(-1),
            stdout,
            stderr,
        };
        assert!(meanwhile.is_none(), "it never came to `{text}`: {ran}");
        ran
    }

    /// Stops the test unless it ended with this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Stops the test unless one of its outputs has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "expected `{text}` in: {self}"
        );
        self
    }

    /// Its answer, read as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in: {self}"))
    }
}

fn command_line(command: &Command) -> String {
    let arguments: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .collect();
    arguments.join(" ")
}

impl std::fmt::Display for Ran {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "`{}` exited with {}\n--- stdout\n{}--- stderr\n{}",
            self.line, self.code, self.stdout, self.stderr
        )
    }
}
