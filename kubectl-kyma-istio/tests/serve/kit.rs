//! A server under test, and a client that writes what it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

pub const POLICY: &str = "\
apiVersion: policy.kyma-istio.dev/v1alpha1
kind: HeaderPolicy
metadata: {name: shop}
spec:
  position: Gateway
  forwarded: {trust: {hops: 1}, outbound: Replace, clientIpHeader: x-client-ip, deny: [203.0.113.66/32]}
";

/// For whatever a test waits for; reached only when it fails.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn token(name: &str) -> String {
    let file = root().join(format!("examples/tokens/{name}.jwt"));
    std::fs::read_to_string(file).unwrap().trim().to_owned()
}

pub fn plugin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-kyma_istio"));
    command.args(["filter", "serve"]);
    command
}

/// A running server. It is killed when the test is over.
pub struct Serve {
    pub child: Child,
    pub address: String,
    pub listening: Value,
    pub folder: tempfile::TempDir,
    stderr: Arc<Told>,
}

/// What a process that ended left.
pub struct Stopped {
    pub code: Option<i32>,
    pub stderr: String,
}

#[derive(Default)]
struct Told {
    /// The lines, and whether there will be no more.
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Serve {
    pub fn policy(policy: &str) -> Self {
        Self::policy_with(policy, &[])
    }

    pub fn policy_with(policy: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, policy).unwrap();
        let mut server = Self::file(&file, arguments);
        server.folder = folder;
        server
    }

    pub fn file(policy: &Path, arguments: &[&str]) -> Self {
        let mut child = plugin()
            .args(["--listen", "127.0.0.1:0", "-o", "json", "--policy"])
            .arg(policy)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = Arc::new(Told::default());
        let (told, lines) = (stderr.clone(), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || told.read(lines));
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:?}\n{}", stderr.all()));
        let url = listening["url"].as_str().unwrap();
        Self {
            child,
            address: url.strip_prefix("http://").unwrap().to_owned(),
            listening,
            folder: tempfile::tempdir().unwrap(),
            stderr,
        }
    }

    pub fn policy_path(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    pub fn get(&self, path: &str, headers: &str) -> Answer {
        self.raw(&format!(
            "GET {path} HTTP/1.1\r\nhost: shop.example\r\n{headers}connection: close\r\n\r\n"
        ))
    }

    /// Sends bytes and reads until the server closes.
    pub fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Answer::read(&String::from_utf8(answer).unwrap())
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// Waits for a line on stderr.
    pub fn line(&self, line: &str) {
        self.lines(line, 1);
    }

    /// Waits until a line stands on stderr so many times.
    pub fn lines(&self, line: &str, times: usize) {
        let count = |lines: &[String]| lines.iter().filter(|other| *other == line).count();
        self.told(&format!("{times} times `{line}`"), |lines| {
            (count(lines) >= times).then_some(())
        });
    }

    /// Waits for a line on stderr that begins so.
    pub fn line_from(&self, start: &str) -> String {
        self.told(&format!("`{start}…`"), |lines| {
            lines.iter().find(|line| line.starts_with(start)).cloned()
        })
    }

    fn told<T>(&self, wanted: &str, find: impl Fn(&[String]) -> Option<T>) -> T {
        let until = Instant::now() + DEADLINE;
        let mut lines = self.stderr.lines.lock().unwrap();
        loop {
            if let Some(found) = find(&lines.0) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !lines.1, "no {wanted} in {:#?}", lines.0);
            lines = self.stderr.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// All lines so far.
    pub fn all_lines(&self) -> Vec<String> {
        self.stderr.lines.lock().unwrap().0.clone()
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            // The shell's own `kill`.
            Command::new("sh")
                .args(["-c", &format!("kill {signal} {pid}")])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Stops it as a service manager does.
    pub fn stop(self) -> Stopped {
        self.signal("-TERM");
        self.ended()
    }

    /// Waits until it has ended by itself.
    pub fn ended(mut self) -> Stopped {
        let code = self.child.wait().unwrap().code();
        let stderr = {
            let lines = self.stderr.lines.lock().unwrap();
            let ended = self
                .stderr
                .more
                .wait_timeout_while(lines, DEADLINE, |lines| !lines.1);
            ended.unwrap().0.0.join("\n")
        };
        Stopped { code, stderr }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Told {
    fn read(&self, lines: impl std::io::BufRead) {
        for line in lines.lines() {
            self.lines.lock().unwrap().0.push(line.unwrap());
            self.more.notify_all();
        }
        self.lines.lock().unwrap().1 = true;
        self.more.notify_all();
    }

    fn all(&self) -> String {
        let lines = self.lines.lock().unwrap();
        let ended = self
            .more
            .wait_timeout_while(lines, DEADLINE, |lines| !lines.1);
        ended.unwrap().0.0.join("\n")
    }
}

/// An HTTP answer, read to its end.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status,
            headers: headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| other == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} more than once");
        value
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }
}
