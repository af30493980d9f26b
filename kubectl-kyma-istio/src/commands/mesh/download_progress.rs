//! How far a download is: a bar on a terminal, elsewhere a line now and then.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(5);
const BAR: &str = "{msg} [{bar:30}] {percent:>3} %, {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
const COUNT: &str = "{msg}: {decimal_bytes}, {decimal_bytes_per_sec}";

/// One download.
pub struct DownloadProgress {
    /// On a terminal; removed when this is dropped.
    bar: Option<ProgressBar>,
    lines: Lines,
}

impl DownloadProgress {
    /// The first bytes came. `of` is missing where the server doesn't say how many there are.
    pub fn new(what: &str, bytes: u64, of: Option<u64>, is_terminal: bool) -> Self {
        let bar = is_terminal.then(|| bar(what, bytes, of));
        Self {
            bar,
            lines: Lines {
                what: what.to_owned(),
                began: Instant::now(),
                at: bytes,
                next: Duration::ZERO,
            },
        }
    }

    /// Moves the bar, or gives a line to print.
    pub fn update(&mut self, bytes: u64, of: Option<u64>) -> Option<String> {
        let is_done = of.is_some_and(|of| bytes >= of);
        match &self.bar {
            Some(bar) if !is_done => {
                bar.set_position(bytes);
                None
            }
            _ => self.lines.line(bytes, of, self.lines.began.elapsed()),
        }
    }
}

fn bar(what: &str, bytes: u64, of: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(of, ProgressDrawTarget::stderr());
    let template = if of.is_some() { BAR } else { COUNT };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bar
        .with_style(style.progress_chars("##-"))
        .with_message(format!("downloading {what}"))
        .with_finish(ProgressFinish::AndClear);
    // What an earlier run brought says nothing about the speed of this one.
    bar.set_position(bytes);
    bar.reset_eta();
    bar
}

struct Lines {
    what: String,
    began: Instant,
    /// What was there when it began.
    at: u64,
    /// The time of the next line.
    next: Duration,
}

impl Lines {
    /// The first one at once, the last one when all is there.
    fn line(&mut self, bytes: u64, of: Option<u64>, elapsed: Duration) -> Option<String> {
        let what = &self.what;
        let done = of.filter(|of| bytes >= *of);
        if done.is_none() && elapsed < self.next {
            return None;
        }
        self.next = elapsed + EVERY;
        let progress = match (done, of) {
            (Some(of), _) => return Some(format!("downloaded {what}, {}", megabytes(of))),
            (None, Some(of)) => {
                let percent = bytes.saturating_mul(100) / of.max(1);
                format!("{} of {}, {percent} %", megabytes(bytes), megabytes(of))
            }
            (None, None) => megabytes(bytes),
        };
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let rate = bytes
            .saturating_sub(self.at)
            .saturating_mul(1000)
            .checked_div(milliseconds);
        let speed = rate.map(|rate| format!(", {}/s", megabytes(rate)));
        Some(format!(
            "downloading {what}: {progress}{}",
            speed.unwrap_or_default()
        ))
    }
}

/// With one digit behind the point: `12.3 MB`.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(at: u64) -> Lines {
        Lines {
            what: "istioctl 1.30.2".to_owned(),
            began: Instant::now(),
            at,
            next: Duration::ZERO,
        }
    }

    #[test]
    fn a_line_at_once_then_every_five_seconds_and_one_at_the_end() {
        let (mut lines, of) = (lines(0), Some(30_000_000));
        let mut line = |bytes, seconds| lines.line(bytes, of, Duration::from_secs(seconds));
        assert_eq!(
            line(65_536, 0).as_deref(),
            Some("downloading istioctl 1.30.2: 0.0 MB of 30.0 MB, 0 %")
        );
        assert_eq!(line(6_000_000, 4), None);
        assert_eq!(
            line(12_340_000, 5).as_deref(),
            Some("downloading istioctl 1.30.2: 12.3 MB of 30.0 MB, 41 %, 2.4 MB/s")
        );
        assert_eq!(line(20_000_000, 9), None);
        assert_eq!(
            line(30_000_000, 9).as_deref(),
            Some("downloaded istioctl 1.30.2, 30.0 MB")
        );
    }

    #[test]
    fn the_speed_counts_what_this_run_brought() {
        let mut lines = lines(20_000_000);
        assert_eq!(
            lines
                .line(22_000_000, Some(40_000_000), Duration::from_secs(2))
                .as_deref(),
            Some("downloading istioctl 1.30.2: 22.0 MB of 40.0 MB, 55 %, 1.0 MB/s")
        );
    }

    #[test]
    fn an_unknown_size_is_left_out() {
        let mut lines = lines(0);
        assert_eq!(
            lines
                .line(5_000_000, None, Duration::from_secs(10))
                .as_deref(),
            Some("downloading istioctl 1.30.2: 5.0 MB, 0.5 MB/s")
        );
    }
}
