//! What an archive is checked against when no sum is given: the published one, which is kept.

use cluster::error::Class;
use cluster::istioctl::Address;

use super::kit::{archive, fetch, files, folder, sha256};
use super::server::{NAME, Reply, Server};

#[tokio::test]
async fn the_published_sum_counts_and_is_kept() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::File]);
    let (cache, release) = (folder(), server.release(None));
    fetch(&release, cache.path()).await.expect("a download");
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(
        paths,
        [format!("/1.30.2/{NAME}.sha256"), format!("/1.30.2/{NAME}")]
    );
    let kept = cache.path().join("istioctl").join(format!("{NAME}.sha256"));
    assert_eq!(
        std::fs::read_to_string(&kept).expect("it is kept"),
        format!("{} {NAME}\n", sha256(&file)),
        "in the published form"
    );
    fetch(&release, cache.path()).await.expect("from the cache");
    assert_eq!(server.asked().len(), 2, "the second time nothing is asked");
}

#[tokio::test]
async fn a_given_sum_comes_before_the_published_one() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::File]);
    server.publishes("200 OK", &format!("{} {NAME}\n", "0".repeat(64)));
    let cache = folder();
    fetch(&server.release(Some(sha256(&file))), cache.path())
        .await
        .expect("a download");
    assert_eq!(
        server.asked().len(),
        1,
        "the published one is not asked for"
    );
    assert_eq!(files(cache.path()), ["istioctl"], "and nothing is kept");
}

#[tokio::test]
async fn another_sum_than_the_kept_one_is_refused_until_the_file_is_removed() {
    let (first, second) = (
        archive("1.30.2", "istioctl"),
        archive("1.30.2+changed", "istioctl"),
    );
    let server = Server::start(
        first.clone(),
        vec![Reply::File, Reply::Other(second.clone())],
    );
    let (cache, release) = (folder(), server.release(None));
    let found = fetch(&release, cache.path()).await.expect("the first");
    std::fs::remove_file(&found.path).expect("the program is there");
    server.publishes("200 OK", &format!("{} {NAME}\n", sha256(&second)));

    let error = fetch(&release, cache.path()).await.expect_err("changed");
    let kept = cache.path().join("istioctl").join(format!("{NAME}.sha256"));
    assert_eq!(
        error.to_string(),
        format!(
            "the SHA-256 that is published for `{}` is {}, but it was {} in an earlier download, as `{}` says",
            release.address,
            sha256(&second),
            sha256(&first),
            kept.display()
        )
    );
    assert_eq!(error.class(), Class::Refused);
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("removing the file"))
    );
    assert_eq!(server.ranges().len(), 1, "the archive isn't asked for");

    std::fs::remove_file(&kept).expect("it is kept");
    let found = fetch(&release, cache.path()).await.expect("the second");
    assert_eq!(found.version, "1.30.2+changed");
    let text = std::fs::read_to_string(&kept).expect("it is kept again");
    assert!(text.starts_with(&sha256(&second)), "{text}");
}

#[tokio::test]
async fn the_kept_sum_counts_where_none_is_published_any_more() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::File]);
    let (cache, release) = (folder(), server.release(None));
    let found = fetch(&release, cache.path()).await.expect("the first");
    std::fs::remove_file(&found.path).expect("the program is there");
    server.publishes("404 Not Found", "");
    fetch(&release, cache.path())
        .await
        .expect("by the kept sum");
}

#[tokio::test]
async fn a_sum_is_kept_only_when_the_archive_fits() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::File]);
    server.publishes("200 OK", &format!("{} {NAME}\n", "0".repeat(64)));
    let (cache, release) = (folder(), server.release(None));
    let error = fetch(&release, cache.path())
        .await
        .expect_err("another sum");
    assert!(error.to_string().contains("has SHA-256"), "{error}");
    assert!(files(cache.path()).is_empty(), "{:?}", files(cache.path()));
}

#[tokio::test]
async fn a_missing_sum_is_told_with_its_place() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file, vec![Reply::File]);
    server.publishes("404 Not Found", "");
    let (cache, release) = (folder(), server.release(None));
    let error = fetch(&release, cache.path()).await.expect_err("no sum");
    assert_eq!(
        error.to_string(),
        format!(
            "found no `{}.sha256` to check the archive beside it against",
            release.address
        )
    );
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("--istioctl-sha256"))
    );
    assert!(files(cache.path()).is_empty(), "{:?}", files(cache.path()));
}

#[tokio::test]
async fn what_is_published_must_be_a_sum_of_this_file() {
    let server = Server::start(archive("1.30.2", "istioctl"), vec![Reply::File]);
    let release = server.release(None);
    let long = "0".repeat(5000);
    for (text, what) in [
        ("nothing\n", "found no SHA-256"),
        (
            &format!("{} other.tar.gz\n", "0".repeat(64)),
            "found the sum of another file",
        ),
        (long.as_str(), "found more than 4096 bytes"),
    ] {
        server.publishes("200 OK", text);
        let error = fetch(&release, folder().path()).await.expect_err(what);
        let expected = format!(
            "`{}.sha256` is no SHA-256 of the archive: {what}",
            release.address
        );
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    assert!(server.ranges().is_empty());
}

#[tokio::test]
async fn a_sum_that_anybody_could_have_written_does_not_count() {
    let mut release = Server::start(Vec::new(), vec![Reply::File]).release(None);
    release.address = Address::in_mirror("http://mirror.invalid", "1.30.2", NAME).expect("a URL");
    let error = fetch(&release, folder().path())
        .await
        .expect_err("plain HTTP");
    assert_eq!(
        error.to_string(),
        format!(
            "`http://mirror.invalid/1.30.2/{NAME}.sha256` is plain HTTP, expected https for the sum that the archive is checked against"
        )
    );
}
