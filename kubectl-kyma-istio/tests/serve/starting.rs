//! How the server starts, refuses to start, and stops.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Instant;

use super::echo::Echo;
use super::kit::{DEADLINE, POLICY, Serve, plugin};

/// Runs a server that must not start; its stderr.
fn refused(policy: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy).unwrap();
    let output = plugin()
        .arg("--policy")
        .arg(&file)
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(2), 0),
        "{output:?}"
    );
    String::from_utf8(output.stderr)
        .unwrap()
        .replace(&file.display().to_string(), "policy.yaml")
}

#[test]
fn a_bad_policy_does_not_start() {
    let problems = refused(
        &POLICY
            .replace("hops: 1", "hops: many")
            .replace("Replace", "Replaced"),
        &[],
    );
    assert!(
        problems.starts_with("error: `policy.yaml` is no valid policy:\n  policy.yaml:6:"),
        "{problems}"
    );
    for field in [
        "spec.forwarded.trust.hops: found",
        "spec.forwarded.outbound: found",
        "hint: ",
    ] {
        assert!(problems.contains(field), "{problems}");
    }
}

#[test]
fn a_port_that_is_taken_is_told_in_one_line_with_a_hint() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = refused(POLICY, &["--listen", &address.to_string()]);
    assert_eq!(
        error,
        format!(
            "error: can't listen on {address}: Address already in use (os error 98)\n  hint: stop what listens there, name another port, or let the system choose one: `--listen 127.0.0.1:0`\n"
        )
    );
}

#[test]
fn other_machines_are_let_in_only_on_demand() {
    let error = refused(POLICY, &["--listen", "0.0.0.0:0"]);
    assert!(
        error.starts_with("error: `--listen 0.0.0.0:0` can be reached from other machines")
            && error.contains("--allow-remote"),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, POLICY).unwrap();
    let server = Serve::file(&file, &["--allow-remote", "--quiet"]);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn an_upstream_over_tls_and_another_position_are_refused() {
    let error = refused(POLICY, &["--upstream", "https://ann:secret@shop.example"]);
    assert!(
        error.contains("this server speaks no TLS") && !error.contains("secret"),
        "{error}"
    );
    let error = refused(POLICY, &["--position", "SidecarInbound"]);
    assert_eq!(
        error,
        "error: the policy is for `position: Gateway`, but `SidecarInbound` was asked for\n"
    );
}

#[test]
fn sigterm_and_ctrl_c_end_with_0_and_a_sum() {
    for signal in ["-TERM", "-INT"] {
        let server = Serve::policy(POLICY);
        server.get("/", "x-forwarded-for: 203.0.113.9\r\n");
        server.get("/", "x-forwarded-for: 203.0.113.66\r\n");
        server.signal(signal);
        let stopped = server.ended();
        assert_eq!(stopped.code, Some(0));
        assert!(
            stopped
                .stderr
                .ends_with("2 requests: 1 allowed, 1 denied, 0 refused unjudged, 0 failed"),
            "{}",
            stopped.stderr
        );
    }
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let upstream = Echo::start();
    let server = Serve::policy_with(POLICY, &["--upstream", &upstream.url]);
    let mut stream = server.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\ncontent-length: 500\r\n\r\n")
        .unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0);
    }
    server.signal("-TERM");
    // It listens no more: the signal was heard.
    let until = Instant::now() + DEADLINE;
    while TcpStream::connect(&server.address).is_ok() {
        assert!(Instant::now() < until, "it goes on listening");
    }
    // Each byte goes to the upstream and back before the next: a server that ended would be noticed on the way.
    for number in 0..500 {
        let mut byte = [0];
        stream.write_all(b"x").unwrap();
        reader
            .read_exact(&mut byte)
            .unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(&byte, b"x");
    }
    assert_eq!(server.ended().code, Some(0));
}

#[test]
fn quiet_tells_no_request() {
    let server = Serve::policy_with(POLICY, &["--quiet"]);
    server.get("/", "x-forwarded-for: 203.0.113.9\r\n");
    assert_eq!(
        server.stop().stderr,
        "1 requests: 1 allowed, 0 denied, 0 refused unjudged, 0 failed"
    );
}

#[test]
fn people_get_a_line_and_stdin_can_be_the_policy() {
    let mut child = plugin()
        .args(["--listen", "127.0.0.1:0", "--policy", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(POLICY.as_bytes())
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        line.starts_with("http://127.0.0.1:")
            && line.contains("  policy stdin as Gateway, fingerprint "),
        "{line}"
    );
}
