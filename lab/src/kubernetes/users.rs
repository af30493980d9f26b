//! Who may talk to the API server: certificates and kubeconfigs.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose};
use serde_json::json;

use crate::{
    Error, Result,
    ca::{Root, dns, loopback, params},
    error::Doing,
};

/// A certificate authority in a folder. It signs the API server and its users.
pub(super) struct Users {
    folder: PathBuf,
    root: Root,
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
            root: Root::new(common_name("lab"), &folder.join("root.pem"))?,
            made: AtomicUsize::new(0),
        };
        let names = [
            loopback(),
            dns("localhost")?,
            dns("kubernetes.default.svc")?,
        ];
        let server = params(common_name("kube-apiserver"), names.to_vec());
        users.signed("server", &server)?;
        Ok(users)
    }

    /// The certificate that all others are signed with.
    pub(super) fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
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
        let mut subject = DistinguishedName::new();
        // A name of rcgen has each type once: the second group's type is the same OID, written out.
        let mut organizations = [
            DnType::OrganizationName,
            DnType::CustomDnType(vec![2, 5, 4, 10]),
        ]
        .into_iter();
        for group in groups {
            let organization = organizations.next().ok_or_else(|| {
                let found = groups.len();
                Error::Unusable(format!(
                    "found {found} groups of `{user}`, expected at most 2"
                ))
            })?;
            subject.push(organization, *group);
        }
        subject.push(DnType::CommonName, user);
        let name = format!("user-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let mut params = params(subject, Vec::new());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client = self.signed(&name, &params)?;
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

    fn signed(&self, name: &str, params: &CertificateParams) -> Result<Pair> {
        let pair = self.pair(name);
        self.root.sign(params, &pair.key, &pair.certificate)?;
        Ok(pair)
    }

    fn pair(&self, name: &str) -> Pair {
        Pair {
            certificate: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
        }
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn inline(file: &Path) -> Result<String> {
    let bytes = fs::read(file).doing(|| format!("reading {}", file.display()))?;
    Ok(BASE64_STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kubernetes takes the common name as the user and every organization as a group.
    #[test]
    fn a_certificate_says_its_user_and_both_groups() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::new(folder.path()).unwrap();
        let server = SocketAddr::from(([127, 0, 0, 1], 6443));
        users
            .kubeconfig(server, "ann", &["readers", "a/b+c"])
            .unwrap();
        let pem = fs::read_to_string(users.pair("user-0").certificate).unwrap();
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64_STANDARD.decode(lines).unwrap();
        // OID 2.5.4.10 (organization) or 2.5.4.3 (common name), a UTF8String of so many bytes.
        for attribute in [
            &b"\x06\x03\x55\x04\x0a\x0c\x07readers"[..],
            b"\x06\x03\x55\x04\x0a\x0c\x05a/b+c",
            b"\x06\x03\x55\x04\x03\x0c\x03ann",
        ] {
            let found = der.windows(attribute.len()).any(|part| part == attribute);
            assert!(found, "no {}", attribute.escape_ascii());
        }
        let error = users.kubeconfig(server, "ann", &["a", "b", "c"]);
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "found 3 groups of `ann`, expected at most 2");
    }
}
