//! Progress on stderr: a line for each change of state, with the seconds since the command began to work.

use std::sync::Mutex;
use std::time::Instant;

use cluster::apply::Change;
use cluster::progress::{Event, Progress};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::download_progress::DownloadProgress;
use crate::printer::Printer;

/// Runs the work and prints what it tells, as it tells it.
pub async fn told<T>(printer: &mut Printer<'_>, work: impl AsyncFnOnce(&Told) -> T) -> T {
    let (sender, mut lines) = unbounded_channel();
    let told = Told {
        lines: sender,
        started: Instant::now(),
        is_terminal: printer.is_interactive(),
        download: Mutex::new(None),
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
    /// Somebody looks, so a download may draw a bar.
    is_terminal: bool,
    download: Mutex<Option<DownloadProgress>>,
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
            Event::Stopping { why } => self.say(why),
            Event::Ready { id } => self.say(&format!("    ready {id}")),
            Event::Downloading { what, bytes, of } => self.download(what, bytes, of),
            Event::StepFinished { .. } => {}
        }
    }
}

impl Told {
    fn download(&self, what: &str, bytes: u64, of: Option<u64>) {
        let Ok(mut download) = self.download.lock() else {
            return;
        };
        let progress = download
            .get_or_insert_with(|| DownloadProgress::new(what, bytes, of, self.is_terminal));
        let line = progress.update(bytes, of);
        if of.is_some_and(|of| bytes >= of) {
            *download = None;
        }
        if let Some(line) = line {
            self.say(&line);
        }
    }
}
