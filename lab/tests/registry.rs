//! The laboratory's registry answers as the OCI distribution specification 1.1 says. With `KYMA_LAB_REGISTRY=distribution` the same
//! is asked of the implementation that most registries run.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at its first failure"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use lab::registry::{Access, PASSWORD, Registry, USER};
use serde_json::{Value, json};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
/// SHA-256 of `hello` and of `{}`.
const HELLO: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// Status and error code.
    fn refusal(&self) -> (u16, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        let code = body["errors"][0]["code"].as_str().unwrap();
        (self.status, code.to_owned())
    }
}

fn ask(registry: &Registry, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(registry.host()).unwrap();
    let (host, length) = (registry.host(), body.len());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.unwrap() + 4);
    let head = String::from_utf8(answer).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body }
}

fn get(registry: &Registry, path: &str) -> Answer {
    ask(registry, "GET", path, "", "")
}

fn put_blob(registry: &Registry, repository: &str, digest: &str, bytes: &str) -> Answer {
    let path = format!("/v2/{repository}/blobs/uploads/");
    let begun = ask(registry, "POST", &path, "", "");
    assert_eq!(begun.status, 202);
    let location = begun.header("location").unwrap();
    let path = location.split_once(registry.host()).unwrap().1;
    let joint = if path.contains('?') { '&' } else { '?' };
    let kind = "content-type: application/octet-stream\r\n";
    let path = format!("{path}{joint}digest={digest}");
    ask(registry, "PUT", &path, kind, bytes)
}

fn put_manifest(registry: &Registry, path: &str, layer: &str) -> Answer {
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": EMPTY, "size": 2},
        "layers": [{"mediaType": "application/octet-stream", "digest": layer, "size": 5}],
    });
    let kind = format!("content-type: {OCI}\r\n");
    ask(registry, "PUT", path, &kind, &manifest.to_string())
}

#[test]
fn blobs_are_checked_and_belong_to_one_repository() {
    let registry = Registry::start(&Access::Everybody, None).unwrap();
    assert!(registry.is_untouched());
    assert_eq!(get(&registry, "/v2/").status, 200);

    let wrong = put_blob(&registry, "team/filter", HELLO, "hullo");
    assert_eq!(wrong.refusal(), (400, "DIGEST_INVALID".to_owned()));
    assert!(!registry.is_untouched());
    let path = format!("/v2/team/filter/blobs/{HELLO}");
    let missing = get(&registry, &path);
    assert_eq!(missing.refusal(), (404, "BLOB_UNKNOWN".to_owned()));

    let right = put_blob(&registry, "team/filter", HELLO, "hello");
    let said = right.header("docker-content-digest");
    assert_eq!((right.status, said), (201, Some(HELLO)));
    assert_eq!(get(&registry, &path).body, b"hello");
    let head = ask(&registry, "HEAD", &path, "", "");
    assert_eq!((head.status, &*head.body), (200, &b""[..]));
    assert_eq!(head.header("content-length"), Some("5"));
    let elsewhere = get(&registry, &format!("/v2/team/other/blobs/{HELLO}"));
    assert_eq!(elsewhere.refusal(), (404, "BLOB_UNKNOWN".to_owned()));

    assert_eq!(registry.stored(HELLO).unwrap(), b"hello");
    registry.corrupt(HELLO, b"hallo".to_vec()).unwrap();
    assert_eq!(get(&registry, &path).body, b"hallo");
}

#[test]
fn a_manifest_is_complete_and_found_by_tag_and_digest() {
    let registry = Registry::start(&Access::Everybody, None).unwrap();
    let tagged = "/v2/team/filter/manifests/1";
    assert_eq!(put_blob(&registry, "team/filter", EMPTY, "{}").status, 201);
    let incomplete = put_manifest(&registry, tagged, HELLO);
    assert_eq!(
        incomplete.refusal(),
        (400, "MANIFEST_BLOB_UNKNOWN".to_owned())
    );
    let missing = get(&registry, tagged);
    assert_eq!(missing.refusal(), (404, "MANIFEST_UNKNOWN".to_owned()));

    put_blob(&registry, "team/filter", HELLO, "hello");
    let stored = put_manifest(&registry, tagged, HELLO);
    assert_eq!(stored.status, 201);
    let digest = stored.header("docker-content-digest").unwrap();
    let pinned = format!("/v2/team/filter/manifests/{digest}");
    let accept = format!("accept: {OCI}\r\n");
    for path in [tagged, &pinned] {
        let found = ask(&registry, "GET", path, &accept, "");
        let said = [
            found.header("content-type"),
            found.header("docker-content-digest"),
        ];
        assert_eq!(said, [Some(OCI), Some(digest)], "{path}");
        assert_eq!(registry.stored(digest).unwrap(), found.body);
    }
    let other = format!("/v2/team/filter/manifests/{HELLO}");
    let wrong = put_manifest(&registry, &other, HELLO);
    assert_eq!(wrong.refusal(), (400, "DIGEST_INVALID".to_owned()));
}

#[test]
fn a_password_is_asked_for_with_the_realm() {
    let realm = "Registry Realm";
    let registry = Registry::start(&Access::Password { realm }, None).unwrap();
    let nobody = get(&registry, "/v2/");
    assert_eq!(nobody.refusal(), (401, "UNAUTHORIZED".to_owned()));
    let challenge = nobody.header("www-authenticate");
    assert_eq!(challenge, Some("Basic realm=\"Registry Realm\""));
    assert_eq!((USER, PASSWORD), ("kyma", "correct horse"));
    // base64 of `kyma:correct horse` and of `kyma:x`.
    for (pair, status) in [("a3ltYTpjb3JyZWN0IGhvcnNl", 200), ("a3ltYTp4", 401)] {
        let header = format!("authorization: Basic {pair}\r\n");
        assert_eq!(ask(&registry, "GET", "/v2/", &header, "").status, status);
    }
}
