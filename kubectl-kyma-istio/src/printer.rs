//! The only writer: answers on stdout, the story on stderr, colours where they are wanted.

use std::fmt::Arguments;
use std::io::{self, BufRead, Write};

use anstyle::{AnsiColor, Color};
use serde::Serialize;

use crate::error::{Error, exit};
use crate::redact;
#[cfg(feature = "mesh")]
use crate::report::MeshBody;
use crate::report::{Body, Report, ReportForm};
use crate::settings::Settings;

/// Writes for one command.
pub struct Printer<'a> {
    settings: &'a Settings,
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
}

/// What a piece of text is to the reader; how it looks is decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Strong,
    Good,
    Bad,
    Faint,
}

/// Text for people, built line by line.
#[derive(Debug)]
pub struct Text {
    colour: bool,
    text: String,
}

impl<'a> Printer<'a> {
    pub fn new(
        settings: &'a Settings,
        stdout: &'a mut dyn Write,
        stderr: &'a mut dyn Write,
    ) -> Self {
        Self {
            settings,
            stdout,
            stderr,
        }
    }

    /// Writes an answer; its exit code. A reader that goes away (`| head -1`, `| true`) changes no verdict.
    pub fn report(&mut self, report: &Report) -> u8 {
        match self.write(report).map_err(Error::from) {
            Ok(()) | Err(Error::Closed) => report.exit_code(),
            Err(error) => self.error(&error),
        }
    }

    /// Writes an answer that is not the last one.
    pub fn answer(&mut self, report: &Report) -> Result<(), Error> {
        Ok(self.write(report)?)
    }

    /// Writes text for another program; its exit code.
    pub fn raw(&mut self, text: &str) -> u8 {
        let written = self.stdout.write_all(text.as_bytes());
        match written.and_then(|()| self.stdout.flush()) {
            Ok(()) => exit::DONE,
            Err(error) => self.error(&error.into()),
        }
    }

    /// Writes one line of a long answer.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Error> {
        serde_json::to_writer(&mut *self.stdout, value).map_err(io::Error::from)?;
        Ok(self.stdout.write_all(b"\n")?)
    }

    /// Writes one line of a log as it came, without what a terminal would take for a command.
    pub fn log_line(&mut self, line: &str) -> Result<(), Error> {
        let mut text = Text::new(false);
        text.line(format_args!("{}", line.replace('\t', " ")));
        self.stdout.write_all(text.text.as_bytes())?;
        Ok(self.stdout.flush()?)
    }

    /// Lets a reader see what was written so far.
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(self.stdout.flush()?)
    }

    /// Tells the story. Nothing depends on whether it is heard.
    pub fn story(&mut self, line: &str) {
        let mut text = Text::new(self.settings.colour_stderr);
        text.line(format_args!("{line}"));
        let _ = self.stderr.write_all(text.text.as_bytes());
    }

    /// Tells a piece of the story that has several lines.
    pub fn tell(&mut self, write: impl FnOnce(&mut Text)) {
        let mut text = Text::new(self.settings.colour_stderr);
        write(&mut text);
        let _ = self.stderr.write_all(text.text.as_bytes());
    }

    /// Asks for a yes.
    pub fn confirm(&mut self, question: &str, stdin: &mut dyn BufRead) -> bool {
        let _ = write!(self.stderr, "{question} [y/N] ");
        let _ = self.stderr.flush();
        let mut answer = String::new();
        let read = stdin.read_line(&mut answer).is_ok();
        read && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// Is there somebody who can be asked?
    pub fn is_interactive(&self) -> bool {
        self.settings.interactive
    }

    /// Writes why there is no answer; its exit code.
    pub fn error(&mut self, error: &Error) -> u8 {
        if !matches!(error, Error::Closed) {
            let mut text = Text::new(self.settings.colour_stderr);
            let label = text.styled(Style::Bad, "error:");
            for (number, line) in error.to_string().lines().enumerate() {
                let label = if number == 0 { &label } else { " " };
                text.line(format_args!("{label} {line}"));
            }
            if let Some(hint) = error.hint() {
                text.hint(&hint);
            }
            let _ = self.stderr.write_all(text.text.as_bytes());
        }
        error.exit_code()
    }

    /// Writes clap's answer: help and version are answers, all else is wrong usage. Clap repeats what it doesn't understand, be it a token; `secrets` are arguments that are some.
    pub fn usage(&mut self, error: &clap::Error, secrets: &[String]) -> u8 {
        let rendered = error.render();
        let (to, colour, code): (&mut dyn Write, bool, u8) = if error.use_stderr() {
            (self.stderr, self.settings.colour_stderr, exit::INVALID)
        } else {
            (self.stdout, self.settings.colour_stdout, exit::DONE)
        };
        let plain = rendered.to_string();
        let shown = redact::usage(&plain, secrets);
        // What had to be changed is shown without colours: an escape could split a token.
        let text = if colour && shown == plain {
            rendered.ansi().to_string()
        } else {
            shown
        };
        let _ = to.write_all(text.as_bytes());
        code
    }

    fn write(&mut self, report: &Report) -> io::Result<()> {
        let story = match &report.body {
            Body::Batch(batch) => Some(batch.story()),
            Body::Served(served) => Some(served.story()),
            _ => None,
        };
        if let Some(story) = story {
            self.story(&story);
            return self.stdout.flush();
        }
        match (report.form, &report.body) {
            // Manifests are an answer to another program: nothing is changed in them.
            #[cfg(feature = "mesh")]
            (ReportForm::Yaml, Body::Mesh(MeshBody::Rendered(rendered))) => {
                self.stdout.write_all(rendered.yaml()?.as_bytes())?;
            }
            (_, Body::Script(script)) => self.stdout.write_all(script.as_bytes())?,
            (ReportForm::Json, body) => {
                serde_json::to_writer_pretty(&mut *self.stdout, body)?;
                self.stdout.write_all(b"\n")?;
            }
            (ReportForm::Yaml, body) => {
                let text = corpus::yaml::write(body).map_err(io::Error::other)?;
                self.stdout.write_all(text.as_bytes())?;
            }
            (ReportForm::Junit, body) => {
                let text = body.junit().to_string().map_err(io::Error::other)?;
                self.stdout.write_all(text.as_bytes())?;
            }
            (ReportForm::Table, body) => {
                let mut text = Text::new(self.settings.colour_stdout);
                human(body, &mut text);
                self.stdout.write_all(text.text.as_bytes())?;
            }
        }
        self.stdout.flush()
    }
}

fn human(body: &Body, text: &mut Text) {
    match body {
        Body::Validation(validation) => validation.human(text),
        Body::Simulation(simulation) => simulation.human(text),
        Body::Tests(tests) => tests.human(text),
        Body::Version(version) => version.human(text),
        Body::Listening(listening) => listening.human(text),
        Body::CompletionInstalled(installed) => installed.human(text),
        Body::Schema(_) | Body::Script(_) | Body::Batch(_) | Body::Served(_) => {}
        #[cfg(feature = "mesh")]
        Body::Mesh(body) => body.human(text),
    }
}

impl Text {
    fn new(colour: bool) -> Self {
        Self {
            colour,
            text: String::new(),
        }
    }

    /// What somebody writes, without colours.
    #[cfg(all(test, feature = "mesh"))]
    pub fn plain(write: impl FnOnce(&mut Self)) -> String {
        let mut text = Self::new(false);
        write(&mut text);
        text.text
    }

    /// Adds a line. Neither tokens nor control characters of the user's text can reach the terminal.
    pub fn line(&mut self, line: Arguments<'_>) {
        for character in redact::anything(&line.to_string()).trim_end().chars() {
            match Style::ALL.iter().find(|style| style.mark() == character) {
                Some(style) if self.colour => {
                    self.text.push_str(&style.ansi().render().to_string())
                }
                _ if character == END && self.colour => {
                    self.text.push_str(&anstyle::Reset.render().to_string())
                }
                _ if character.is_control() => self.text.push('\u{fffd}'),
                _ => self.text.push(character),
            }
        }
        self.text.push('\n');
    }

    /// Adds a hint.
    pub fn hint(&mut self, hint: &str) {
        let label = self.styled(Style::Faint, "hint:");
        self.line(format_args!("  {label} {hint}"));
    }

    /// A piece of a line.
    pub fn styled(&self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{}{text}{END}", style.mark())
        } else {
            text.to_owned()
        }
    }
}

/// Ends a style within a line. Private use: the user's text has none, and if it had, it would get a colour and nothing else.
const END: char = '\u{f8ff}';

impl Style {
    const ALL: [Self; 4] = [Self::Strong, Self::Good, Self::Bad, Self::Faint];

    const fn mark(self) -> char {
        match self {
            Self::Strong => '\u{f8f0}',
            Self::Good => '\u{f8f1}',
            Self::Bad => '\u{f8f2}',
            Self::Faint => '\u{f8f3}',
        }
    }

    const fn ansi(self) -> anstyle::Style {
        let bold = anstyle::Style::new().bold();
        match self {
            Self::Strong => bold,
            Self::Good => bold.fg_color(Some(Color::Ansi(AnsiColor::Green))),
            Self::Bad => bold.fg_color(Some(Color::Ansi(AnsiColor::Red))),
            Self::Faint => anstyle::Style::new().dimmed(),
        }
    }
}
