//! The plugin fetches istioctl: processes, signals, environment, TLS.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kubectl_kyma_istio::exit;
use tempfile::TempDir;

use super::common::plugin;
use super::kit::folder;
use super::mirror::{Manner, Mirror};

const RENDER: [&str; 3] = ["render", "--profile", "evaluation"];
const MIRROR: &str = "KYMA_ISTIO_ISTIOCTL_BASE_URL";

/// The plugin as a process that goes on while the test looks.
fn spawn(base: &str, cache: &TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kubectl-kyma_istio"))
        .args(RENDER)
        .env_clear()
        .env("HOME", cache.path())
        .env("PATH", cache.path())
        .env(MIRROR, base)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn over_tls_the_published_sum_is_enough() {
    let mirror = Mirror::tls(Manner::default());
    let authority = mirror.certificate.path().join("ca.pem");
    let answer = plugin(&[&RENDER[..], &["--istioctl-base-url", &mirror.base()]].concat())
        .env("SSL_CERT_FILE", &authority)
        .run();
    assert_eq!(answer.code, exit::DONE, "{}", answer.stderr);
    assert!(
        answer.stdout.contains("name: rendered"),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stderr.contains("downloaded istioctl "),
        "{}",
        answer.stderr
    );
    // Whoever stands between has another certificate.
    let answer = plugin(&RENDER).env(MIRROR, mirror.base()).run();
    assert_eq!(answer.code, exit::UNREACHABLE, "{}", answer.stderr);
    assert!(answer.stderr.contains("ertificate"), "{}", answer.stderr);
}

#[test]
fn from_tls_no_redirect_leads_to_plain_http() {
    let plain = Mirror::plain(Manner::default());
    let location = Some(format!("{}/x", plain.base()));
    let mirror = Mirror::tls(Manner {
        location,
        ..Manner::default()
    });
    let answer = plugin(&RENDER)
        .env(MIRROR, mirror.base())
        .env("SSL_CERT_FILE", mirror.certificate.path().join("ca.pem"))
        .run();
    assert_eq!(answer.code, exit::REFUSED, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("redirects to `http://localhost:"),
        "{}",
        answer.stderr
    );
    assert!(plain.asked.lock().unwrap().is_empty());
}

#[test]
fn a_signal_leaves_a_part_that_the_next_run_continues() {
    let mirror = Mirror::plain(Manner {
        stalls_after: Some(5000),
        ..Manner::default()
    });
    let cache = folder(&[]);
    let child = spawn(&mirror.base(), &cache);
    let partial = || {
        let folders = std::fs::read_dir(cache.path().join(".cache/kyma-istio/istioctl"));
        let mut paths = folders
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        paths.find_map(|path| Some(path.join("archive.partial").metadata().ok()?.len()))
    };
    until("a part comes", || partial() == Some(5000));
    // To the whole group, as a terminal sends Ctrl-C. Not INT: where this test runs in the background, shells have it ignored.
    let group = format!("-{}", child.id());
    Command::new("/bin/sh")
        .args(["-c", "kill -s TERM -- \"$1\"", "sh", &group])
        .status()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        !output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
    assert_eq!(partial(), Some(5000));

    let output = spawn(&mirror.base(), &cache).wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("name: rendered"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let archives = mirror.archives();
    assert_eq!(archives.len(), 2);
    assert!(
        archives[1].contains("range: bytes=5000-\r\n")
            && archives[1].contains("if-range: \"1\"\r\n"),
        "{archives:?}"
    );
}

#[test]
fn two_processes_at_once_download_once() {
    let mirror = Mirror::plain(Manner::default());
    let cache = folder(&[]);
    let children = [(); 4].map(|()| spawn(&mirror.base(), &cache));
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(mirror.archives().len(), 1);
}

#[test]
fn a_disk_that_takes_no_more_is_told_with_the_place() {
    let mirror = Mirror::plain(Manner::default());
    let cache = folder(&[]);
    // A limit on the size of files, as a full disk: one block of 512 bytes or 1 KiB.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let output = Command::new("/bin/sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_kubectl-kyma_istio")])
        .args(RENDER)
        .env_clear()
        .env("HOME", cache.path())
        .env("PATH", cache.path())
        .env(MIRROR, mirror.base())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(i32::from(exit::INVALID)),
        "{stderr}"
    );
    assert!(
        stderr.contains("can't write `") && stderr.contains("archive.partial`: File too large"),
        "{stderr}"
    );
    assert!(stderr.contains("$XDG_CACHE_HOME"), "{stderr}");
}

#[test]
fn a_password_in_the_url_is_not_printed() {
    // Nobody listens there.
    let secret = "https://me:s3cret@127.0.0.1:1/istio?";
    for base in [
        secret.trim_end_matches('?'),
        secret,
        "https://me:s3cret@",
        "ftp://me:s3cret@x",
    ] {
        for (flag, env) in [(Some(base), ""), (None, base)] {
            let flags: Vec<&str> = flag
                .iter()
                .flat_map(|base| ["--istioctl-base-url", *base])
                .collect();
            let answer = plugin(&[&RENDER[..], &flags[..]].concat())
                .env(MIRROR, env)
                .run();
            assert_ne!(answer.code, exit::DONE);
            assert!(answer.stderr.contains("error: "), "{}", answer.stderr);
            assert!(!answer.stderr.contains("s3cret"), "{}", answer.stderr);
        }
    }
    let job = [
        "patch",
        "--job",
        "--image",
        "example.com/plugin:1",
        "--istioctl-base-url",
        "https://me:s3cret@127.0.0.1:1",
    ];
    let answer = plugin(&job).run();
    assert_eq!((answer.code, answer.stdout.as_str()), (exit::INVALID, ""));
    assert!(
        answer.stderr.contains("the Job would show the password"),
        "{}",
        answer.stderr
    );
    assert!(!answer.stderr.contains("s3cret"), "{}", answer.stderr);
}

#[test]
fn the_flag_comes_before_the_environment() {
    let (named, set) = (
        Mirror::plain(Manner::default()),
        Mirror::plain(Manner::default()),
    );
    let answer = plugin(&[&RENDER[..], &["--istioctl-base-url", &named.base()]].concat())
        .env(MIRROR, set.base())
        .run();
    assert_eq!(answer.code, exit::DONE, "{}", answer.stderr);
    assert_eq!((named.archives().len(), set.archives().len()), (1, 0));
}

#[test]
fn where_no_temporary_folder_can_be_made_it_renders_all_the_same() {
    let mirror = Mirror::plain(Manner::default());
    let cache = folder(&[]);
    // The first run fetches; the second finds nothing that can be written, as in the Job's container.
    let first = spawn(&mirror.base(), &cache).wait_with_output().unwrap();
    assert!(first.status.success());
    let answer = plugin(&RENDER)
        .env("XDG_CACHE_HOME", cache.path().join(".cache"))
        .env("TMPDIR", "/nonexistent")
        .env(MIRROR, mirror.base())
        .run();
    assert_eq!(answer.code, exit::DONE, "{}", answer.stderr);
    assert!(answer.stdout.contains("name: rendered"));
    assert_eq!(mirror.archives().len(), 1);
}
