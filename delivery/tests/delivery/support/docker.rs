//! Debian's docker-registry on a free loopback port, with a folder of its own.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use delivery::Reference;
use tempfile::TempDir;

use super::{USER, certificate::Certificate, digest, wait_for};

pub struct Docker {
    child: Child,
    port: u16,
    pub folder: TempDir,
}

pub enum Access<'a> {
    Everybody,
    /// With this realm, a text for people.
    Password(&'a str),
    Realm {
        realm: &'a str,
        certificate: &'a Certificate,
    },
}

/// bcrypt of [`super::PASSWORD`].
const HASH: &str = "$2b$04$ZfJIPQZh0yj/rFSqWETZZO1uQvQp3Q4IWZBVl067U7q2b/IcfavAq";

impl Docker {
    pub fn start(access: &Access<'_>) -> Self {
        Self::with_tls(access, None)
    }

    pub fn with_tls(access: &Access<'_>, tls: Option<&Certificate>) -> Self {
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let auth = match access {
            Access::Everybody => String::new(),
            Access::Password(realm) => {
                let file = folder.path().join("htpasswd");
                std::fs::write(&file, format!("{USER}:{HASH}\n")).unwrap();
                format!(
                    "auth:\n  htpasswd: {{realm: \"{realm}\", path: {}}}\n",
                    file.display()
                )
            }
            Access::Realm { realm, certificate } => format!(
                "auth:\n  token: {{realm: \"{realm}\", service: tests, issuer: tests, rootcertbundle: {}}}\n",
                certificate.certificate().display()
            ),
        };
        let tls = tls.map_or(String::new(), |tls| {
            format!(
                "  tls: {{certificate: {}, key: {}}}\n",
                tls.certificate().display(),
                tls.key().display()
            )
        });
        let config = folder.path().join("config.yml");
        let storage = folder.path().join("storage").display().to_string();
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage:\n  filesystem: {{rootdirectory: {storage}}}\n{auth}\
             http:\n  addr: 127.0.0.1:{port}\n{tls}"
        );
        std::fs::write(&config, text).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("docker-registry: {error}: install Debian's package `docker-registry`")
            });
        let mut docker = Self {
            child,
            port,
            folder,
        };
        wait_for("docker-registry", || {
            if let Ok(Some(status)) = docker.child.try_wait() {
                panic!("docker-registry: {status}: {}", docker.log());
            }
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        docker
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn reference(&self, rest: &str) -> Reference {
        format!("oci://{}/{rest}", self.host()).parse().unwrap()
    }

    /// Where it keeps a blob's bytes.
    pub fn stored(&self, digest: &delivery::Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.path().join(format!(
            "storage/docker/registry/v2/blobs/sha256/{}/{hex}/data",
            &hex[..2]
        ))
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

    fn log(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(self.folder.path().join("log"))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
