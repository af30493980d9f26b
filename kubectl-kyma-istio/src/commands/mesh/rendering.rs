//! The real istioctl: found or downloaded, then it renders.

use std::time::Duration;

use cluster::istioctl::{self, Address, Generate, IstioctlError, Release, Sources};
use mesh::compose::Composed;
use mesh::versions::{Version, versions};
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
            let Some(release) = release(flags, version)? else {
                return Err(missing.into());
            };
            let cache = runtime::cache()?;
            Ok(istioctl::download(&release, &cache, told).await?)
        }
        other => Ok(other?),
    }
}

/// None: this platform has no archive.
fn release(flags: &cli::Istioctl, version: Version) -> Result<Option<Release>, IstioctlError> {
    let Some(archive) = versions().istioctl.archive(version, &platform()) else {
        return Ok(None);
    };
    let (folder, name) = archive.url.rsplit_once('/').unwrap_or_default();
    let version = version.to_string();
    let address = match mirror(flags) {
        Some(base) => Address::in_mirror(&base, &version, name)?,
        None => Address::in_folder(folder, name)?,
    };
    let sha256 = flags.istioctl_sha256.as_ref().or(archive.sha256.as_ref());
    Ok(Some(Release {
        version,
        address,
        sha256: sha256.map(|sum| sum.as_str().to_owned()),
    }))
}

/// For what is printed with the flags in it.
pub fn refuse_credentials(flags: &cli::Istioctl) -> Result<(), Error> {
    let Some(base) = &flags.istioctl_base_url else {
        return Ok(());
    };
    match Address::in_folder(base, "istioctl")?.has_credentials() {
        true => Err(Error::input_hint(
            "the Job would show the password in `--istioctl-base-url`",
            "let its container have $KYMA_ISTIO_ISTIOCTL_BASE_URL from a Secret",
        )),
        false => Ok(()),
    }
}

fn mirror(flags: &cli::Istioctl) -> Option<String> {
    let named = flags.istioctl_base_url.clone();
    named.or_else(|| {
        std::env::var("KYMA_ISTIO_ISTIOCTL_BASE_URL")
            .ok()
            .filter(|url| !url.is_empty())
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
