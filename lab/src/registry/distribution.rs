//! The registry of the distribution project, built from its Go module.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{Access, USER};
use crate::{Error, Result, SelfSigned, error::Doing, kubernetes::program};

/// A process with a folder of its own.
pub(super) struct Process {
    child: Child,
    pub(super) host: String,
    folder: TempDir,
}

/// bcrypt of [`super::PASSWORD`].
const HASH: &str = "$2b$04$ZfJIPQZh0yj/rFSqWETZZO1uQvQp3Q4IWZBVl067U7q2b/IcfavAq";
const LIMIT: Duration = Duration::from_secs(20);

impl Process {
    pub(super) fn start(access: &Access<'_>, tls: Option<&SelfSigned>) -> Result<Self> {
        let folder = TempDir::with_prefix("lab-registry-").doing(|| "making a folder".into())?;
        let path = |name: &str| folder.path().join(name);
        let host = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .doing(|| "finding a free port".into())?
            .to_string();
        let (config, passwords) = (path("config.yml"), path("htpasswd"));
        let write = |file: &PathBuf, text: String| {
            fs::write(file, text).doing(|| format!("writing {}", file.display()))
        };
        write(&passwords, format!("{USER}:{HASH}\n"))?;
        let auth = match access {
            Access::Everybody => String::new(),
            Access::Password { realm } => format!(
                "auth:\n  htpasswd: {{realm: \"{realm}\", path: {}}}\n",
                passwords.display()
            ),
            Access::Token { realm, certificate } => format!(
                "auth:\n  token: {{realm: \"{realm}\", service: tests, issuer: tests, rootcertbundle: {}}}\n",
                certificate.certificate().display()
            ),
        };
        let tls = tls.map_or(String::new(), |tls| {
            format!(
                "  tls: {{certificate: {}, key: {}}}\n",
                tls.certificate().display(),
                tls.key().display()
            )
        });
        let storage = path("storage").display().to_string();
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage:\n  filesystem: {{rootdirectory: {storage}}}\n{auth}\
             http:\n  addr: {host}\n{tls}"
        );
        write(&config, text)?;
        let log = fs::File::create(path("log")).doing(|| "making a log".into())?;
        let child = Command::new(program("registry", "registry")?)
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .doing(|| "starting the registry".into())?;
        let mut process = Self {
            child,
            host,
            folder,
        };
        process.wait()?;
        Ok(process)
    }

    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while TcpStream::connect(&self.host).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(Error::Tool {
                    program: "registry".into(),
                    status: status.to_string(),
                    stderr: crate::tools::tail(&log, 3),
                });
            }
            if Instant::now() > deadline {
                return Err(Error::Deadline {
                    what: "a registry that listens".into(),
                    limit: LIMIT,
                });
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Where it keeps the bytes of `sha256:…`.
    pub(super) fn file(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.folder.path().join(format!(
            "storage/docker/registry/v2/blobs/sha256/{}/{hex}/data",
            hex.get(..2).unwrap_or_default()
        ))
    }

    pub(super) fn is_untouched(&self) -> bool {
        !self.folder.path().join("storage/docker").exists()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
