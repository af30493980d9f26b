//! istio-agent's own fetcher (lab/tools/wasm-judge), a Go program.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde::Deserialize;
use tempfile::TempDir;

use super::repository_root;

#[derive(Debug, Deserialize)]
pub struct Verdict {
    pub digest: Option<String>,
    pub sha256: Option<String>,
    pub error: Option<String>,
}

/// What the agent makes of an image. None in the binary that runs without it.
pub fn judge(reference: &str, secret: Option<&[u8]>, digest: Option<&str>) -> Option<Verdict> {
    crate::AGENT.then(|| judge_with(reference, secret, digest, &[]))
}

/// With `WASM_INSECURE_REGISTRIES: "*"`.
pub fn judge_insecure(reference: &str) -> Option<Verdict> {
    crate::AGENT.then(|| judge_with(reference, None, None, &["-insecure", "*"]))
}

fn judge_with(
    reference: &str,
    secret: Option<&[u8]>,
    digest: Option<&str>,
    more: &[&str],
) -> Verdict {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let found = Command::new(repository_root().join("scripts/go-tools.sh"))
            .arg("wasm-judge")
            .output()
            .unwrap();
        assert!(
            found.status.success(),
            "{}",
            String::from_utf8_lossy(&found.stderr)
        );
        PathBuf::from(String::from_utf8(found.stdout).unwrap().trim()).join("wasm-judge")
    });
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(program);
    // No credentials of whoever runs the tests.
    command
        .env("DOCKER_CONFIG", folder.path())
        .env("HOME", folder.path())
        .env_remove("REGISTRY_AUTH_FILE")
        .env_remove("XDG_RUNTIME_DIR");
    if let Some(secret) = secret {
        let file = folder.path().join("secret.json");
        std::fs::write(&file, secret).unwrap();
        command.arg("-secret").arg(file);
    }
    if let Some(digest) = digest {
        command.args(["-digest", digest]);
    }
    let done = command.args(more).arg(reference).output().unwrap();
    assert!(
        done.status.success(),
        "wasm-judge: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    let stdout = String::from_utf8_lossy(&done.stdout);
    let line = stdout
        .lines()
        .rfind(|line| line.starts_with('{'))
        .unwrap_or_else(|| panic!("no verdict in {stdout:?}"));
    serde_json::from_str(line).unwrap()
}
