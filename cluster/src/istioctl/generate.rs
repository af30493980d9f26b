//! `istioctl manifest generate`: an IstioOperator in, manifests out. No cluster, no kubeconfig.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::{Child, Istioctl, IstioctlError, error};

/// What is rendered.
#[derive(Debug, Clone, Copy)]
pub struct Generate<'a> {
    /// The IstioOperator, as YAML.
    pub operator: &'a str,
    /// `--manifests`: charts of another place than those in the program.
    pub manifests: Option<&'a Path>,
    /// It takes a third of a second; this is for machines under load.
    pub limit: Duration,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The manifests, as YAML of several documents.
    pub yaml: String,
    /// What it said on stderr although it went well, line by line.
    pub warnings: Vec<String>,
}

/// Renders.
///
/// # Errors
/// istioctl refuses the input, doesn't come to an end, or can't be run.
pub async fn generate(istioctl: &Istioctl, input: Generate<'_>) -> Result<Rendered, IstioctlError> {
    let unusable = |error: std::io::Error| IstioctlError::Unusable {
        path: istioctl.path.clone(),
        what: error.to_string(),
    };
    let Child { mut command, _home } = Child::new(&istioctl.path);
    command.args(["manifest", "generate", "--filename", "-"]);
    if let Some(folder) = input.manifests {
        command.arg("--manifests").arg(folder);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(unusable)?;
    let stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // It may end without reading all; then its status tells why.
            let _ended_early = stdin.write_all(input.operator.as_bytes()).await;
        }
    };
    let run = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = match tokio::time::timeout(input.limit, run).await {
        Ok(output) => output.map_err(unusable)?,
        Err(_) => return Err(IstioctlError::TimedOut { limit: input.limit }),
    };
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        let said = error::last_line(&output.stderr);
        let said = said
            .trim_start_matches("Error: ")
            .trim_start_matches("error: ")
            .to_owned();
        return Err(IstioctlError::Render { said, stderr });
    }
    let yaml = String::from_utf8(output.stdout).map_err(|_| IstioctlError::Render {
        said: "what it prints is no UTF-8".to_owned(),
        stderr: stderr.clone(),
    })?;
    let warnings = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    Ok(Rendered { yaml, warnings })
}
