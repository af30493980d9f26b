//! What is in an archive whose sum is right.

use super::kit::{archive, fetch, files, folder, padded, script, tar_gz};
use super::server::{NAME, Reply, Server};

const WINDOWS: &str = "istioctl-1.30.2-win-amd64.zip";
/// By Info-ZIP into a pipe: sizes and CRC stand behind the member, as Go's `archive/zip` writes it, which packs Istio's.
const STREAMED: &[u8] = include_bytes!("../data/istioctl-win-amd64.zip");
/// By Info-ZIP, not compressed.
const STORED: &[u8] = include_bytes!("../data/istioctl-win-amd64-stored.zip");

/// Why an archive is refused, behind its URL. It leaves nothing.
async fn refused(name: &str, file: Vec<u8>) -> String {
    let server = Server::named(name, file, vec![Reply::File], true);
    let (cache, release) = (folder(), server.release(None));
    let error = fetch(&release, cache.path())
        .await
        .expect_err("refused")
        .to_string();
    assert!(files(cache.path()).is_empty(), "{:?}", files(cache.path()));
    let prefix = format!("`{}` ", release.address);
    error
        .strip_prefix(&prefix)
        .unwrap_or_else(|| panic!("{error}"))
        .to_owned()
}

#[tokio::test]
async fn the_zip_for_windows_is_unpacked() {
    for zip in [STREAMED, STORED] {
        let server = Server::named(WINDOWS, zip.to_vec(), vec![Reply::File], true);
        let cache = folder();
        // The program in it is a script: what would run on Windows runs here.
        let found = fetch(&server.release(None), cache.path())
            .await
            .expect("a program");
        assert!(found.path.ends_with("istioctl.exe"), "{:?}", found.path);
        assert_eq!(found.version, "1.30.2");
    }
}

#[tokio::test]
async fn only_the_program_is_taken() {
    let text = script("1.30.2");
    let members: [(&str, &[u8]); 4] = [
        ("README", b"read me"),
        ("istioctl.exe", b"another system's"),
        ("istio-1.30.2/bin/istioctl", text.as_bytes()),
        ("istioctl", b"a second one"),
    ];
    let server = Server::start(tar_gz(&members), vec![Reply::File]);
    let cache = folder();
    let found = fetch(&server.release(None), cache.path())
        .await
        .expect("a program");
    assert_eq!(std::fs::read_to_string(&found.path).expect("a text"), text);
    assert_eq!(
        files(cache.path()),
        ["istioctl", "istioctl-1.30.2-linux-amd64.tar.gz.sha256"]
    );
}

#[tokio::test]
async fn an_archive_without_the_program_is_refused() {
    let other = archive("1.30.2", "README");
    assert_eq!(refused(NAME, other).await, "has no file `istioctl` in it");
    let renamed = replaced(STREAMED, b"istioctl.exe", b"istioctl.dll");
    assert_eq!(
        refused(WINDOWS, renamed).await,
        "has no file `istioctl.exe` in it"
    );
}

#[tokio::test]
async fn an_archive_that_ends_early_is_refused() {
    let mut half = archive("1.30.2", "istioctl");
    half.truncate(half.len() / 2);
    let said = refused(NAME, half).await;
    assert!(said.starts_with("is no tar.gz: "), "{said}");
    let said = refused(WINDOWS, STREAMED[..STREAMED.len() / 2].to_vec()).await;
    assert!(said.starts_with("is no zip: "), "{said}");
}

#[tokio::test]
async fn what_is_no_archive_is_refused() {
    let said = refused(NAME, padded("1.30.2")).await;
    assert!(said.starts_with("is no tar.gz: "), "{said}");
    let said = refused(WINDOWS, archive("1.30.2", "istioctl.exe")).await;
    assert!(said.starts_with("is no zip: "), "{said}");
}

#[tokio::test]
async fn a_zip_whose_bytes_changed_is_refused() {
    // The script says another version; the CRC is the old one.
    let changed = replaced(STORED, b"1.30.2", b"1.99.9");
    let said = refused(WINDOWS, changed).await;
    assert!(said.starts_with("is no zip: "), "{said}");
}

#[tokio::test]
async fn a_program_larger_than_any_istioctl_is_not_unpacked() {
    let mut header = tar::Header::new_gnu();
    header.set_path("istioctl").expect("a path");
    header.set_size(1 << 40);
    header.set_mode(0o755);
    header.set_cksum();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, header.as_bytes()).expect("a header");
    let said = refused(NAME, gz.finish().expect("a gz")).await;
    assert_eq!(
        said,
        "unpacks to 1099511627776 bytes, expected at most 367001600"
    );
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}
