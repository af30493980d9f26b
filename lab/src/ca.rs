//! A certificate authority for tests, made with the `openssl` command.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use tempfile::TempDir;

use crate::{Result, error::Doing, tools::output};

/// A root that signs leaves with a SPIFFE URI SAN. It lives in a temporary folder and is gone on drop.
pub struct Ca {
    folder: TempDir,
    leaves: Mutex<HashMap<String, Leaf>>,
}

/// A certificate with its key, as files. Lives as long as its [`Ca`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// The root that signed it, PEM.
    pub ca: PathBuf,
}

impl Ca {
    /// A new root.
    pub fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("lab-ca-").doing(|| "making a folder".into())?;
        let (key, certificate) = (
            folder.path().join("root.key"),
            folder.path().join("root.pem"),
        );
        openssl(
            &key,
            &certificate,
            &[
                "-subj",
                "/O=lab",
                "-addext",
                "basicConstraints=critical,CA:TRUE",
                "-addext",
                "keyUsage=critical,keyCertSign",
            ],
        )?;
        Ok(Self {
            folder,
            leaves: Mutex::default(),
        })
    }

    /// The root certificate, PEM.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// The certificate of a proxy inside the workload with this identity, or the stored one. Good for servers and
    /// clients alike, as in a mesh.
    pub fn leaf(&self, identity: &str) -> Result<Leaf> {
        self.signed(&format!("URI:{identity},DNS:{SERVER_NAME}"))
    }

    /// A client's certificate with this SPIFFE identity, and no other name.
    pub fn client_cert(&self, identity: &str) -> Result<Leaf> {
        self.signed(&format!("URI:{identity}"))
    }

    /// A client's certificate without any URI. Istio never makes one, and a STRICT sidecar refuses it.
    pub fn client_cert_without_identity(&self) -> Result<Leaf> {
        self.signed("DNS:nobody.test")
    }

    fn signed(&self, names: &str) -> Result<Leaf> {
        let mut leaves = match self.leaves.lock() {
            Ok(leaves) => leaves,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some(leaf) = leaves.get(names) {
            return Ok(leaf.clone());
        }
        let base = self.folder.path().join(format!("leaf-{}", leaves.len()));
        let leaf = Leaf {
            certificate: base.with_extension("pem"),
            key: base.with_extension("key"),
            ca: self.root(),
        };
        let root_key = self.folder.path().join("root.key");
        openssl(
            &leaf.key,
            &leaf.certificate,
            &[
                "-subj",
                "/",
                "-CA",
                &self.root().to_string_lossy(),
                "-CAkey",
                &root_key.to_string_lossy(),
                "-addext",
                // Critical, as in Istio, where the subject is empty.
                &format!("subjectAltName=critical,{names}"),
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-addext",
                "extendedKeyUsage=serverAuth,clientAuth",
            ],
        )?;
        leaves.insert(names.to_owned(), leaf.clone());
        Ok(leaf)
    }
}

/// A fresh P-256 key and a certificate for it.
pub(crate) fn openssl(key: &Path, certificate: &Path, more: &[&str]) -> Result<()> {
    // Without a configuration of its own it would add the extensions of the machine's.
    let config = key.with_extension("cnf");
    fs::write(&config, "[req]\ndistinguished_name = name\n[name]\n")
        .doing(|| "writing openssl's configuration".into())?;
    let mut command = Command::new("openssl");
    command
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-sha256", "-days", "30", "-config"])
        .arg(&config)
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .args(more);
    output(&mut command).map(drop)
}

/// The DNS name in a server's certificate.
pub(crate) const SERVER_NAME: &str = "lab.test";
