//! One running Envoy.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Access, Bootstrap, Client, Error, RawRequest, Response, Result,
    error::Doing,
    http1, render,
    tools::{envoy_binary, output, tail},
    wait,
};

/// A running Envoy with one worker. It ends when this is dropped, and also when the test process ends without dropping
/// (a `static`, an abort).
pub struct Envoy {
    // Dropped first: the process must be gone before its folder.
    process: Process,
    folder: Option<TempDir>,
    log: PathBuf,
    admin: SocketAddr,
    listeners: HashMap<String, SocketAddr>,
}

impl Envoy {
    /// Starts Envoy and waits until it is ready.
    pub fn start(bootstrap: &Bootstrap) -> Result<Self> {
        let binary = envoy_binary(bootstrap.version.as_deref())?;
        let folder = TempDir::with_prefix("lab-envoy-").doing(|| "making a folder".into())?;
        let log = folder.path().join(LOG);
        write(&folder.path().join(ACCESS_LOG), b"")?;
        let config = render::bootstrap(bootstrap, &folder.path().join(ACCESS_LOG))?;
        write(&folder.path().join(CONFIG), config.to_string().as_bytes())?;
        let process = Process::start(&binary, folder.path(), &bootstrap.log_level)?;
        let mut envoy = Self {
            folder: Some(folder),
            log,
            process,
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            listeners: HashMap::new(),
        };
        match envoy.become_ready() {
            Ok(()) => Ok(envoy),
            Err(error) => {
                envoy.keep_folder();
                Err(error)
            }
        }
    }

    /// Where a listener listens.
    pub fn listener(&self, name: &str) -> Result<SocketAddr> {
        self.listeners
            .get(name)
            .copied()
            .ok_or_else(|| Error::Unusable(format!("this Envoy has no listener `{name}`")))
    }

    /// A counter or gauge by its full name.
    pub fn stat(&self, name: &str) -> Result<Option<u64>> {
        let filter: String = name.bytes().map(|byte| format!("%5Cx{byte:02x}")).collect();
        let text = self.admin(&format!("/stats?filter=^{filter}$"))?;
        let value = text.lines().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            (known == name).then(|| value.parse().ok())?
        });
        Ok(value)
    }

    /// The body of a GET at the admin interface, such as `/stats` or `/config_dump`.
    pub fn admin(&self, path: &str) -> Result<String> {
        self.ask_admin("GET", path)
    }

    /// The body of a POST at the admin interface, such as `/logging?wasm=debug`.
    pub fn admin_post(&self, path: &str) -> Result<String> {
        self.ask_admin("POST", path)
    }

    /// What became of the request with this `x-lab-id`. Waits for the log to be flushed, so for many requests ask
    /// [`Envoy::accesses`] once.
    pub fn access(&self, id: &str) -> Result<Access> {
        let mut found = self.accesses(&[id])?;
        Ok(found.remove(0))
    }

    /// What became of the requests with these ids, in their order. A request that Envoy refused while parsing it has no id in
    /// the log; look for the `details` in [`Envoy::access_log`] then.
    pub fn accesses(&self, ids: &[&str]) -> Result<Vec<Access>> {
        let what = format!("{} requests in the access log, {ids:.60?}", ids.len());
        wait::until(&what, FLUSH_PATIENCE, || {
            let lines = self.access_log()?.into_iter();
            let mut known: HashMap<String, Access> = lines
                .filter_map(|line| Some((line.id.clone()?, line)))
                .collect();
            Ok(ids.iter().map(|id| known.remove(*id)).collect())
        })
    }

    /// The access log as far as it has been flushed, which takes some milliseconds.
    pub fn access_log(&self) -> Result<Vec<Access>> {
        let text = read(&self.log.with_file_name(ACCESS_LOG))?;
        Ok(text.lines().filter_map(Access::read).collect())
    }

    /// Everything Envoy has logged.
    pub fn log(&self) -> Result<String> {
        read(&self.log)
    }

    /// The log file, for messages.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// CPU time that the process has used, in user and kernel mode together.
    pub fn cpu_time(&self) -> Result<Duration> {
        let stat = read(Path::new(&format!("/proc/{}/stat", self.process.id())))?;
        // The command in brackets may hold spaces; utime and stime are the 12th and 13th after it.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |place: usize| {
            fields
                .get(place)
                .and_then(|field| field.parse::<u64>().ok())
        };
        match (ticks(11), ticks(12)) {
            (Some(user), Some(system)) => {
                Ok(Duration::from_secs(user + system) / ticks_per_second()?)
            }
            _ => Err(http1::broken("a process's stat line", stat.as_bytes())),
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    fn become_ready(&mut self) -> Result<()> {
        let file = self.log.with_file_name(ADMIN_ADDRESS);
        self.admin = self.wait_for("the admin address", |_| {
            Ok(fs::read_to_string(&file)
                .ok()
                .and_then(|text| text.trim().parse().ok()))
        })?;
        self.wait_for("readiness", |envoy| {
            let answer = envoy.ask("GET", "/ready");
            Ok(answer.ok().filter(|answer| answer.status == 200))
        })?;
        self.listeners = self.wait_for("listeners", |envoy| {
            let json = envoy.admin("/listeners?format=json")?;
            Ok(addresses(&json))
        })?;
        Ok(())
    }

    /// Waits, but no longer than the process lives.
    fn wait_for<T>(
        &mut self,
        what: &str,
        mut ask: impl FnMut(&Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let answer = wait::until(what, PATIENCE, || {
            if let Some(status) = self.process.ended()? {
                return Err(self.complaint(format!("did not start: {status}")));
            }
            ask(self)
        });
        match answer {
            Err(late @ Error::Deadline { .. }) => {
                Err(self.complaint(format!("did not start: {late}")))
            }
            answer => answer,
        }
    }

    fn complaint(&self, why: String) -> Error {
        Error::Envoy {
            why,
            tail: tail(&self.log().unwrap_or_default(), 3),
            log: self.log.clone(),
        }
    }

    fn ask_admin(&self, method: &str, path: &str) -> Result<String> {
        let answer = self.ask(method, path)?;
        if answer.status == 200 {
            return Ok(String::from_utf8_lossy(&answer.body).into_owned());
        }
        Err(Error::Protocol {
            expected: "200 from the admin interface",
            found: format!("{} for {path}", answer.status),
        })
    }

    fn ask(&self, method: &str, path: &str) -> Result<Response> {
        let request = RawRequest {
            method: method.into(),
            ..RawRequest::get(path)
        };
        Client::new().send(self.admin, &request)
    }

    fn keep_folder(&mut self) {
        self.folder.take().map(TempDir::keep);
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if thread::panicking() {
            self.keep_folder();
            let _ = writeln!(
                std::io::stderr(),
                "Envoy's files are kept beside {}",
                self.log.display()
            );
        }
    }
}

/// The process, and a watchman who ends it should we end first.
struct Process {
    envoy: Child,
    watchman: Child,
    _held: Option<ChildStdin>,
}

impl Process {
    fn start(binary: &Path, folder: &Path, log_level: &str) -> Result<Self> {
        let (level, components) = log_level.split_once(',').unwrap_or((log_level, ""));
        let mut envoy = Command::new(binary);
        envoy
            .arg("--config-path")
            .arg(folder.join(CONFIG))
            .arg("--admin-address-path")
            .arg(folder.join(ADMIN_ADDRESS))
            .arg("--log-path")
            .arg(folder.join(LOG))
            .args(["--log-level", level])
            // No shared memory and no base id, so any number of them runs side by side.
            .args(["--disable-hot-restart", "--concurrency", "1"])
            .args(["--file-flush-interval-msec", "10"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("stderr")).doing(|| "making a log".into())?);
        if !components.is_empty() {
            envoy.args(["--component-log-level", components]);
        }
        let envoy = envoy
            .spawn()
            .doing(|| format!("starting {}", binary.display()))?;
        // Its input ends when we do, however that happens. It ends the process only if that is still our Envoy.
        let mut watchman = Command::new("sh")
            .arg("-c")
            .arg(r#"read -r _; [ "$(readlink "/proc/$1/exe")" = "$2" ] && kill -9 "$1"; rm -rf "$3""#)
            .arg("watchman")
            .arg(envoy.id().to_string())
            .arg(fs::canonicalize(binary).doing(|| "finding Envoy".into())?)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .doing(|| "starting the watchman".into())?;
        let held = watchman.stdin.take();
        Ok(Self {
            envoy,
            watchman,
            _held: held,
        })
    }

    fn id(&self) -> u32 {
        self.envoy.id()
    }

    fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        self.envoy.try_wait().doing(|| "looking after Envoy".into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for child in [&mut self.watchman, &mut self.envoy] {
            // Both fail only when there is nothing left to end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Listeners by name, once all of them have a port.
fn addresses(json: &str) -> Option<HashMap<String, SocketAddr>> {
    let json: Value = serde_json::from_str(json).ok()?;
    let Some(all) = json["listener_statuses"].as_array() else {
        return Some(HashMap::new());
    };
    all.iter()
        .map(|one| {
            let socket = &one["local_address"]["socket_address"];
            let port = socket["port_value"].as_u64().filter(|port| *port != 0)?;
            let ip = socket["address"].as_str()?.parse().ok()?;
            let name = one["name"].as_str()?.to_owned();
            Some((name, SocketAddr::new(ip, port.try_into().ok()?)))
        })
        .collect()
}

fn ticks_per_second() -> Result<u32> {
    let text = output(Command::new("getconf").arg("CLK_TCK"))?;
    text.trim()
        .parse()
        .map_err(|_| http1::broken("ticks per second", text.as_bytes()))
}

pub(crate) fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).doing(|| format!("reading {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).doing(|| format!("writing {}", path.display()))
}

const CONFIG: &str = "envoy.json";
const ADMIN_ADDRESS: &str = "admin-address";
const LOG: &str = "envoy.log";
const ACCESS_LOG: &str = "access.jsonl";

const FLUSH_PATIENCE: Duration = Duration::from_secs(10);

/// Loading a module takes seconds on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
