//! Requests about one repository: blobs and manifests, up and down, with checked digests.

use std::io::Read;

use ::http::{Method, StatusCode, Uri, header};

use super::http::{Answer, Ask, host};
use super::{Doing, Registry, RegistryError, denied, message};
use crate::credentials::Secret;
use crate::digest::{Digest, Hashing};
use crate::error::first_line;
use crate::image::Blob;
use crate::layout::{
    self, DOCKER_LIST, DOCKER_MANIFEST, Descriptor, LARGEST, LARGEST_MANIFEST, OCI_INDEX,
    OCI_MANIFEST,
};

/// One repository, for as long as one access token holds.
pub(crate) struct Session<'a> {
    pub(super) registry: &'a Registry,
    pub(super) doing: Doing<'a>,
    pub(super) authorization: Option<Secret>,
}

/// A manifest as it came.
pub(crate) struct Fetched {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
}

/// What can come back for a manifest.
const MANIFESTS: [&str; 4] = [OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_LIST];

impl Session<'_> {
    /// A manifest by tag or digest; checked against the digest.
    pub(crate) fn manifest(&self, asked: &str) -> Result<Fetched, RegistryError> {
        let what = format!("manifest {asked} in {}", self.doing.repository);
        let mut answer = self.get(&format!("manifests/{asked}"), &what)?;
        let media_type = answer
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media_type = media_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        let bytes = self.body(&mut answer, LARGEST_MANIFEST, &what)?;
        let digest = Digest::of(&bytes);
        match asked.parse::<Digest>() {
            Ok(expected) if expected != digest => {
                Err(self.corrupt(&what, digest.to_string(), &expected))
            }
            _ => Ok(Fetched {
                bytes,
                media_type,
                digest,
            }),
        }
    }

    /// A blob, checked. Its size is looked at before it is fetched.
    pub(crate) fn blob(&self, blob: &Descriptor) -> Result<Vec<u8>, RegistryError> {
        let what = format!("blob {} in {}", blob.digest, self.doing.repository);
        let expected: Digest = blob
            .digest
            .parse()
            .map_err(|error: crate::digest::InvalidDigest| self.answer(error.to_string()))?;
        if blob.size > LARGEST {
            return Err(RegistryError::TooLarge {
                host: self.host(),
                what,
                size: blob.size,
                limit: LARGEST,
            });
        }
        let mut answer = self.get(&format!("blobs/{expected}"), &what)?;
        let bytes = self.body(&mut answer, blob.size, &what)?;
        match Digest::of(&bytes) {
            found if found == expected => Ok(bytes),
            found => Err(self.corrupt(&what, found.to_string(), &expected)),
        }
    }

    pub(super) fn head(&self, asked: &str) -> Result<Option<Digest>, RegistryError> {
        let answer = self.send(
            Method::HEAD,
            &self.uri(&format!("manifests/{asked}"))?,
            None,
        )?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::OK => {
                let digest = answer
                    .headers
                    .get("docker-content-digest")
                    .and_then(|value| value.to_str().ok());
                match digest.map(str::parse) {
                    Some(Ok(digest)) => Ok(Some(digest)),
                    // The header is optional: then the manifest itself says it.
                    _ => self.manifest(asked).map(|found| Some(found.digest)),
                }
            }
            _ => Err(denied(answer, &self.doing, &self.registry.credentials)),
        }
    }

    /// Bytes that went over, none if the registry has the blob.
    pub(super) fn upload(&self, blob: &Blob) -> Result<u64, RegistryError> {
        let there = self.send(
            Method::HEAD,
            &self.uri(&format!("blobs/{}", blob.digest()))?,
            None,
        )?;
        if there.status == StatusCode::OK {
            return Ok(0);
        }
        let begun = self.send(
            Method::POST,
            &self.uri("blobs/uploads/")?,
            Some(("application/octet-stream", b"")),
        )?;
        if begun.status != StatusCode::ACCEPTED {
            return Err(denied(begun, &self.doing, &self.registry.credentials));
        }
        let location = self.registry.http.next(&begun)?;
        let joint = if location.query().is_some() { '&' } else { '?' };
        let target = format!("{location}{joint}digest={}", blob.digest());
        let target: Uri = target
            .parse()
            .map_err(|_| self.answer("it names no address for an upload".to_owned()))?;
        let done = self.send(
            Method::PUT,
            &target,
            Some(("application/octet-stream", blob.bytes())),
        )?;
        self.stored(done, "an uploaded blob", blob)?;
        Ok(blob.bytes().len() as u64)
    }

    pub(super) fn put_manifest(&self, target: &str, manifest: &Blob) -> Result<(), RegistryError> {
        let uri = self.uri(&format!("manifests/{target}"))?;
        let done = self.send(
            Method::PUT,
            &uri,
            Some((manifest.media_type(), manifest.bytes())),
        )?;
        self.stored(done, "the manifest", manifest)
    }

    /// 201 and, where the registry says what it has, our digest.
    fn stored(&self, done: Answer, what: &str, blob: &Blob) -> Result<(), RegistryError> {
        let said = done
            .headers
            .get("docker-content-digest")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        match (done.status, said) {
            (StatusCode::CREATED, Some(said)) if said != blob.digest().as_str() => {
                Err(self.corrupt(what, said, blob.digest()))
            }
            (StatusCode::CREATED, _) => Ok(()),
            (StatusCode::BAD_REQUEST, _) => {
                let said = message(done);
                match said.contains("DIGEST_INVALID") {
                    true => Err(self.corrupt(what, said, blob.digest())),
                    false => Err(self.answer(said)),
                }
            }
            _ => Err(denied(done, &self.doing, &self.registry.credentials)),
        }
    }

    /// Reads it back without keeping it.
    pub(super) fn check_stored(&self, blob: &Blob) -> Result<(), RegistryError> {
        let what = format!("blob {}", blob.digest());
        let answer = self.get(&format!("blobs/{}", blob.digest()), &what)?;
        let size = blob.bytes().len() as u64;
        let mut stored = Hashing::new(answer.body.into_with_config().limit(size + 1).reader());
        let read = std::io::copy(&mut stored, &mut std::io::sink());
        match (read, stored.finish()) {
            (Err(error), _) => Err(self.answer(format!(
                "{what} can't be read back: {}",
                first_line(&error.to_string())
            ))),
            (Ok(_), (found, _)) if found == *blob.digest() => Ok(()),
            (Ok(_), (found, _)) => Err(self.corrupt(&what, found.to_string(), blob.digest())),
        }
    }

    fn get(&self, path: &str, what: &str) -> Result<Answer, RegistryError> {
        let answer = self.send(Method::GET, &self.uri(path)?, None)?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            StatusCode::NOT_FOUND => Err(self.not_found(what.to_owned())),
            _ => Err(denied(answer, &self.doing, &self.registry.credentials)),
        }
    }

    fn send(
        &self,
        method: Method,
        uri: &Uri,
        body: Option<(&str, &[u8])>,
    ) -> Result<Answer, RegistryError> {
        let accept = MANIFESTS.join(", ");
        let headers = match body {
            Some((media_type, _)) => vec![(header::CONTENT_TYPE, media_type)],
            None if uri.path().contains("/manifests/") => vec![(header::ACCEPT, accept.as_str())],
            None => Vec::new(),
        };
        // A registry may have uploads at another host; our credentials are not for that one.
        let ours = uri.authority() == self.registry.root.authority();
        self.registry.http.send(&Ask {
            method,
            uri,
            headers: &headers,
            authorization: self.authorization.as_ref().filter(|_| ours),
            body: body.map(|(_, bytes)| bytes),
        })
    }

    fn body(&self, answer: &mut Answer, limit: u64, what: &str) -> Result<Vec<u8>, RegistryError> {
        let mut bytes = Vec::new();
        let reader = answer.body.with_config().limit(u64::MAX).reader();
        let read = reader.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| {
            self.answer(format!(
                "{what} broke off: {}",
                first_line(&error.to_string())
            ))
        })?;
        match bytes.len() as u64 {
            size if size > limit => Err(RegistryError::TooLarge {
                host: self.host(),
                what: what.to_owned(),
                size,
                limit,
            }),
            _ => Ok(bytes),
        }
    }

    fn uri(&self, path: &str) -> Result<Uri, RegistryError> {
        let uri = format!("{}{}/{path}", self.registry.root, self.doing.repository);
        uri.parse()
            .map_err(|_| self.answer(format!("`{path}` is no path")))
    }

    fn host(&self) -> String {
        host(&self.registry.root)
    }

    pub(super) fn not_found(&self, what: String) -> RegistryError {
        RegistryError::NotFound {
            host: self.host(),
            what,
        }
    }

    pub(super) fn corrupt(&self, what: &str, found: String, expected: &Digest) -> RegistryError {
        RegistryError::Corrupt {
            host: self.host(),
            what: what.to_owned(),
            found,
            expected: expected.clone(),
        }
    }

    fn answer(&self, cause: String) -> RegistryError {
        RegistryError::Answer {
            host: self.host(),
            doing: self.doing.to_string(),
            cause,
        }
    }
}

/// The image that the agent takes for a reference.
pub(crate) struct ImageFound {
    pub(crate) fetched: Fetched,
    pub(crate) manifest: layout::Manifest,
    /// The index that led to it.
    pub(crate) index: Option<Digest>,
}

/// Through an index if there is one. The inner error is what the agent has against what it found.
pub(crate) fn image_of(
    session: &Session<'_>,
    asked: &str,
) -> Result<Result<ImageFound, String>, RegistryError> {
    let fetched = session.manifest(asked)?;
    let manifest = match layout::Manifest::read(&fetched.bytes) {
        Ok(manifest) => manifest,
        Err(problem) => return Ok(Err(problem)),
    };
    if !layout::is_index(&fetched.media_type) {
        return Ok(Ok(ImageFound {
            fetched,
            manifest,
            index: None,
        }));
    }
    let child = match manifest.image_of_index() {
        Ok(child) => session.manifest(child.as_str())?,
        Err(problem) => return Ok(Err(problem)),
    };
    let index = Some(fetched.digest);
    Ok(
        layout::Manifest::read(&child.bytes).map(|manifest| ImageFound {
            fetched: child,
            manifest,
            index,
        }),
    )
}
