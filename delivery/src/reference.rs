//! References to images, read as istio-agent reads them (go-containerregistry's `name.ParseReference`).

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::digest::Digest;

/// `oci://host/repository:tag@sha256:…`. Without a tag and a digest, the tag is `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why it is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "found the reference `{reference}`: {problem}; expected `oci://host/repository:tag`, or with `@sha256:…`"
)]
pub struct InvalidReference {
    reference: String,
    problem: String,
}

const DOCKER_HUB: &str = "index.docker.io";

impl Reference {
    /// Host, and port where there is one: `registry.example.com:5000`. Docker Hub is `index.docker.io`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// `team/filter`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag as written. [`Self::asked`] says what a registry is asked for.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest as written: only this image will do.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a registry is asked for: the digest, else the tag, else `latest`. With a digest, nobody looks at the tag.
    #[must_use]
    pub fn asked(&self) -> &str {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        }
    }

    /// The same repository and tag, pinned: what a WasmPlugin's `url` should say.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self {
            digest: Some(digest.clone()),
            ..self.clone()
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "oci://{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        parse(text).map_err(|problem| InvalidReference {
            reference: crate::error::first_line(text),
            problem,
        })
    }
}

fn parse(text: &str) -> Result<Reference, String> {
    let rest = match text.split_once("://") {
        Some(("oci", rest)) => rest,
        Some((scheme, _)) => return Err(format!("its scheme is `{scheme}`")),
        None => text,
    };
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => {
            let digest = digest
                .parse()
                .map_err(|_| "what follows `@` is no SHA-256")?;
            (rest, Some(digest))
        }
        None => (rest, None),
    };
    // A colon before the last slash belongs to a port.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
        _ => (rest, None),
    };
    if let Some(tag) = &tag {
        check_tag(tag)?;
    }
    let (registry, repository) = split(name);
    check_registry(&registry)?;
    check_repository(&repository)?;
    Ok(Reference {
        registry,
        repository,
        tag,
        digest,
    })
}

/// The first part is a host if it could be no repository of Docker Hub.
fn split(name: &str) -> (String, String) {
    match name.split_once('/') {
        Some(("docker.io", repository)) => (DOCKER_HUB.to_owned(), official(repository)),
        Some((host, repository)) if host.contains(['.', ':']) || host == "localhost" => {
            (host.to_owned(), repository.to_owned())
        }
        _ => (DOCKER_HUB.to_owned(), official(name)),
    }
}

/// Docker Hub keeps `alpine` as `library/alpine`.
fn official(repository: &str) -> String {
    match repository.contains('/') {
        true => repository.to_owned(),
        false => format!("library/{repository}"),
    }
}

fn check_registry(registry: &str) -> Result<(), String> {
    let authority: Result<http::uri::Authority, _> = registry.parse();
    match authority {
        Ok(authority) if !authority.as_str().contains('@') && !authority.host().is_empty() => {
            Ok(())
        }
        _ => Err(format!("`{registry}` is no host")),
    }
}

fn check_repository(repository: &str) -> Result<(), String> {
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-./".contains(&byte);
    let empty_part = repository.split('/').any(str::is_empty);
    // `..` would leave the repository's own paths.
    let dots = repository
        .split('/')
        .any(|part| part == "." || part == "..");
    if (2..=255).contains(&repository.len())
        && repository.bytes().all(known)
        && !empty_part
        && !dots
    {
        return Ok(());
    }
    Err(format!(
        "the repository `{repository}` isn't 2 to 255 of lower-case letters, digits and `_-./`"
    ))
}

fn check_tag(tag: &str) -> Result<(), String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if (1..=128).contains(&tag.len()) && tag.bytes().all(known) {
        return Ok(());
    }
    Err(format!(
        "the tag `{tag}` isn't 1 to 128 of letters, digits and `_-.`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn read(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn reads_host_repository_tag_and_digest() {
        let text = format!("oci://registry.example.com:5000/team/filter:1.2@sha256:{HEX}");
        let found = read(&text);
        assert_eq!(found.registry(), "registry.example.com:5000");
        assert_eq!(found.repository(), "team/filter");
        assert_eq!(found.tag(), Some("1.2"));
        assert_eq!(found.digest().unwrap().hex(), HEX);
        assert_eq!(found.asked(), format!("sha256:{HEX}"));
        assert_eq!(found.to_string(), text);
    }

    #[test]
    fn a_port_is_no_tag() {
        let found = read("localhost:5000/filter");
        assert_eq!(
            (found.registry(), found.tag(), found.asked()),
            ("localhost:5000", None, "latest")
        );
    }

    #[test]
    fn docker_hub_has_two_names_and_a_library() {
        let found = read("docker.io/filter:1");
        assert_eq!(
            (found.registry(), found.repository()),
            ("index.docker.io", "library/filter")
        );
        assert_eq!(
            read("team/filter"),
            read("oci://index.docker.io/team/filter")
        );
    }

    #[test]
    fn refuses_what_no_registry_has() {
        for text in [
            "",
            "oci://",
            "http://host.example/filter",
            "host.example/Filter",
            "host.example/a/../../b",
            "host.example/filter:",
            "host.example/filter@sha256:12",
            "host.example/filter@md5:12",
            "u:p@host.example/filter",
            "host.example//filter",
            "host.example/filter:a b",
            "host.example/filter\r\nx",
            "ho st.example/filter",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?} was taken");
        }
    }
}
