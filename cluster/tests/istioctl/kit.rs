//! Programs, archives and folders.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cluster::istioctl::{Istioctl, IstioctlError, Release, download};
use cluster::progress::Silent;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// An istioctl that knows its version and renders what it gets, with its environment.
pub fn script(version: &str) -> String {
    format!(
        r##"#!/bin/sh
case "$1" in
version) echo '{{"clientVersion":{{"version":"{version}"}}}}' ;;
manifest) shift; echo "# args: $*"; env | sort | sed 's/^/# env: /'; cat ;;
esac
"##
    )
}

pub fn program(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("istioctl");
    std::fs::write(&path, text).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    path
}

pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A script that is padded, so that its archive comes in several pieces.
pub fn padded(version: &str) -> Vec<u8> {
    let mut text = script(version).into_bytes();
    let mut noise: u64 = 7;
    text.extend(b"exit 0\n".iter());
    text.extend((0..300_000).map(|_| {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        b' ' + u8::try_from(noise >> 58).expect("six bits")
    }));
    text
}

/// A `.tar.gz` as Istio publishes it: one member.
pub fn archive(version: &str, member: &str) -> Vec<u8> {
    tar_gz(&[(member, &padded(version))])
}

pub fn tar_gz(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (member, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, member, *bytes)
            .expect("a member");
    }
    tar.into_inner().expect("a tar").finish().expect("a gz")
}

pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub async fn fetch(release: &Release, cache: &Path) -> Result<Istioctl, IstioctlError> {
    download(release, cache, &Silent).await
}

/// Every file below, without the lock.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(
                path.file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned(),
            ),
        }
    }
    found.retain(|name| name != "lock");
    found.sort();
    found
}
