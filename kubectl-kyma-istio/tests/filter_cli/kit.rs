//! A plugin that goes on running, a policy, a registry.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::{Answer, Plugin};

impl Plugin {
    pub fn within(mut self, folder: &TempDir) -> Self {
        self.command.current_dir(folder.path());
        self
    }

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
        let sent = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
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

/// A folder with `policy.yaml`; its first three lines are the head.
pub fn policy(spec: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "apiVersion: policy.kyma-istio.dev/v1alpha1\nkind: HeaderPolicy\nmetadata: {{name: shop}}\n{spec}\n"
    );
    std::fs::write(folder.path().join("policy.yaml"), text).unwrap();
    folder
}

/// Debian's docker-registry on a free loopback port, open to everybody or to user `u` with password `p`.
pub struct Registry {
    child: Child,
    pub host: String,
    _folder: TempDir,
}

/// bcrypt of `p`.
const HASH: &str = "$2b$04$zWCp6bXgqiPkOC7a1T6bNOhNkgZlZnrI0mAn7aKeoXKIl/crgcYVa";

impl Registry {
    pub fn start(with_password: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("htpasswd"), format!("u:{HASH}\n")).unwrap();
        let auth = match with_password {
            true => format!(
                "auth:\n  htpasswd: {{realm: \"http://registry.example/\", path: {}}}\n",
                path("htpasswd")
            ),
            false => String::new(),
        };
        let config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n{auth}http:\n  addr: 127.0.0.1:{port}\n",
            path("storage")
        );
        std::fs::write(path("config.yml"), config).unwrap();
        let mut child = Command::new("docker-registry")
            .args(["serve", &path("config.yml")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("docker-registry: {error}: install Debian's package `docker-registry`")
            });
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "docker-registry doesn't listen");
            assert!(child.try_wait().unwrap().is_none(), "docker-registry ended");
            std::thread::yield_now();
        }
        Self {
            child,
            host: format!("127.0.0.1:{port}"),
            _folder: folder,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
