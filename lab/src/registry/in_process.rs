//! The OCI distribution specification 1.1, as much as is asked of it: a push of whole blobs, a pull of whole blobs. Everything else
//! is refused as unsupported, and nothing outlives the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Access, PASSWORD, USER, digest_of, token::Service};
use crate::{
    Result, SelfSigned,
    server::{Request, Response, Server},
};

/// What a registry keeps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Store {
    /// Blobs and manifests of all repositories, by digest.
    pub(super) bytes: BTreeMap<String, Vec<u8>>,
    /// Which repository has which blob: one doesn't show those of another.
    blobs: BTreeSet<(String, String)>,
    /// Media types, by repository and digest.
    manifests: BTreeMap<(String, String), String>,
    /// Digests, by repository and tag.
    tags: BTreeMap<(String, String), String>,
    /// Uploads that began and are not finished.
    uploads: BTreeSet<String>,
    begun: usize,
}

pub(super) type Shared = Arc<Mutex<Store>>;

enum Guard {
    Open,
    Password(String),
    Token(Service),
}

pub(super) fn start(
    access: &Access<'_>,
    tls: Option<&SelfSigned>,
    store: &Shared,
) -> Result<Server> {
    let guard = match access {
        Access::Everybody => Guard::Open,
        Access::Password { realm } => Guard::Password(format!("Basic realm=\"{realm}\"")),
        Access::Token { realm, certificate } => Guard::Token(Service::new(realm, certificate)?),
    };
    let (store, scheme) = (store.clone(), if tls.is_some() { "https" } else { "http" });
    Server::start("127.0.0.1:0", tls, move |request| {
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = guard
            .admits(request)
            .and_then(|()| store.answer(request, scheme));
        let response = answer.unwrap_or_else(|refusal| refusal);
        response.header("docker-distribution-api-version", "registry/2.0")
    })
}

impl Guard {
    fn admits(&self, request: &Request) -> std::result::Result<(), Response> {
        let challenge = match self {
            Self::Open => return Ok(()),
            Self::Password(challenge) => {
                let pair = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
                match request.authorization.as_deref() {
                    Some(basic) if basic == format!("Basic {pair}") => return Ok(()),
                    _ => challenge.clone(),
                }
            }
            Self::Token(service) => match service.refuses(request, wanted(request).as_ref()) {
                None => return Ok(()),
                Some(challenge) => challenge,
            },
        };
        Err(error(401, "UNAUTHORIZED", "authentication required")
            .header("www-authenticate", challenge))
    }
}

/// The repository that is asked for, and what is to be done there.
pub(super) fn wanted(request: &Request) -> Option<(String, &'static [&'static str])> {
    let (name, _) = Place::of(request.path.split('?').next()?)?;
    let actions: &[&str] = match request.method.as_str() {
        "GET" | "HEAD" => &["pull"],
        _ => &["pull", "push"],
    };
    Some((name.to_owned(), actions))
}

/// What a path names inside of a repository.
enum Place<'a> {
    Uploads,
    Upload(&'a str),
    Blob(&'a str),
    Manifest(&'a str),
}

impl<'a> Place<'a> {
    /// With the repository's name, which may have slashes.
    fn of(path: &'a str) -> Option<(&'a str, Self)> {
        let path = path.strip_prefix("/v2/")?;
        if let Some((name, upload)) = path.rsplit_once("/blobs/uploads/") {
            let place = match upload {
                "" => Self::Uploads,
                id => Self::Upload(id),
            };
            return Some((name, place));
        }
        if let Some((name, digest)) = path.rsplit_once("/blobs/") {
            return Some((name, Self::Blob(digest)));
        }
        let (name, reference) = path.rsplit_once("/manifests/")?;
        Some((name, Self::Manifest(reference)))
    }
}

type Answered = std::result::Result<Response, Response>;

impl Store {
    fn answer(&mut self, request: &Request, scheme: &str) -> Answered {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        if path == "/v2/" {
            return Ok(Response::new(200)
                .header("content-type", "application/json")
                .body("{}"));
        }
        let Some((name, place)) = Place::of(path) else {
            return Err(error(404, "NAME_UNKNOWN", "no such path"));
        };
        let method = match request.method.as_str() {
            "HEAD" => "GET",
            other => other,
        };
        match (method, place) {
            ("POST", Place::Uploads) => {
                self.begun += 1;
                let id = self.begun.to_string();
                // Absolute and with a query, as distribution's.
                let host = request.header("host").unwrap_or_default();
                let place = format!("{scheme}://{host}/v2/{name}/blobs/uploads/{id}?_state={id}");
                self.uploads.insert(id);
                Ok(Response::new(202).header("location", place))
            }
            ("PUT", Place::Upload(id)) => self.put_blob(request, name, id, query),
            ("GET", Place::Blob(digest)) => {
                let key = (name.to_owned(), digest.to_owned());
                let bytes = self
                    .blobs
                    .get(&key)
                    .and_then(|_| self.bytes.get(digest))
                    .ok_or_else(|| error(404, "BLOB_UNKNOWN", "blob unknown to registry"))?;
                Ok(Response::new(200)
                    .header("content-type", "application/octet-stream")
                    .header("docker-content-digest", digest)
                    .body(bytes.clone()))
            }
            ("GET", Place::Manifest(reference)) => {
                let digest = self
                    .tags
                    .get(&(name.to_owned(), reference.to_owned()))
                    .map_or(reference, String::as_str);
                let media_type = self.manifests.get(&(name.to_owned(), digest.to_owned()));
                let (Some(media_type), Some(bytes)) = (media_type, self.bytes.get(digest)) else {
                    return Err(error(404, "MANIFEST_UNKNOWN", "manifest unknown"));
                };
                Ok(Response::new(200)
                    .header("content-type", media_type)
                    .header("docker-content-digest", digest)
                    .body(bytes.clone()))
            }
            ("PUT", Place::Manifest(reference)) => self.put_manifest(request, name, reference),
            _ => Err(error(405, "UNSUPPORTED", "the operation is unsupported")),
        }
    }

    fn put_blob(&mut self, request: &Request, name: &str, id: &str, query: &str) -> Answered {
        if !self.uploads.remove(id) {
            return Err(error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown"));
        }
        let expected = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("digest="))
            .map(|digest| digest.replace("%3A", ":").replace("%3a", ":"));
        let found = digest_of(&request.body);
        if expected.as_ref() != Some(&found) {
            let said = "provided digest did not match uploaded content";
            return Err(error(400, "DIGEST_INVALID", said));
        }
        self.bytes.insert(found.clone(), request.body.clone());
        self.blobs.insert((name.to_owned(), found.clone()));
        Ok(created(name, "blobs", &found))
    }

    fn put_manifest(&mut self, request: &Request, name: &str, reference: &str) -> Answered {
        let digest = digest_of(&request.body);
        if reference.contains(':') && reference != digest {
            let said = "provided digest did not match uploaded content";
            return Err(error(400, "DIGEST_INVALID", said));
        }
        let media_type = request.header("content-type").unwrap_or_default();
        let manifest: Value = serde_json::from_slice(&request.body)
            .map_err(|_| error(400, "MANIFEST_INVALID", "manifest invalid"))?;
        if manifest["mediaType"].as_str().unwrap_or(&media_type) != media_type {
            let said = "the manifest's mediaType is not its Content-Type";
            return Err(error(400, "MANIFEST_INVALID", said));
        }
        let list = |member: &str| manifest[member].as_array().cloned().unwrap_or_default();
        let has = |one: &Value| {
            (
                name.to_owned(),
                one["digest"].as_str().unwrap_or("").to_owned(),
            )
        };
        let mut blobs = list("layers");
        blobs.extend(manifest.get("config").cloned());
        let complete = blobs.iter().all(|blob| self.blobs.contains(&has(blob)))
            && list("manifests")
                .iter()
                .all(|image| self.manifests.contains_key(&has(image)));
        if !complete {
            let said = "a blob or manifest that it names is unknown to the repository";
            return Err(error(400, "MANIFEST_BLOB_UNKNOWN", said));
        }
        self.bytes.insert(digest.clone(), request.body.clone());
        self.manifests
            .insert((name.to_owned(), digest.clone()), media_type);
        if !reference.contains(':') {
            let tag = (name.to_owned(), reference.to_owned());
            self.tags.insert(tag, digest.clone());
        }
        Ok(created(name, "manifests", &digest))
    }
}

fn created(name: &str, kind: &str, digest: &str) -> Response {
    Response::new(201)
        .header("location", format!("/v2/{name}/{kind}/{digest}"))
        .header("docker-content-digest", digest)
}

/// An error as the specification wants it.
fn error(status: u16, code: &str, message: &str) -> Response {
    let body = json!({"errors": [{"code": code, "message": message}]});
    Response::new(status)
        .header("content-type", "application/json")
        .body(body.to_string())
}
