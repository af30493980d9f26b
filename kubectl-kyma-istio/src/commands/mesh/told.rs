//! Progress on stderr: a line for each change of state, with the seconds since the command began to work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cluster::apply::Change;
use cluster::progress::{Event, Progress};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::printer::Printer;

/// Runs the work and prints what it tells, as it tells it.
pub async fn told<T>(printer: &mut Printer<'_>, work: impl AsyncFnOnce(&Told) -> T) -> T {
    let (sender, mut lines) = unbounded_channel();
    let told = Told {
        lines: sender,
        started: Instant::now(),
        tenths: AtomicU64::new(0),
    };
    let work = work(&told);
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => printer.story(&line),
            result = &mut work => {
                while let Ok(line) = lines.try_recv() {
                    printer.story(&line);
                }
                return result;
            }
        }
    }
}

/// Takes events; what it makes of them is printed by [`told`].
pub struct Told {
    lines: UnboundedSender<String>,
    started: Instant,
    /// Tenths of the download that were told.
    tenths: AtomicU64,
}

impl Told {
    /// A line of the story.
    pub fn say(&self, line: &str) {
        let seconds = self.started.elapsed().as_secs();
        // The printer outlives the work.
        let _ = self.lines.send(format!("{seconds:>4} s  {line}"));
    }
}

impl Progress for Told {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::StepStarted {
                title, number, of, ..
            } => self.say(&format!("{number}/{of} {title}")),
            Event::Applied { id, change } => match change {
                Change::Created => self.say(&format!("    created {id}")),
                Change::Changed => self.say(&format!("    changed {id}")),
                Change::Unchanged => {}
            },
            Event::Deleted { id } => self.say(&format!("    deleted {id}")),
            Event::Waiting { id, why, .. } => self.say(&format!("    waiting for {id}: {why}")),
            Event::Ready { id } => self.say(&format!("    ready {id}")),
            Event::Downloading { what, bytes, of } => self.download(what, bytes, of),
            Event::StepFinished { .. } => {}
        }
    }
}

impl Told {
    /// A bar for each tenth; without a known size a line for each ten megabytes.
    fn download(&self, what: &str, bytes: u64, of: Option<u64>) {
        const MEGABYTE: u64 = 1_000_000;
        let tenth = match of {
            Some(of) => bytes.saturating_mul(10) / of.max(1),
            None => bytes / (10 * MEGABYTE),
        };
        if tenth == self.tenths.swap(tenth, Ordering::Relaxed) {
            return;
        }
        let megabytes = bytes / MEGABYTE;
        self.say(&match of {
            Some(of) => {
                let done = usize::try_from(tenth.min(10)).unwrap_or(10);
                let bar = format!("{}{}", "#".repeat(done), "-".repeat(10 - done));
                format!(
                    "downloading {what} [{bar}] {megabytes} of {} MB",
                    of / MEGABYTE
                )
            }
            None => format!("downloading {what}: {megabytes} MB"),
        });
    }
}
