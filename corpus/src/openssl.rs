//! The OpenSSL command: the tests' signer. Nothing that ships signs.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Why OpenSSL gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum OpensslError {
    /// It can't be started.
    #[error("the `openssl` command can't be started: {0}")]
    Start(#[from] std::io::Error),
    /// It failed.
    #[error("`openssl {command}` failed: {message}")]
    Failed {
        /// The first arguments.
        command: String,
        /// What it said, one line.
        message: String,
    },
    /// It answered something else than expected.
    #[error("`openssl` answered what is no {0}")]
    Answer(&'static str),
}

const ALGORITHMS: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// Whether `sign` knows the algorithm.
#[must_use]
pub fn can(alg: &str) -> bool {
    ALGORITHMS.contains(&alg)
}

/// The algorithm of a private key, by its type.
pub fn algorithm(key: &Path) -> Result<&'static str, OpensslError> {
    let text = run(&["pkey", "-noout", "-text", "-in"], Some(key), b"")?;
    let text = String::from_utf8_lossy(&text);
    let found = [
        ("ED25519", "EdDSA"),
        ("prime256v1", "ES256"),
        ("secp384r1", "ES384"),
        ("modulus", "RS256"),
    ];
    found
        .iter()
        .find(|(mark, _)| text.contains(mark))
        .map(|(_, alg)| *alg)
        .ok_or(OpensslError::Answer("key of a known type"))
}

/// The public half of a private key, as PEM text.
pub fn public_pem(key: &Path) -> Result<Vec<u8>, OpensslError> {
    run(&["pkey", "-pubout", "-in"], Some(key), b"")
}

/// HMAC with SHA-256.
pub fn hmac_sha256(secret: &[u8], text: &[u8]) -> Result<Vec<u8>, OpensslError> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    run(
        &[
            "dgst",
            "-sha256",
            "-mac",
            "HMAC",
            "-macopt",
            &format!("hexkey:{hex}"),
            "-binary",
        ],
        None,
        text,
    )
}

/// A JWS signature.
pub fn sign(key: &Path, alg: &str, text: &[u8]) -> Result<Vec<u8>, OpensslError> {
    let hash = match alg.get(2..) {
        Some("384") => "-sha384",
        Some("512") => "-sha512",
        _ => "-sha256",
    };
    match alg.get(..2) {
        Some("PS") => run(
            &[
                "dgst",
                hash,
                "-sigopt",
                "rsa_padding_mode:pss",
                "-sigopt",
                "rsa_pss_saltlen:digest",
                "-sign",
            ],
            Some(key),
            text,
        ),
        Some("ES") => raw_ecdsa(
            &run(&["dgst", hash, "-sign"], Some(key), text)?,
            if alg == "ES384" { 48 } else { 32 },
        ),
        Some("Ed") => {
            let mut file = tempfile::NamedTempFile::new()?;
            file.write_all(text)?;
            file.flush()?;
            let path = file.path().to_string_lossy().into_owned();
            run(
                &["pkeyutl", "-sign", "-rawin", "-in", &path, "-inkey"],
                Some(key),
                b"",
            )
        }
        _ => run(&["dgst", hash, "-sign"], Some(key), text),
    }
}

/// RFC 7518 section 3.4: both numbers in full width, instead of ASN.1.
fn raw_ecdsa(der: &[u8], width: usize) -> Result<Vec<u8>, OpensslError> {
    let bad = || OpensslError::Answer("ECDSA signature");
    // SEQUENCE (one length byte up to P-384) of two INTEGERs.
    let mut rest = der.get(2..).ok_or_else(bad)?;
    let mut raw = Vec::with_capacity(2 * width);
    for _ in 0..2 {
        let length = usize::from(*rest.get(1).ok_or_else(bad)?);
        let number = rest.get(2..2 + length).ok_or_else(bad)?;
        let number = if number.len() > width {
            number.get(number.len() - width..).ok_or_else(bad)?
        } else {
            number
        };
        raw.extend(std::iter::repeat_n(0, width - number.len()));
        raw.extend_from_slice(number);
        rest = rest.get(2 + length..).ok_or_else(bad)?;
    }
    Ok(raw)
}

fn run(arguments: &[&str], last: Option<&Path>, input: &[u8]) -> Result<Vec<u8>, OpensslError> {
    let mut command = Command::new("openssl");
    command
        .args(arguments)
        .args(last)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may end before it has read everything; its exit code says what happened.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(OpensslError::Failed {
        command: arguments.first().copied().unwrap_or_default().to_owned(),
        message: said.lines().next().unwrap_or("no message").to_owned(),
    })
}
