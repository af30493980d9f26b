//! Image references, and the Istio version that a tag tells.

use std::fmt;

use crate::versions::Minor;

/// An Istio version. Flavours of its images (`-distroless`, `-debug`, a FIPS build's number) are no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// 1.
    pub major: u32,
    /// 30.
    pub minor: u32,
    /// 2.
    pub patch: u32,
    /// `rc.0`: sorts before the release.
    pub pre: Option<String>,
}

/// An image reference in its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Image {
    /// The whole reference.
    pub reference: String,
    /// What stands between the last `:` and a digest.
    pub tag: Option<String>,
}

impl Image {
    /// Takes a reference apart; any text is one.
    #[must_use]
    pub fn parse(reference: &str) -> Self {
        let name = reference
            .split_once('@')
            .map_or(reference, |(name, _)| name);
        let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
        Self {
            reference: reference.to_owned(),
            tag: last.split_once(':').map(|(_, tag)| tag.to_owned()),
        }
    }

    /// The version that the tag tells; None for digests and for tags of another form.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        Version::parse(self.tag.as_deref()?)
    }

    /// The flavour behind the version: `distroless`.
    #[must_use]
    pub fn flavour(&self) -> Option<&str> {
        self.tag
            .as_deref()?
            .split('-')
            .find(|part| matches!(*part, "distroless" | "debug"))
    }
}

impl Version {
    /// Reads `1.30.2`, `1.30.2-distroless`, `1.31.0-rc.0-distroless`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let mut numbers = parts
            .next()?
            .split('.')
            .map(|number| number.parse::<u32>().ok());
        let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        if numbers.next().is_some() {
            return None;
        }
        let pre: Vec<&str> = parts.filter(|part| !is_flavour(part)).collect();
        let pre = (!pre.is_empty()).then(|| pre.join("-"));
        Some(Self {
            major,
            minor,
            patch,
            pre,
        })
    }
}

impl Version {
    /// Its release line.
    #[must_use]
    pub fn line(&self) -> Minor {
        Minor {
            major: self.major,
            minor: self.minor,
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch);
        // A release stands behind its candidates.
        let pre = |v: &Self| (v.pre.is_none(), v.pre.clone());
        numbers(self)
            .cmp(&numbers(other))
            .then_with(|| pre(self).cmp(&pre(other)))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        self.pre.as_ref().map_or(Ok(()), |pre| write!(f, "-{pre}"))
    }
}

impl serde::Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reference)
    }
}

fn is_flavour(part: &str) -> bool {
    matches!(part, "distroless" | "debug")
        || (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_the_version_and_the_flavour() {
        let image = Image::parse("host.example:5000/a/pilot:1.30.2-distroless@sha256:00");
        assert_eq!(
            image.version().map(|v| v.to_string()).as_deref(),
            Some("1.30.2")
        );
        assert_eq!(image.flavour(), Some("distroless"));
        assert_eq!(
            Image::parse("a/pilot-fips:1.30.2-1").version(),
            Version::parse("1.30.2")
        );
        for none in [
            "host.example:5000/a/pilot",
            "a/pilot@sha256:00",
            "pilot:latest",
            "pilot:1.30",
            "pilot:1.2.3.4",
            "",
        ] {
            assert_eq!(Image::parse(none).version(), None, "{none}");
        }
    }

    #[test]
    fn a_candidate_is_older_than_its_release() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("1.31.0-rc.0-distroless") < version("1.31.0"));
        assert!(version("1.9.9") < version("1.10.0"));
        assert_eq!(version("1.30.2"), version("1.30.2-distroless"));
    }
}
