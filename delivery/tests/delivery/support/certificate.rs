//! A self-signed certificate of today, by openssl.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

pub struct Certificate(TempDir);

impl Certificate {
    pub fn new() -> Self {
        let made = Self(TempDir::new().unwrap());
        let config = made.0.path().join("openssl.cnf");
        let extensions =
            "basicConstraints = critical, CA:FALSE\nsubjectAltName = IP:127.0.0.1, DNS:localhost\n";
        std::fs::write(&config, format!("[req]\ndistinguished_name = name\nx509_extensions = own\n[name]\n[own]\n{extensions}")).unwrap();
        let done = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", "/CN=tests", "-config"])
            .arg(&config)
            .arg("-keyout")
            .arg(made.key())
            .arg("-out")
            .arg(made.certificate())
            .output()
            .expect("openssl");
        assert!(
            done.status.success(),
            "openssl: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        made
    }

    pub fn certificate(&self) -> PathBuf {
        self.0.path().join("certificate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    pub fn certificate_der(&self) -> Vec<u8> {
        der(&self.certificate())
    }

    pub fn key_der(&self) -> Vec<u8> {
        der(&self.key())
    }
}

fn der(path: &std::path::Path) -> Vec<u8> {
    use base64::Engine;
    let text = std::fs::read_to_string(path).unwrap();
    let lines: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD
        .decode(lines)
        .unwrap()
}
