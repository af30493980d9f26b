//! Finding, downloading and running istioctl, against a server on loopback that misbehaves. The programs are scripts:
//! what the real istioctl prints is tested where it renders.

#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cluster::error::Class;
use cluster::interrupt::{Interrupt, interrupt};
use cluster::istioctl::{
    Generate, Istioctl, IstioctlError, Origin, Release, Sources, download, find, generate,
};
use cluster::progress::{Event, Progress, Silent};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// An istioctl that knows its version and renders what it gets, with its environment.
fn script(version: &str) -> String {
    format!(
        r##"#!/bin/sh
case "$1" in
version) echo '{{"clientVersion":{{"version":"{version}"}}}}' ;;
manifest) shift; echo "# args: $*"; env | sort | sed 's/^/# env: /'; cat ;;
esac
"##
    )
}

fn program(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("istioctl");
    std::fs::write(&path, text).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    path
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A `.tar.gz` as Istio publishes it, padded so that it comes in several pieces.
fn archive(version: &str, member: &str) -> Vec<u8> {
    let mut text = script(version).into_bytes();
    let mut noise: u64 = 7;
    text.extend(b"exit 0\n".iter());
    text.extend((0..300_000).map(|_| {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        b' ' + u8::try_from(noise >> 58).expect("six bits")
    }));
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    tar.append_data(&mut header, member, text.as_slice())
        .expect("a member");
    tar.into_inner().expect("a tar").finish().expect("a gz")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// One answer of the server.
#[derive(Clone)]
enum Reply {
    /// The file, from where the request asks.
    File,
    /// The file from its start, whatever the request asks.
    Whole,
    /// So many bytes of what was asked for, then it hangs up.
    Part(usize),
    /// Another file.
    Other(Vec<u8>),
    /// A status line and headers.
    Head(&'static str),
}

struct Server {
    address: SocketAddr,
    /// The `range` of each request.
    seen: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    /// Answers in this order; the last one again and again.
    fn start(file: Vec<u8>, replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (file, replies, all) = (file.clone(), replies.clone(), all.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.expect("a connection");
                    let range = range(&mut stream);
                    let number = {
                        let mut all = all.lock().expect("no panic");
                        all.push(range);
                        all.len() - 1
                    };
                    let reply = &replies[number.min(replies.len() - 1)];
                    let _gone = answer(&mut stream, &file, reply, range);
                });
            }
        });
        Self { address, seen }
    }

    fn release(&self, sha256: String) -> Release {
        Release {
            version: "1.30.2".to_owned(),
            url: format!("http://{}/istioctl.tar.gz", self.address),
            sha256,
        }
    }

    fn ranges(&self) -> Vec<Option<usize>> {
        self.seen.lock().expect("no panic").clone()
    }
}

fn range(stream: &mut TcpStream) -> Option<usize> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("text").to_lowercase();
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))?;
    line.trim_end_matches('-').parse().ok()
}

fn answer(
    stream: &mut TcpStream,
    file: &[u8],
    reply: &Reply,
    range: Option<usize>,
) -> std::io::Result<()> {
    let mut send = |head: &str, length: usize, body: &[u8]| {
        write!(
            stream,
            "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        stream.write_all(body)
    };
    match (reply, range) {
        (Reply::Head(head), _) => send(head, 0, b""),
        (Reply::Other(other), _) => send("200 OK", other.len(), other),
        (Reply::Whole, _) | (Reply::File, None) => send("200 OK", file.len(), file),
        (Reply::File, Some(from)) if from >= file.len() => {
            send("416 Range Not Satisfiable", 0, b"")
        }
        (Reply::File, Some(from)) => send("206 Partial Content", file.len() - from, &file[from..]),
        (Reply::Part(count), from) => {
            let rest = &file[from.unwrap_or(0)..];
            send(
                if from.is_some() {
                    "206 Partial Content"
                } else {
                    "200 OK"
                },
                rest.len(),
                &rest[..*count],
            )
        }
    }
}

async fn fetch(release: &Release, cache: &Path) -> Result<Istioctl, IstioctlError> {
    download(release, cache, &Interrupt::never(), &Silent).await
}

/// Every file below, without the lock.
fn files(folder: &Path) -> Vec<String> {
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
    found
}

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
    let release = server.release(sha256(&file));
    let found = download(&release, cache.path(), &Interrupt::never(), &progress)
        .await
        .expect("a download");
    assert_eq!(
        (found.version.as_str(), found.origin),
        ("1.30.2", Origin::Cache)
    );
    assert_eq!(
        found.path.metadata().expect("a file").permissions().mode() & 0o777,
        0o755
    );
    assert_eq!(files(cache.path()), ["istioctl"], "nothing else stays");
    let size = file.len() as u64;
    assert!(
        progress
            .0
            .lock()
            .expect("no panic")
            .iter()
            .all(|(bytes, of)| *bytes <= size && *of == Some(size))
    );

    fetch(&release, cache.path()).await.expect("from the cache");
    assert_eq!(
        server.ranges().len(),
        1,
        "the second time nothing is downloaded"
    );
}

#[tokio::test]
async fn a_corrupted_file_is_refused_and_removed() {
    let file = archive("1.30.2", "istioctl");
    let mut other = file.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    let server = Server::start(file.clone(), vec![Reply::Other(other.clone()), Reply::File]);
    let cache = folder();
    let release = server.release(sha256(&file));
    let error = fetch(&release, cache.path()).await.expect_err("corrupted");
    let expected = format!(
        "`{}` has SHA-256 {}, expected {}; it was removed",
        release.url,
        sha256(&other),
        sha256(&file)
    );
    assert_eq!(
        (error.to_string(), error.class()),
        (expected, Class::Refused)
    );
    assert!(files(cache.path()).is_empty(), "{:?}", files(cache.path()));
    fetch(&release, cache.path())
        .await
        .expect("the next one is right");
}

#[tokio::test]
async fn an_interrupted_download_is_resumed() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(
        file.clone(),
        vec![Reply::Part(1000), Reply::Part(2000), Reply::File],
    );
    let cache = folder();
    fetch(&server.release(sha256(&file)), cache.path())
        .await
        .expect("in three pieces");
    assert_eq!(server.ranges(), [None, Some(1000), Some(3000)]);
}

#[tokio::test]
async fn a_download_goes_on_where_an_earlier_process_stopped() {
    let file = archive("1.30.2", "istioctl");
    let nothing = Reply::Head("503 Service Unavailable");
    let server = Server::start(
        file.clone(),
        vec![
            Reply::Part(1000),
            nothing.clone(),
            nothing.clone(),
            nothing,
            Reply::File,
        ],
    );
    let (cache, release) = (folder(), server.release(sha256(&file)));
    let error = fetch(&release, cache.path())
        .await
        .expect_err("nothing comes any more");
    assert_eq!(
        error.to_string(),
        format!(
            "can't download `{}`: the server answers 503 Service Unavailable",
            release.url
        )
    );
    assert_eq!(files(cache.path()), ["archive.partial"]);
    fetch(&release, cache.path()).await.expect("the rest");
    assert_eq!(server.ranges().last(), Some(&Some(1000)));
}

#[tokio::test]
async fn a_server_without_ranges_sends_all_again() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::Part(1000), Reply::Whole]);
    let cache = folder();
    fetch(&server.release(sha256(&file)), cache.path())
        .await
        .expect("from the start");
    assert_eq!(server.ranges(), [None, Some(1000)]);
}

#[tokio::test]
async fn what_is_not_there_is_not_asked_for_again() {
    let server = Server::start(Vec::new(), vec![Reply::Head("404 Not Found")]);
    let (cache, release) = (folder(), server.release("0".repeat(64)));
    let error = fetch(&release, cache.path()).await.expect_err("404");
    assert_eq!(
        error.to_string(),
        format!(
            "can't download `{}`: the server answers 404 Not Found",
            release.url
        )
    );
    assert_eq!(
        (error.class(), server.ranges().len()),
        (Class::Unreachable, 1)
    );
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let file = archive("1.30.2", "istioctl");
    let mirror = Server::start(file.clone(), vec![Reply::File]);
    let to = format!("302 Found\r\nlocation: http://{}/elsewhere", mirror.address);
    let server = Server::start(Vec::new(), vec![Reply::Head(to.leak())]);
    let cache = folder();
    fetch(&server.release(sha256(&file)), cache.path())
        .await
        .expect("from the mirror");
}

#[tokio::test]
async fn two_at_once_download_once() {
    let file = archive("1.30.2", "istioctl");
    let server = Server::start(file.clone(), vec![Reply::File]);
    let (cache, release) = (folder(), server.release(sha256(&file)));
    let (one, two) = tokio::join!(fetch(&release, cache.path()), fetch(&release, cache.path()));
    assert_eq!(one.expect("the first").path, two.expect("the second").path);
    assert_eq!(server.ranges().len(), 1);
}

#[tokio::test]
async fn an_archive_without_the_program_is_refused() {
    let file = archive("1.30.2", "README");
    let server = Server::start(file.clone(), vec![Reply::File]);
    let (cache, release) = (folder(), server.release(sha256(&file)));
    let error = fetch(&release, cache.path()).await.expect_err("no program");
    assert_eq!(
        error.to_string(),
        format!("`{}` has no file `istioctl` in it", release.url)
    );
}

#[tokio::test]
async fn ctrl_c_ends_a_download_and_keeps_what_came() {
    struct AtFirstByte(Mutex<Option<cluster::interrupt::Raise>>);
    impl Progress for AtFirstByte {
        fn event(&self, _: Event<'_>) {
            if let Some(raise) = self.0.lock().expect("no panic").take() {
                raise.raise();
            }
        }
    }
    let file = archive("1.30.2", "istioctl");
    // Each answer brings a little, so it would never end by itself.
    let server = Server::start(file.clone(), vec![Reply::Part(10)]);
    let (cache, release) = (folder(), server.release(sha256(&file)));
    let (raise, seen) = interrupt();
    let started = Instant::now();
    let error = download(
        &release,
        cache.path(),
        &seen,
        &AtFirstByte(Mutex::new(Some(raise))),
    )
    .await
    .expect_err("ended");
    assert!(matches!(error, IstioctlError::Interrupted), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(files(cache.path()), ["archive.partial"]);
}

#[tokio::test]
async fn the_flag_comes_before_the_variable_before_the_path() {
    let (a, b, c) = (folder(), folder(), folder());
    let [flag, env, _] =
        [&a, &b, &c].map(|folder| program(folder.path(), &script("1.30.2-distroless")));
    let mut sources = Sources {
        flag: Some(flag.clone()),
        env: Some(env.clone()),
        path: Some(c.path().into()),
    };
    assert_eq!(find(&sources, "1.30.2").await.expect("the flag").path, flag);
    sources.flag = None;
    let found = find(&sources, "1.30.2").await.expect("the variable");
    assert_eq!((found.path, found.origin), (env, Origin::Environment));
    sources.env = None;
    assert_eq!(
        find(&sources, "1.30.2").await.expect("the path").origin,
        Origin::Path
    );
}

#[tokio::test]
async fn another_version_is_refused_where_it_is_named_and_passed_over_on_the_path() {
    let (old, new) = (folder(), folder());
    let (old_program, _) = (
        program(old.path(), &script("1.29.2")),
        program(new.path(), &script("1.30.2")),
    );
    let named = Sources {
        flag: Some(old_program.clone()),
        ..Sources::default()
    };
    let error = find(&named, "1.30.2").await.expect_err("too old");
    assert_eq!(
        error.to_string(),
        format!(
            "`{}` is istioctl 1.29.2, expected 1.30.2",
            old_program.display()
        )
    );
    assert_eq!(error.class(), Class::Invalid);

    let path = std::env::join_paths([old.path(), new.path()]).expect("a path");
    let both = Sources {
        path: Some(path),
        ..Sources::default()
    };
    assert_eq!(
        find(&both, "1.30.2").await.expect("the second").path,
        new.path().join("istioctl")
    );

    let only_old = Sources {
        path: Some(old.path().into()),
        ..Sources::default()
    };
    let error = find(&only_old, "1.30.2").await.expect_err("none fits");
    let expected = format!(
        "found no istioctl 1.30.2 (`{}` is istioctl 1.29.2, expected 1.30.2)",
        old_program.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn what_is_no_istioctl_is_said_so() {
    let here = folder();
    let cases = [
        (
            "#!/bin/sh\necho hello\n",
            "`version` answers in another form than istioctl's",
        ),
        (
            "#!/bin/sh\necho first >&2; echo 'bad flag' >&2; exit 64\n",
            "`version` ended with exit status: 64: bad flag",
        ),
    ];
    for (text, why) in cases {
        let flag = program(here.path(), text);
        let error = find(
            &Sources {
                flag: Some(flag.clone()),
                ..Sources::default()
            },
            "1.30.2",
        )
        .await
        .expect_err(why);
        assert_eq!(
            error.to_string(),
            format!("`{}` can't be used as istioctl: {why}", flag.display())
        );
    }
    let missing = Sources {
        env: Some(here.path().join("none")),
        ..Sources::default()
    };
    let error = find(&missing, "1.30.2").await.expect_err("missing");
    assert!(
        error
            .to_string()
            .ends_with("No such file or directory (os error 2)"),
        "{error}"
    );
}

fn of(text: &str, folder: &TempDir) -> Istioctl {
    Istioctl {
        path: program(folder.path(), text),
        version: "1.30.2".to_owned(),
        origin: Origin::Flag,
    }
}

const INPUT: Generate<'_> = Generate {
    operator: "kind: IstioOperator\n",
    manifests: None,
    limit: Duration::from_secs(20),
};

#[tokio::test]
async fn it_runs_without_a_cluster_in_its_environment() {
    let here = folder();
    let rendered = generate(&of(&script("1.30.2"), &here), INPUT)
        .await
        .expect("a rendering");
    assert!(
        rendered.yaml.starts_with("# args: generate --filename -\n"),
        "{}",
        rendered.yaml
    );
    assert!(
        rendered.yaml.ends_with("kind: IstioOperator\n"),
        "{}",
        rendered.yaml
    );
    let names: Vec<&str> = rendered
        .yaml
        .lines()
        .filter_map(|line| line.strip_prefix("# env: ")?.split('=').next())
        .collect();
    // `sh` itself adds the last ones.
    let allowed = [
        "HOME",
        "PATH",
        "TMPDIR",
        "KUBECONFIG",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    ];
    assert!(names.iter().all(|name| allowed.contains(name)), "{names:?}");
    assert!(rendered.yaml.contains("# env: KUBECONFIG=/dev/null\n"));
    let charts = Generate {
        manifests: Some(here.path()),
        ..INPUT
    };
    let rendered = generate(&of(&script("1.30.2"), &here), charts)
        .await
        .expect("a rendering");
    assert!(rendered.yaml.starts_with(&format!(
        "# args: generate --filename - --manifests {}\n",
        here.path().display()
    )));
}

#[tokio::test]
async fn its_refusal_is_one_line_and_all_of_it_is_kept() {
    let here = folder();
    let error = generate(
        &of(
            "#!/bin/sh\necho warning >&2; echo 'Error: unknown field \"x\"' >&2; exit 1\n",
            &here,
        ),
        INPUT,
    )
    .await;
    let error = error.expect_err("refused");
    assert_eq!(
        error.to_string(),
        "istioctl can't render this: unknown field \"x\""
    );
    let IstioctlError::Render { stderr, .. } = error else {
        panic!("expected a refusal to render")
    };
    assert_eq!(stderr, "warning\nError: unknown field \"x\"\n");
}

#[tokio::test]
async fn a_program_that_hangs_is_ended() {
    let here = folder();
    let limited = Generate {
        limit: Duration::from_millis(200),
        ..INPUT
    };
    let error = generate(&of("#!/bin/sh\nexec sleep 600\n", &here), limited)
        .await
        .expect_err("too slow");
    assert_eq!(error.class(), Class::TimedOut, "{error}");
}
