//! Certificates for tests.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use tempfile::TempDir;

use crate::{Error, Result, error::Doing};

/// A root that signs leaves with a SPIFFE URI SAN. It lives in a temporary folder and is gone on drop.
pub struct Ca {
    folder: TempDir,
    root: Root,
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
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, "lab");
        let root = Root::new(name, &folder.path().join("root.pem"))?;
        Ok(Self {
            folder,
            root,
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
        self.signed(&[uri(identity)?, dns(SERVER_NAME)?])
    }

    /// A client's certificate with this SPIFFE identity, and no other name.
    pub fn client_cert(&self, identity: &str) -> Result<Leaf> {
        self.signed(&[uri(identity)?])
    }

    /// A client's certificate without any URI. Istio never makes one, and a STRICT sidecar refuses it.
    pub fn client_cert_without_identity(&self) -> Result<Leaf> {
        self.signed(&[dns("nobody.test")?])
    }

    fn signed(&self, names: &[SanType]) -> Result<Leaf> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        let known = format!("{names:?}");
        if let Some(leaf) = leaves.get(&known) {
            return Ok(leaf.clone());
        }
        let base = self.folder.path().join(format!("leaf-{}", leaves.len()));
        let leaf = Leaf {
            certificate: base.with_extension("pem"),
            key: base.with_extension("key"),
            ca: self.root(),
        };
        // Without a subject the names are critical, as in Istio.
        let mut params = params(DistinguishedName::new(), names.to_vec());
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        self.root.sign(&params, &leaf.key, &leaf.certificate)?;
        leaves.insert(known, leaf.clone());
        Ok(leaf)
    }
}

/// The key that signs.
pub(crate) struct Root(Issuer<'static, KeyPair>);

impl Root {
    /// A new one with this name; its certificate is written.
    pub(crate) fn new(name: DistinguishedName, certificate: &Path) -> Result<Self> {
        let mut params = params(name, Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(unusable)?;
        let made = params.self_signed(&key).map_err(unusable)?;
        write(certificate, &made.pem())?;
        Ok(Self(Issuer::new(params, key)))
    }

    /// A fresh P-256 key and a certificate for it, as PEM files.
    pub(crate) fn sign(
        &self,
        params: &CertificateParams,
        key: &Path,
        certificate: &Path,
    ) -> Result<()> {
        let pair = KeyPair::generate().map_err(unusable)?;
        let made = params.signed_by(&pair, &self.0).map_err(unusable)?;
        write(key, &pair.serialize_pem())?;
        write(certificate, &made.pem())
    }
}

/// A certificate of a loopback server that nobody has signed, with its key, as files and as DER.
pub struct SelfSigned {
    folder: TempDir,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl SelfSigned {
    /// A new one for `127.0.0.1` and `localhost`.
    pub fn new() -> Result<Self> {
        Self::named(&[])
    }

    /// A new one for these hosts too.
    pub fn named(hosts: &[&str]) -> Result<Self> {
        let folder = TempDir::with_prefix("lab-tls-").doing(|| "making a folder".into())?;
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "tests");
        let mut names = vec![loopback(), dns("localhost")?];
        for host in hosts {
            names.push(dns(host)?);
        }
        let mut params = params(name, names);
        params.is_ca = IsCa::ExplicitNoCa;
        let key = KeyPair::generate().map_err(unusable)?;
        let certificate = params.self_signed(&key).map_err(unusable)?;
        let made = Self {
            folder,
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
        };
        write(&made.certificate(), &certificate.pem())?;
        write(&made.key(), &key.serialize_pem())?;
        Ok(made)
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// The key, PEM.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// The certificate, DER.
    pub fn certificate_der(&self) -> Vec<u8> {
        self.certificate.clone()
    }

    /// The key, DER of PKCS#8.
    pub fn key_der(&self) -> Vec<u8> {
        self.key.clone()
    }
}

/// A certificate's address of loopback.
pub(crate) fn loopback() -> SanType {
    SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into())
}

pub(crate) fn dns(name: &str) -> Result<SanType> {
    name.try_into().map(SanType::DnsName).map_err(unusable)
}

fn uri(name: &str) -> Result<SanType> {
    name.try_into().map(SanType::URI).map_err(unusable)
}

/// A certificate with this subject and these names.
pub(crate) fn params(subject: DistinguishedName, names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.subject_alt_names = names;
    params
}

fn unusable(error: rcgen::Error) -> Error {
    Error::Unusable(format!("a certificate can't be made: {error}"))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).doing(|| format!("writing {}", file.display()))
}

/// The DNS name in a server's certificate.
pub(crate) const SERVER_NAME: &str = "lab.test";
