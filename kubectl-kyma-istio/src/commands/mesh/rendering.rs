//! The real istioctl: found or downloaded, then it renders.

use std::time::Duration;

use cluster::interrupt::Interrupt;
use cluster::istioctl::{self, Generate, IstioctlError, Release, Sources};
use mesh::compose::Composed;
use mesh::versions::{Sha256, Version, versions};
use serde_json::Value;

use super::runtime;
use super::told::Told;
use crate::cli;
use crate::error::Error;

/// It takes a third of a second; this is for machines under load.
const LIMIT: Duration = Duration::from_secs(120);

/// An istioctl on this machine.
pub async fn find(
    flags: &cli::Istioctl,
    version: Version,
) -> Result<istioctl::Istioctl, IstioctlError> {
    let sources = Sources {
        flag: flags.istioctl.clone(),
        env: std::env::var_os("ISTIOCTL")
            .filter(|path| !path.is_empty())
            .map(Into::into),
        path: std::env::var_os("PATH"),
    };
    istioctl::find(&sources, &version.to_string()).await
}

/// The one that was found, or else one from the cache or the net.
pub async fn found_or_downloaded(
    found: Result<istioctl::Istioctl, IstioctlError>,
    flags: &cli::Istioctl,
    version: Version,
    told: &Told,
) -> Result<istioctl::Istioctl, Error> {
    match found {
        Err(missing @ IstioctlError::NotFound { .. }) => {
            let Some(release) = release(flags, version) else {
                return Err(missing.into());
            };
            let cache = runtime::cache()?;
            Ok(istioctl::download(&release, &cache, &Interrupt::never(), told).await?)
        }
        other => Ok(other?),
    }
}

/// None: this platform has no archive, or nobody knows its checksum.
fn release(flags: &cli::Istioctl, version: Version) -> Option<Release> {
    let archive = versions().istioctl.archive(version, &platform())?;
    let sha256: Sha256 = flags.istioctl_sha256.clone().or(archive.sha256)?;
    let url = match &flags.istioctl_base_url {
        None => archive.url,
        Some(base) => {
            let name = archive.url.rsplit('/').next().unwrap_or_default();
            let base = base.replace("{version}", &version.to_string());
            format!("{}/{name}", base.trim_end_matches('/'))
        }
    };
    Some(Release {
        version: version.to_string(),
        url,
        sha256: sha256.as_str().to_owned(),
    })
}

/// In the words of Istio's archives.
fn platform() -> String {
    let system = match std::env::consts::OS {
        "macos" => "osx",
        "windows" => "win",
        other => other,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "armv7",
        other => other,
    };
    format!("{system}-{machine}")
}

/// Renders; what istioctl warns of is told.
pub async fn generate(
    istioctl: &istioctl::Istioctl,
    composed: &Composed,
    flags: &cli::Istioctl,
    told: &Told,
) -> Result<String, Error> {
    let operator = yaml(&composed.operator)?;
    let input = Generate {
        operator: &operator,
        manifests: flags.manifests.as_deref(),
        limit: LIMIT,
    };
    let rendered = istioctl::generate(istioctl, input).await?;
    for warning in &rendered.warnings {
        told.say(&format!("istioctl: {warning}"));
    }
    Ok(rendered.yaml)
}

fn yaml(value: &Value) -> Result<String, Error> {
    corpus::yaml::write(value).map_err(|error| Error::input(error.to_string()))
}
