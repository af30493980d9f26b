//! Downloads that must not succeed, and what is said about them.

use cluster::error::Class;

use super::kit::{archive, fetch, files, folder, sha256};
use super::server::{NAME, Reply, Server};

fn head(head: &str) -> Vec<Reply> {
    vec![Reply::Head(head.to_owned())]
}

#[tokio::test]
async fn a_corrupted_file_is_refused_and_removed() {
    let file = archive("1.30.2", "istioctl");
    let mut other = file.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    let replies = vec![Reply::Other(other.clone()), Reply::File];
    let server = Server::start(file.clone(), replies);
    let (cache, release) = (folder(), server.release(None));
    let error = fetch(&release, cache.path()).await.expect_err("corrupted");
    let (found, expected) = (sha256(&other), sha256(&file));
    assert_eq!(
        (error.to_string(), error.class()),
        (
            format!(
                "`{}` has SHA-256 {found}, expected {expected}; it was removed",
                release.address
            ),
            Class::Refused
        )
    );
    assert!(files(cache.path()).is_empty(), "{:?}", files(cache.path()));
    fetch(&release, cache.path())
        .await
        .expect("the next one is right");
}

#[tokio::test]
async fn a_version_that_is_not_there_is_not_asked_for_again() {
    let server = Server::start(Vec::new(), head("404 Not Found"));
    server.publishes("404 Not Found", "");
    let cache = folder();
    for (given, requests) in [(Some("0".repeat(64)), 1), (None, 3)] {
        let release = server.release(given);
        let error = fetch(&release, cache.path()).await.expect_err("404");
        assert_eq!(
            error.to_string(),
            format!("found no istioctl 1.30.2 at `{}`", release.address)
        );
        assert_eq!(error.class(), Class::Invalid);
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("istio/releases"))
        );
        assert_eq!(server.asked().len(), requests);
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_not_asked_for_again() {
    let server = Server::start(Vec::new(), head("403 Forbidden"));
    let release = server.release(Some("0".repeat(64)));
    let error = fetch(&release, folder().path()).await.expect_err("403");
    assert_eq!(
        error.to_string(),
        format!(
            "can't download `{}`: the server answers 403 Forbidden",
            release.address
        )
    );
    assert_eq!(
        (error.class(), server.asked().len()),
        (Class::Unreachable, 1)
    );
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_archive() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(
        file,
        head("200 OK\r\ncontent-type: text/html; charset=utf-8"),
    );
    let (cache, release) = (folder(), server.release(None));
    let error = fetch(&release, cache.path()).await.expect_err("a page");
    assert!(
        error.to_string().contains("an HTML page, expected a file"),
        "{error}"
    );
    assert_eq!(server.ranges().len(), 1);
    // The same in the place of the sum.
    server.publishes("200 OK\r\ncontent-type: text/html", "<html>Sign in</html>");
    let error = fetch(&release, cache.path()).await.expect_err("a page");
    assert!(
        error
            .to_string()
            .contains(".sha256`: the server answers with an HTML page"),
        "{error}"
    );
}

#[tokio::test]
async fn a_redirect_to_plain_http_is_refused() {
    let to = "302 Found\r\nlocation: http://mirror.example.com/x?sig=s3cret";
    let server = Server::start(Vec::new(), head(to));
    let release = server.release(Some("0".repeat(64)));
    let error = fetch(&release, folder().path()).await.expect_err("plain");
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` redirects to `http://mirror.example.com/x`, expected https",
            release.address
        )
    );
    assert_eq!((error.class(), server.asked().len()), (Class::Refused, 1));
}

#[tokio::test]
async fn redirects_end() {
    let to = format!("302 Found\r\nlocation: /1.30.2/{NAME}");
    let server = Server::start(Vec::new(), head(&to));
    let release = server.release(Some("0".repeat(64)));
    let error = fetch(&release, folder().path())
        .await
        .expect_err("a circle");
    assert!(
        error.to_string().contains("redirects more than 5 times"),
        "{error}"
    );
    let nowhere = Server::start(Vec::new(), head("302 Found\r\nlocation: ftp://x/"));
    let release = nowhere.release(Some("0".repeat(64)));
    let error = fetch(&release, folder().path()).await.expect_err("no URL");
    assert!(
        error.to_string().ends_with("its redirect names no URL"),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_larger_than_any_release_is_not_written() {
    let announced = head("200 OK\r\ncontent-length: 300000000");
    let server = Server::start(Vec::new(), announced);
    let (cache, release) = (folder(), server.release(Some("0".repeat(64))));
    let error = fetch(&release, cache.path()).await.expect_err("too large");
    assert!(
        error
            .to_string()
            .ends_with("it has 300000000 bytes or more, expected at most 268435456"),
        "{error}"
    );
    let partial = walk(cache.path(), "archive.partial");
    assert_eq!(partial.metadata().expect("a file").len(), 0);
}

#[tokio::test]
async fn without_a_network_it_says_what_else_there_is() {
    // Nobody listens at a port that was given back.
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        free.local_addr().expect("an address").port()
    };
    let mut release = Server::start(Vec::new(), head("404 Not Found")).release(None);
    let base = format!("http://127.0.0.1:{port}");
    release.address = cluster::istioctl::Address::in_mirror(&base, "1.30.2", NAME).expect("a URL");
    let error = fetch(&release, folder().path()).await.expect_err("nobody");
    assert!(
        error
            .to_string()
            .starts_with("can't download `http://127.0.0.1:"),
        "{error}"
    );
    assert_eq!(error.class(), Class::Unreachable);
    let hint = error.hint().expect("a hint");
    for word in ["$PATH", "--istioctl FILE", "--istioctl-base-url"] {
        assert!(hint.contains(word), "{hint}");
    }
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_said_so() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::File]);
    let folder = folder();
    // A file stands where the cache should be: root may write everywhere else.
    let cache = folder.path().join("cache");
    std::fs::write(&cache, "").expect("a file");
    let error = fetch(&server.release(Some(sha256(&file))), &cache)
        .await
        .expect_err("no cache");
    assert!(error.to_string().starts_with("can't create `"), "{error}");
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("$XDG_CACHE_HOME"))
    );
    assert_eq!(
        server.asked().len(),
        0,
        "nothing is asked for what can't be kept"
    );
}

fn walk(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.ends_with(name) => return path,
                _ => {}
            }
        }
    }
    panic!("no {name}")
}
