//! Who may talk to the API server: certificates and kubeconfigs.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::{Result, ca, error::Doing};

/// A certificate authority in a folder. It signs the API server and its users.
pub(super) struct Users {
    folder: PathBuf,
    made: AtomicUsize,
}

/// A certificate with its key, as PEM files.
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Users {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let users = Self {
            folder: folder.to_owned(),
            made: AtomicUsize::new(0),
        };
        let root = users.pair("root");
        ca::openssl(
            &root.key,
            &root.certificate,
            &[
                "-subj",
                "/CN=lab",
                "-addext",
                "basicConstraints=critical,CA:TRUE",
                "-addext",
                "keyUsage=critical,keyCertSign",
            ],
        )?;
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc";
        users.signed("server", "/CN=kube-apiserver", &["-addext", names])?;
        Ok(users)
    }

    /// The certificate that all others are signed with.
    pub(super) fn root(&self) -> PathBuf {
        self.pair("root").certificate
    }

    /// For the API server. Its key signs service account tokens as well.
    pub(super) fn server(&self) -> Pair {
        self.pair("server")
    }

    /// A kubeconfig whose client certificate says this user and these groups.
    pub(super) fn kubeconfig(
        &self,
        server: SocketAddr,
        user: &str,
        groups: &[&str],
    ) -> Result<PathBuf> {
        let subject: String = groups
            .iter()
            .map(|group| format!("/O={}", escaped(group)))
            .chain([format!("/CN={}", escaped(user))])
            .collect();
        let name = format!("user-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let client = self.signed(&name, &subject, &["-addext", "extendedKeyUsage=clientAuth"])?;
        // Everything is inside, so that the file can be moved.
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "lab", "cluster": {
                "server": format!("https://{server}"),
                "certificate-authority-data": inline(&self.root())?,
            }}],
            "users": [{ "name": user, "user": {
                "client-certificate-data": inline(&client.certificate)?,
                "client-key-data": inline(&client.key)?,
            }}],
            "contexts": [{ "name": "lab", "context": { "cluster": "lab", "user": user } }],
            "current-context": "lab",
        });
        let path = self.folder.join(format!("{name}.kubeconfig"));
        fs::write(&path, config.to_string()).doing(|| "writing a kubeconfig".into())?;
        Ok(path)
    }

    fn signed(&self, name: &str, subject: &str, more: &[&str]) -> Result<Pair> {
        let (pair, root) = (self.pair(name), self.pair("root"));
        let (certificate, key) = (
            root.certificate.to_string_lossy(),
            root.key.to_string_lossy(),
        );
        let mut arguments = vec!["-subj", subject, "-CA", &*certificate, "-CAkey", &*key];
        arguments.extend(more);
        ca::openssl(&pair.key, &pair.certificate, &arguments)?;
        Ok(pair)
    }

    fn pair(&self, name: &str) -> Pair {
        Pair {
            certificate: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
        }
    }
}

/// As part of an openssl subject, where these characters separate.
fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\")
        .replace('/', "\\/")
        .replace('+', "\\+")
}

fn inline(file: &Path) -> Result<String> {
    let bytes = fs::read(file).doing(|| format!("reading {}", file.display()))?;
    Ok(BASE64_STANDARD.encode(bytes))
}
