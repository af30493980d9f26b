//! Docker's credential helpers: `docker-credential-NAME get`, the registry on stdin, JSON on stdout.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;

use super::config::key;
use super::{Credentials, CredentialsError, Secret};
use crate::error::first_line;

/// Some ask a cloud; one that asks a person can't be waited for.
const PATIENCE: Duration = Duration::from_secs(15);
/// More than any answer.
const LARGEST: u64 = 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What the helper has; none if it says that it has nothing.
pub(super) fn ask(
    name: &str,
    registry: &str,
    folder: Option<&Path>,
) -> Result<Option<Credentials>, CredentialsError> {
    let program = format!("docker-credential-{name}");
    let failed = |problem: String| CredentialsError::Helper {
        program: program.clone(),
        problem,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !name.bytes().all(plain) {
        return Err(failed("isn't asked: its name is no file name".to_owned()));
    }
    let path = folder
        .map(|folder| folder.join(&program))
        .filter(|path| path.is_file());
    let child = start(
        &path.unwrap_or_else(|| PathBuf::from(&program)),
        key(registry),
    );
    let mut child = child.map_err(|error| failed(format!("can't be started: {error}")))?;
    let (stdout, stderr) = collect(&mut child)
        .ok_or_else(|| failed(format!("didn't answer within {} s", PATIENCE.as_secs())))?;
    let status = child
        .wait()
        .map_err(|error| failed(format!("is lost: {error}")))?;
    if !status.success() {
        let said =
            String::from_utf8_lossy(if stderr.is_empty() { &stdout } else { &stderr }).into_owned();
        return match said.contains("credentials not found")
            || String::from_utf8_lossy(&stdout).contains("credentials not found")
        {
            true => Ok(None),
            false => Err(failed(format!(
                "failed ({status}): {}",
                first_line(&String::from_utf8_lossy(&stderr))
            ))),
        };
    }
    let answer: Answer = serde_json::from_slice(&stdout)
        .map_err(|_| failed("answered something else than its JSON".to_owned()))?;
    Ok(Some(match answer.username.as_str() {
        "<token>" => Credentials::Identity(Secret::new(answer.secret)),
        _ => Credentials::Basic {
            username: answer.username,
            password: Secret::new(answer.secret),
        },
    }))
}

fn start(program: &Path, registry: &str) -> std::io::Result<Child> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that doesn't read says so by its status.
        let _unread = stdin.write_all(registry.as_bytes());
    }
    Ok(child)
}

/// Both outputs when both have ended; none, and the program dead, if that takes too long.
fn collect(child: &mut Child) -> Option<(Vec<u8>, Vec<u8>)> {
    let (done, both) = mpsc::channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let complaints = std::thread::spawn(move || all_of(stderr));
    std::thread::spawn(move || {
        let answer = all_of(stdout);
        // Nobody listens any more after the time is up.
        let _late = done.send((answer, complaints.join().unwrap_or_default()));
    });
    let found = both.recv_timeout(PATIENCE).ok();
    if found.is_none() {
        let _ended = child.kill();
        let _reaped = child.wait();
    }
    found
}

fn all_of(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _rest = pipe.take(LARGEST).read_to_end(&mut bytes);
    }
    bytes
}
