//! One running server, for as long as somebody holds it.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use crate::{Error, Result, error::Doing, tools::tail, wait};

/// A server and a watchman who ends it should we end first (a `static`, an abort).
pub(super) struct Process {
    name: String,
    log: PathBuf,
    server: Child,
    watchman: Child,
    _held: Option<ChildStdin>,
}

impl Process {
    /// Starts a server in `folder`, which is also its working directory and its home; all it says goes to `NAME.log` there.
    /// Should we end without dropping it, `folder` goes with it.
    pub(super) fn start(program: &Path, folder: &Path, args: &[String]) -> Result<Self> {
        Self::start_with(program, folder, args, &[])
    }

    /// The same with more environment variables.
    pub(super) fn start_with(
        program: &Path,
        folder: &Path,
        args: &[String],
        environment: &[(String, String)],
    ) -> Result<Self> {
        let name = program
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let log = folder.join(format!("{name}.log"));
        let said = File::create(&log).doing(|| "making a log".into())?;
        let also = said.try_clone().doing(|| "making a log".into())?;
        let server = Command::new(program)
            .args(args)
            .current_dir(folder)
            // Nothing of this machine's settings reaches it: no proxy, no kubeconfig.
            .env_clear()
            .env("HOME", folder)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(said)
            .stderr(also)
            .spawn()
            .doing(|| format!("starting {}", program.display()))?;
        let (watchman, held) = watch(&server, program, folder)?;
        Ok(Self {
            name,
            log,
            server,
            watchman,
            _held: held,
        })
    }

    /// Waits for an answer, but no longer than the server lives.
    pub(super) fn wait_for<T>(
        &mut self,
        what: &str,
        mut ask: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let answer = wait::until(what, PATIENCE, || match self.server.try_wait() {
            Ok(None) => ask(),
            Ok(Some(status)) => Err(Error::Tool {
                program: self.name.clone(),
                status: status.to_string(),
                stderr: self.last_words(),
            }),
            Err(source) => Err(Error::Io {
                what: format!("looking after {}", self.name),
                source,
            }),
        });
        match answer {
            Err(Error::Deadline { what, limit }) => Err(Error::Deadline {
                what: format!("{what}; {} says: {}", self.name, self.last_words()),
                limit,
            }),
            answer => answer,
        }
    }

    /// All that it has said.
    pub(super) fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.server.id()
    }

    fn last_words(&self) -> String {
        format!(
            "{}; the whole log: {}",
            tail(&self.log(), 3),
            self.log.display()
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for child in [&mut self.watchman, &mut self.server] {
            // Both fail only when there is nothing left to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The watchman's input ends when we do, however that happens. He ends the process only if that is still our server.
fn watch(server: &Child, program: &Path, folder: &Path) -> Result<(Child, Option<ChildStdin>)> {
    let mut watchman = Command::new("sh")
        .arg("-c")
        .arg(r#"read -r _; [ "$(readlink "/proc/$1/exe")" = "$2" ] && kill -9 "$1"; rm -rf "$3""#)
        .arg("watchman")
        .arg(server.id().to_string())
        .arg(fs::canonicalize(program).doing(|| "finding a program".into())?)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C and `timeout` end our whole group; he is to come after that.
        .process_group(0)
        .spawn()
        .doing(|| "starting the watchman".into())?;
    let held = watchman.stdin.take();
    Ok((watchman, held))
}

/// Starts a server that must be told its ports. Between our look and its bind, another process may take one; then it
/// ends, saying so, and gets others.
pub(super) fn on_free_ports<const PORTS: usize, T>(
    mut start: impl FnMut([SocketAddr; PORTS]) -> Result<T>,
) -> Result<T> {
    let mut attempts = 5;
    loop {
        attempts -= 1;
        match start(free_ports()?) {
            Err(Error::Tool { stderr, .. })
                if attempts > 0 && stderr.contains("address already in use") => {}
            done => return done,
        }
    }
}

fn free_ports<const PORTS: usize>() -> Result<[SocketAddr; PORTS]> {
    // Held together, so that they differ.
    let held: io::Result<Vec<TcpListener>> = (0..PORTS)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    let addresses: io::Result<Vec<SocketAddr>> =
        held.and_then(|held| held.iter().map(TcpListener::local_addr).collect());
    addresses
        .and_then(|found| {
            found
                .try_into()
                .map_err(|_| io::Error::from(ErrorKind::AddrNotAvailable))
        })
        .doing(|| format!("looking for {PORTS} free ports"))
}

/// A cold start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
