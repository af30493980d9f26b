//! A plugin that goes on running.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::{Answer, Plugin};

impl Plugin {
    /// Starts it; its answer and its story go to files in this folder.
    pub fn start(mut self, folder: &TempDir) -> Started {
        let place = |name: &str| folder.path().join(name);
        let file = |name: &str| File::create(place(name)).unwrap();
        self.command.stdout(file("stdout")).stderr(file("stderr"));
        Started {
            child: self.command.spawn().unwrap(),
            folder: folder.path().to_owned(),
            _plugin: self,
        }
    }
}

/// A plugin that runs.
pub struct Started {
    child: Child,
    folder: PathBuf,
    _plugin: Plugin,
}

impl Started {
    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// Waits until its story has this.
    pub fn tells(&self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.text("stderr").contains(what) {
            assert!(
                Instant::now() < deadline,
                "no `{what}`: {}",
                self.text("stderr")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        // The shell's own `kill`.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -INT {}", self.child.id())])
            .status();
        assert!(sent.unwrap().success());
    }

    /// By a signal that nobody can handle.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn ends(mut self) -> Answer {
        let status = self.child.wait().unwrap();
        Answer {
            code: u8::try_from(status.code().unwrap()).unwrap(),
            stdout: self.text("stdout"),
            stderr: self.text("stderr"),
        }
    }
}
