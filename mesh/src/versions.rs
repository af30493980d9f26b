//! `versions.toml` as values: which Istio, which Kubernetes, which Envoy, which istioctl.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

static VERSIONS: LazyLock<Versions> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the file is compiled in, and a test reads all of it"
    )]
    toml::from_str(include_str!("../../versions.toml")).expect("versions.toml is well-formed")
});

/// The versions that this build knows.
#[must_use]
pub fn versions() -> &'static Versions {
    &VERSIONS
}

/// What `versions.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// Istio itself.
    pub istio: Istio,
    /// The clusters that the supported Istio minors accept.
    pub kubernetes: Kubernetes,
    /// The proxies that the filter is tested in.
    pub envoy: Envoy,
    /// The renderer and its download.
    pub istioctl: Istioctl,
}

/// Istio's versions and images.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Istio {
    /// What is installed when nothing else is asked for.
    pub default: Version,
    /// Image flavour: a suffix of the tag.
    pub flavour: String,
    /// The newest known release of the minor before the default's.
    pub older: Version,
    /// Minors that `install` and `upgrade` bring.
    pub supported: Vec<Minor>,
    /// Minors that are rendered, compared, verified and checked: the supported ones and their neighbours.
    pub rendered: Vec<Minor>,
    /// Image roots, the default first.
    pub hubs: Vec<Hub>,
}

/// A place that Istio's images come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// A short name, for flags and messages.
    pub name: String,
    /// The root: images are `hub/pilot:tag`, `hub/proxyv2:tag`, `hub/install-cni:tag`.
    pub hub: String,
}

/// Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// The oldest minor accepted.
    pub minimum: Minor,
}

/// The range of Envoy minors that the filter's tests run in, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envoy {
    /// The oldest.
    pub oldest: Minor,
    /// The newest.
    pub newest: Minor,
}

/// Where istioctl is downloaded from, and what its archives must hash to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Istioctl {
    base: String,
    archives: BTreeMap<String, String>,
    sha256: BTreeMap<Version, BTreeMap<String, Sha256>>,
}

/// An archive of istioctl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where it is.
    pub url: String,
    /// What it hashes to; without it the sum counts that is published beside it.
    pub sha256: Option<Sha256>,
}

impl Istio {
    /// The tag of the images of `version`: with the flavour.
    #[must_use]
    pub fn tag(&self, version: Version) -> String {
        format!("{version}-{}", self.flavour)
    }

    /// Whether `install` and `upgrade` bring this minor.
    #[must_use]
    pub fn supports(&self, minor: Minor) -> bool {
        self.supported.contains(&minor)
    }

    /// Why this minor is not installed, as the end of a sentence; None where it is supported.
    #[must_use]
    pub fn unsupported(&self, minor: Minor) -> Option<String> {
        let minors: Vec<String> = self.supported.iter().map(Minor::to_string).collect();
        let list = minors.join(" and ");
        (!self.supports(minor))
            .then(|| format!("not supported by this release of the plugin, which installs {list}"))
    }

    /// Whether this minor can be rendered.
    #[must_use]
    pub fn renders(&self, minor: Minor) -> bool {
        self.rendered.contains(&minor)
    }

    /// A release of this minor as a flag takes it: the one that is known, or `1.30.PATCH`.
    #[must_use]
    pub fn release_of(&self, minor: Minor) -> String {
        let mut known = [self.default, self.older].into_iter();
        known
            .find(|version| version.minor() == minor)
            .map_or_else(|| format!("{minor}.PATCH"), |version| version.to_string())
    }

    /// The default image root.
    #[must_use]
    pub fn hub(&self) -> &str {
        self.hubs.first().map_or("", |hub| &hub.hub)
    }
}

impl Envoy {
    /// Whether the filter is tested in this Envoy.
    #[must_use]
    pub fn contains(&self, version: Version) -> bool {
        (self.oldest..=self.newest).contains(&version.minor())
    }
}

impl Istioctl {
    /// Platforms that Istio publishes an archive for, as in `linux-amd64`.
    pub fn platforms(&self) -> impl Iterator<Item = &str> {
        self.archives.keys().map(String::as_str)
    }

    /// The archive of a version for a platform, if there is one for that platform.
    #[must_use]
    pub fn archive(&self, version: Version, platform: &str) -> Option<Archive> {
        let fill = |text: &str| text.replace("{version}", &version.to_string());
        let name = self.archives.get(platform)?;
        let sums = self.sha256.get(&version);
        Some(Archive {
            url: format!("{}/{}", fill(&self.base), fill(name)),
            sha256: sums.and_then(|sums| sums.get(platform)).cloned(),
        })
    }
}

/// A release, `1.30.2`. A flavour behind it (`1.30.2-distroless`) is read and dropped: Kyma's version rules ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

/// A release line, `1.30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

/// A SHA-256, as 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sha256(String);

/// A text that is no version, minor or checksum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found `{found}`, expected {expected}")]
pub struct InvalidVersion {
    found: String,
    expected: &'static str,
}

impl Version {
    /// Its release line.
    #[must_use]
    pub fn minor(self) -> Minor {
        Minor {
            major: self.major,
            minor: self.minor,
        }
    }
}

impl Sha256 {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let release = text
            .split_once(['-', '+'])
            .map_or(text, |(release, _)| release);
        match numbers(release.strip_prefix('v').unwrap_or(release))[..] {
            [Some(major), Some(minor), Some(patch)] => Ok(Self {
                major,
                minor,
                patch,
            }),
            _ => Err(InvalidVersion {
                found: text.to_owned(),
                expected: "a version such as `1.30.2`",
            }),
        }
    }
}

impl FromStr for Minor {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        match numbers(text)[..] {
            [Some(major), Some(minor)] => Ok(Self { major, minor }),
            _ => Err(InvalidVersion {
                found: text.to_owned(),
                expected: "a minor version such as `1.30`",
            }),
        }
    }
}

impl FromStr for Sha256 {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(is_hex) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidVersion {
            found: text.to_owned(),
            expected: "a SHA-256 as 64 lower-case hex digits",
        })
    }
}

/// The numbers between dots; what is no plain number is `None`.
fn numbers(text: &str) -> Vec<Option<u32>> {
    let number = |part: &str| {
        let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse().ok()).flatten()
    };
    text.split('.').map(number).collect()
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Reads a text field by its `FromStr`.
macro_rules! deserialize_text {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}
deserialize_text!(Version, Minor, Sha256);
