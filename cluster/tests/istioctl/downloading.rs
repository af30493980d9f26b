//! A download that ends well, whatever happens on its way.

use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use cluster::istioctl::{Origin, download};
use cluster::progress::{Event, Progress};

use super::kit::{archive, fetch, files, folder, sha256};
use super::server::{NAME, Reply, Server};

#[tokio::test]
async fn a_download_is_checked_unpacked_and_kept() {
    #[derive(Default)]
    struct Bytes(Mutex<Vec<(u64, Option<u64>)>>);
    impl Progress for Bytes {
        fn event(&self, event: Event<'_>) {
            if let Event::Downloading { bytes, of, .. } = event {
                self.0.lock().expect("no panic").push((bytes, of));
            }
        }
    }
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::File]);
    let (cache, progress) = (folder(), Bytes::default());
    let release = server.release(Some(sha256(&file)));
    let found = download(&release, cache.path(), &progress)
        .await
        .expect("a download");
    assert_eq!(
        (found.version.as_str(), found.origin),
        ("1.30.2", Origin::Cache)
    );
    let mode = found.path.metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o555, "nobody writes to it");
    let expected = format!("istioctl/1.30.2-linux-amd64-{}/istioctl", sha256(&file));
    assert_eq!(found.path, cache.path().join(expected));
    assert_eq!(files(cache.path()), ["istioctl"], "nothing else stays");
    let seen = progress.0.into_inner().expect("no panic");
    let size = file.len() as u64;
    assert_eq!(seen.last(), Some(&(size, Some(size))));
    assert!(seen.len() > 1 && seen.is_sorted(), "{seen:?}");

    fetch(&release, cache.path()).await.expect("from the cache");
    assert_eq!(server.asked().len(), 1, "the second time nothing is asked");
}

#[tokio::test]
async fn an_interrupted_download_is_resumed() {
    let file = archive("1.30.2", "istioctl");
    let replies = vec![Reply::Part(1000), Reply::Part(2000), Reply::File];
    let server = Server::start(file.clone(), replies);
    let cache = folder();
    fetch(&server.release(Some(sha256(&file))), cache.path())
        .await
        .expect("in three pieces");
    assert_eq!(server.ranges(), [None, Some(1000), Some(3000)]);
    let tag = format!("if-range: \"{}\"", &sha256(&file)[..8]);
    assert!(
        server.asked()[1].head.contains(&tag),
        "{:?}",
        server.asked()[1]
    );
}

#[tokio::test]
async fn a_download_continues_where_an_earlier_process_stopped() {
    let file = archive("1.30.2", "istioctl");
    let nothing = || Reply::Head("503 Service Unavailable".to_owned());
    let mut replies = vec![Reply::Part(1000)];
    replies.extend((0..5).map(|_| nothing()));
    replies.push(Reply::File);
    let server = Server::start(file.clone(), replies);
    let (cache, release) = (folder(), server.release(Some(sha256(&file))));
    let started = Instant::now();
    let error = fetch(&release, cache.path())
        .await
        .expect_err("nothing comes any more");
    assert_eq!(
        error.to_string(),
        format!(
            "can't download `{}`: the server answers 503 Service Unavailable",
            release.address
        )
    );
    // A quarter of a second after what came and after the first failure, then 0.5, 1 and 2 seconds.
    assert!(
        started.elapsed() > Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(files(cache.path()), ["archive.partial", "archive.tag"]);
    fetch(&release, cache.path()).await.expect("the rest");
    assert_eq!(server.ranges().last(), Some(&Some(1000)));
    assert_eq!(files(cache.path()), ["istioctl"]);
}

#[tokio::test]
async fn a_server_error_passes() {
    let file = archive("1.30.2", "istioctl");
    for status in [
        "500 Internal Server Error",
        "429 Too Many Requests",
        "408 Request Timeout",
    ] {
        let server = Server::start(
            file.clone(),
            vec![Reply::Head(status.to_owned()), Reply::File],
        );
        let cache = folder();
        fetch(&server.release(None), cache.path())
            .await
            .expect(status);
        assert_eq!(server.ranges(), [None, None], "{status}");
    }
}

#[tokio::test]
async fn a_server_without_ranges_sends_all_again() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::Part(1000), Reply::Whole]);
    let cache = folder();
    fetch(&server.release(Some(sha256(&file))), cache.path())
        .await
        .expect("from the start");
    assert_eq!(server.ranges(), [None, Some(1000)]);
}

#[tokio::test]
async fn without_an_entity_tag_nothing_is_resumed() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::without_tags(file.clone(), vec![Reply::Part(1000), Reply::File]);
    let cache = folder();
    fetch(&server.release(Some(sha256(&file))), cache.path())
        .await
        .expect("from the start");
    assert_eq!(server.ranges(), [None, None]);
}

#[tokio::test]
async fn a_file_that_changed_in_between_is_not_spliced() {
    let (old, new) = (archive("1.30.1", "istioctl"), archive("1.30.2", "istioctl"));
    // The first answers are of the old file; the sum is that of the new one.
    let server = Server::start(old, vec![Reply::Part(1000), Reply::Other(new.clone())]);
    let cache = folder();
    let found = fetch(&server.release(Some(sha256(&new))), cache.path())
        .await
        .expect("the new file, whole");
    assert_eq!(found.version, "1.30.2");
    assert_eq!(server.ranges(), [None, Some(1000)]);
}

#[tokio::test]
async fn another_part_than_the_asked_one_is_thrown_away() {
    let file = archive("1.30.2", "istioctl");
    let replies = vec![Reply::Part(1000), Reply::Misplaced, Reply::File];
    let server = Server::start(file.clone(), replies);
    let cache = folder();
    fetch(&server.release(Some(sha256(&file))), cache.path())
        .await
        .expect("from the start");
    assert_eq!(server.ranges(), [None, Some(1000), None]);
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let file = archive("1.30.2", "istioctl");
    let mirror = Server::start(file.clone(), vec![Reply::File]);
    let to = format!(
        "302 Found\r\nlocation: http://{}/elsewhere?sig=1",
        mirror.address
    );
    let server = Server::start(file.clone(), vec![Reply::Head(to)]);
    let cache = folder();
    fetch(&server.release(Some(sha256(&file))), cache.path())
        .await
        .expect("from the mirror");
    assert_eq!(mirror.asked()[0].path, "/elsewhere?sig=1");
}

#[tokio::test]
async fn credentials_of_the_url_go_to_its_host_alone() {
    let file = archive("1.30.2", "istioctl");
    let mirror = Server::start(file.clone(), vec![Reply::File]);
    let to = format!("302 Found\r\nlocation: http://{}/elsewhere", mirror.address);
    let server = Server::start(file.clone(), vec![Reply::Head(to)]);
    let base = format!("http://me:s3cret@{}", server.address);
    let mut release = server.release(Some(sha256(&file)));
    release.address = cluster::istioctl::Address::in_mirror(&base, "1.30.2", NAME).expect("a URL");
    fetch(&release, folder().path()).await.expect("a download");
    // RFC 7617: `me:s3cret` in base64.
    assert!(
        server.asked()[0]
            .head
            .contains("authorization: basic bwu6cznjcmv0")
    );
    assert!(!mirror.asked()[0].head.contains("authorization"));
}

#[tokio::test]
async fn two_at_once_download_once() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::File]);
    let (cache, release) = (folder(), server.release(None));
    let (one, two) = tokio::join!(fetch(&release, cache.path()), fetch(&release, cache.path()));
    assert_eq!(one.expect("the first").path, two.expect("the second").path);
    assert_eq!(server.ranges().len(), 1);
}
