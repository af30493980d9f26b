//! A real registry, with what tests need of it.

use delivery::{Digest, Reference};
use lab::SelfSigned;
use lab::registry::{Access, Registry};

use super::digest;

pub struct Store(Registry);

impl Store {
    pub fn start(access: &Access<'_>) -> Self {
        Self::with_tls(access, None)
    }

    pub fn with_tls(access: &Access<'_>, tls: Option<&SelfSigned>) -> Self {
        Self(Registry::start(access, tls).unwrap())
    }

    pub fn host(&self) -> String {
        self.0.host().to_owned()
    }

    pub fn reference(&self, rest: &str) -> Reference {
        format!("oci://{}/{rest}", self.host()).parse().unwrap()
    }

    /// The bytes that it keeps for a blob or a manifest.
    pub fn stored(&self, digest: &Digest) -> Vec<u8> {
        self.0.stored(digest.as_str()).unwrap()
    }

    /// Puts other bytes where those of this digest are.
    pub fn corrupt(&self, digest: &Digest, bytes: Vec<u8>) {
        self.0.corrupt(digest.as_str(), bytes).unwrap();
    }

    pub fn is_untouched(&self) -> bool {
        self.0.is_untouched()
    }

    /// Any bytes, by the plain specification: images that our own push would never make.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) {
        let start = format!("http://{}/v2/{repository}/blobs/uploads/", self.host());
        let begun = ureq::post(&start).send_empty().unwrap();
        let location = begun.headers()["location"].to_str().unwrap();
        let done = ureq::put(format!("{location}&digest={}", digest(bytes)))
            .send(bytes)
            .unwrap();
        assert_eq!(done.status(), 201);
    }

    pub fn put_manifest(
        &self,
        repository: &str,
        tag: &str,
        media_type: &str,
        manifest: &serde_json::Value,
    ) {
        let uri = format!("http://{}/v2/{repository}/manifests/{tag}", self.host());
        let done = ureq::put(uri)
            .header("content-type", media_type)
            .send(manifest.to_string())
            .unwrap();
        assert_eq!(done.status(), 201);
    }
}
