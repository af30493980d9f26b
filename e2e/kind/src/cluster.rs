//! kubectl, and waiting.

use std::fmt::Display;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// On two busy cores a pod with a proxy takes 15 seconds, a module 5.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Looks until there is an answer, and stops the test with the last reason when there is none in two minutes.
///
/// # Panics
/// The deadline has passed.
#[track_caller]
pub fn until<T, E: Display>(what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        let why = match look() {
            Ok(found) => return found,
            Err(why) => why,
        };
        assert!(
            Instant::now() < end,
            "after {PATIENCE:?} still waiting for {what}: {why}"
        );
        thread::sleep(PAUSE);
    }
}

/// One call of kubectl.
#[derive(Debug)]
pub struct Kubectl {
    arguments: Vec<String>,
    input: Option<String>,
}

/// kubectl as `$KUBECONFIG` says.
#[must_use]
pub fn kubectl<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Kubectl {
    Kubectl {
        arguments: arguments.into_iter().map(str::to_owned).collect(),
        input: None,
    }
}

impl Kubectl {
    /// In this namespace.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        self.arguments.insert(0, format!("--namespace={namespace}"));
        self
    }

    /// With this on stdin.
    #[must_use]
    pub fn given(mut self, input: String) -> Self {
        self.input = Some(input);
        self
    }

    /// What it prints.
    ///
    /// # Errors
    /// Its exit code is not 0: the command line and what it said.
    pub fn tried(self) -> Result<String, String> {
        let mut command = Command::new("kubectl");
        command
            .arg("--request-timeout=30s")
            .args(&self.arguments)
            .stdin(if self.input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("kubectl: {error}"))?;
        if let (Some(input), Some(mut stdin)) = (self.input, child.stdin.take()) {
            // A kubectl that ends early says why itself.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child
            .wait_with_output()
            .map_err(|error| format!("kubectl: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "kubectl {}: {}",
            self.arguments.join(" "),
            said.trim()
        ))
    }

    /// What it prints.
    ///
    /// # Panics
    /// Its exit code is not 0.
    #[track_caller]
    pub fn done(self) -> String {
        self.tried().unwrap_or_else(|why| panic!("{why}"))
    }

    /// What it prints, read as JSON.
    ///
    /// # Panics
    /// Its exit code is not 0, or that is no JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.done()).expect("JSON of kubectl")
    }
}
