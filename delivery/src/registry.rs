//! A registry, by the OCI distribution specification 1.1: push with proof, pull with checked digests.
//!
//! Own code and no client library: the ones there are follow redirects to plain HTTP, and don't tell the steps that a
//! rehearsal has to show.

mod error;
pub(crate) mod http;
pub(crate) mod login;
mod session;

use std::fmt;
use std::io::Read;

use ::http::{Method, StatusCode, Uri};
use serde::Serialize;

pub use self::error::RegistryError;
pub use self::http::Options;
pub(crate) use self::session::{ImageFound, Session, image_of};

use self::http::{Answer, Ask, Http, Manner, host};
use self::login::Challenge;
use crate::credentials::Credentials;
use crate::digest::Digest;
use crate::error::first_line;
use crate::image::Image;
use crate::reference::Reference;

/// A registry that has answered once.
pub struct Registry {
    http: Http,
    root: Uri,
    /// Where the challenge came from, behind redirects.
    challenged: Uri,
    challenge: Challenge,
    realms: Vec<String>,
    credentials: Credentials,
}

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pushed {
    /// Pinned: what a WasmPlugin's `url` should say.
    pub reference: Reference,
    /// Of the manifest.
    pub digest: Digest,
    /// What the tag was before, if there was one and it was another.
    pub replaced: Option<Digest>,
    /// Bytes of the blobs that the registry didn't have.
    pub uploaded: u64,
}

/// What is being done to a repository, for scopes and messages.
#[derive(Clone, Copy)]
pub(crate) struct Doing<'a> {
    pub(crate) verb: Verb,
    pub(crate) repository: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Pull,
    Push,
}

impl Doing<'_> {
    pub(crate) fn scope(&self) -> String {
        let actions = if self.verb == Verb::Push {
            "pull,push"
        } else {
            "pull"
        };
        format!("repository:{}:{actions}", self.repository)
    }
}

impl fmt::Display for Doing<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.verb == Verb::Push {
            "push to"
        } else {
            "pull"
        };
        write!(formatter, "{verb} {}", self.repository)
    }
}

impl Registry {
    /// Asks the registry of a reference what it wants to see. HTTPS first; plain HTTP only if it speaks nothing else and
    /// the host is loopback or `options` allow it.
    ///
    /// # Errors
    /// It can't be reached, has no certificate to trust, or is no registry.
    pub fn connect(
        reference: &Reference,
        credentials: Credentials,
        options: &Options,
    ) -> Result<Self, RegistryError> {
        Self::connect_as(reference, credentials, options, Manner::Ours)
    }

    pub(crate) fn connect_as(
        reference: &Reference,
        credentials: Credentials,
        options: &Options,
        manner: Manner,
    ) -> Result<Self, RegistryError> {
        let http = Http::new(options, manner)?;
        let host = reference.registry();
        let (root, answer) = match ping(&http, "https", host) {
            Err(RegistryError::PlainHttp { .. }) if http.may_be_plain(host) => {
                ping(&http, "http", host)?
            }
            answer => answer?,
        };
        let challenge = match answer.status {
            StatusCode::OK => Challenge::Nothing,
            StatusCode::UNAUTHORIZED => Challenge::read(&answer.headers).ok_or_else(|| {
                http::wrong(&root, "it answers 401 without a challenge that we know")
            })?,
            status => {
                return Err(http::wrong(
                    &root,
                    &format!("it answers {status}, expected 200 or 401: is this a registry?"),
                ));
            }
        };
        Ok(Self {
            http,
            root,
            challenge,
            realms: login::realms(&answer.headers),
            challenged: answer.uri,
            credentials,
        })
    }

    pub(crate) fn parts(&self) -> (&Http, &Uri, &Challenge) {
        (&self.http, &self.root, &self.challenge)
    }

    /// What its challenges name as realms, URLs or not.
    pub(crate) fn realms(&self) -> &[String] {
        &self.realms
    }

    pub(crate) fn session<'a>(
        &'a self,
        verb: Verb,
        repository: &'a str,
    ) -> Result<Session<'a>, RegistryError> {
        let doing = Doing { verb, repository };
        let authorization = login::authorization(
            &self.http,
            &self.root,
            &self.challenged,
            &self.challenge,
            &self.credentials,
            &doing,
        )?;
        Ok(Session {
            registry: self,
            doing,
            authorization,
        })
    }

    /// What a reference is at the moment; none if it isn't there.
    ///
    /// # Errors
    /// The registry refuses or fails.
    pub fn head(&self, reference: &Reference) -> Result<Option<Digest>, RegistryError> {
        self.session(Verb::Pull, reference.repository())?
            .head(reference.asked())
    }

    /// Pushes an image, and reads all of it back: what is there afterwards is what was built here.
    ///
    /// # Errors
    /// The registry refuses or fails; what it stored is something else; the tag was moved meanwhile; the reference names
    /// the digest of another image. Nothing is written in the last case, and the tag is written last in all.
    pub fn push(&self, reference: &Reference, image: &Image) -> Result<Pushed, RegistryError> {
        let expected = image.digest();
        if let Some(named) = reference.digest().filter(|named| *named != expected) {
            return Err(other_image(reference, expected, named));
        }
        let session = self.session(Verb::Push, reference.repository())?;
        let target = reference.tag().unwrap_or_else(|| match reference.digest() {
            Some(digest) => digest.as_str(),
            None => "latest",
        });
        let before = session.head(target)?;
        let mut uploaded = 0;
        for blob in image.blobs() {
            uploaded += session.upload(blob)?;
        }
        for blob in image.blobs() {
            session.check_stored(blob)?;
        }
        session.put_manifest(target, image.manifest())?;
        let stored = session.manifest(expected.as_str())?;
        if stored.bytes != image.manifest().bytes() {
            return Err(session.corrupt("the manifest", stored.digest.to_string(), expected));
        }
        match session.head(target)? {
            Some(found) if found == *expected => {}
            Some(found) => return Err(other_image(reference, &found, expected)),
            None => return Err(session.not_found(format!("manifest {target}"))),
        }
        Ok(Pushed {
            reference: reference.pinned(expected),
            digest: expected.clone(),
            replaced: before.filter(|before| before != expected),
            uploaded,
        })
    }
}

fn other_image(reference: &Reference, found: &Digest, expected: &Digest) -> RegistryError {
    RegistryError::OtherImage {
        reference: reference.to_string(),
        found: found.clone(),
        expected: expected.clone(),
    }
}

fn ping(http: &Http, scheme: &str, host: &str) -> Result<(Uri, Answer), RegistryError> {
    let root = Uri::builder()
        .scheme(scheme)
        .authority(host)
        .path_and_query("/v2/")
        .build();
    let root = root.map_err(|_| RegistryError::UnknownHost {
        host: host.to_owned(),
    })?;
    let answer = http.send(&Ask {
        method: Method::GET,
        uri: &root,
        headers: &[],
        authorization: None,
        body: None,
    })?;
    Ok((root, answer))
}

/// Any answer that isn't the one hoped for.
pub(crate) fn denied(
    answer: Answer,
    doing: &Doing<'_>,
    credentials: &Credentials,
) -> RegistryError {
    let (host, doing, status) = (host(&answer.uri), doing.to_string(), answer.status);
    let cause = message(answer);
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied {
            host,
            doing,
            status: status.as_u16(),
            anonymous: *credentials == Credentials::Anonymous,
            cause,
        },
        status => RegistryError::Answer {
            host,
            doing,
            cause: format!("it answers {status} {cause}").trim_end().to_owned(),
        },
    }
}

/// `CODE: message` of the specification's error body, else nothing: other bodies are pages for browsers.
fn message(mut answer: Answer) -> String {
    let mut body = Vec::new();
    let _rest = answer
        .body
        .as_reader()
        .take(64 * 1024)
        .read_to_end(&mut body);
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| {
        body.pointer(&format!("/errors/0/{name}"))
            .and_then(serde_json::Value::as_str)
    };
    match (text("code"), text("message")) {
        (Some(code), Some(message)) => first_line(&format!("{code}: {message}")),
        (Some(code), None) => first_line(code),
        _ => String::new(),
    }
}
