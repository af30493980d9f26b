//! What is no request, too large, or too slow.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use super::kit::{POLICY, Serve};

#[test]
fn headers_over_envoys_limits_are_431() {
    let server = Serve::policy(POLICY);
    let chain = "x-forwarded-for: 203.0.113.9\r\n";
    let filled = |bytes: usize| format!("{chain}x-fill: {}\r\n", "a".repeat(bytes));
    assert_eq!(server.get("/", &filled(59 << 10)).status, 200);
    assert_eq!(server.get("/", &filled(60 << 10)).status, 431);
    server.line_from("no request from 127.0.0.1: ");
    let many = |count: usize| {
        let lines: String = (0..count)
            .map(|number| format!("x-{number}: 1\r\n"))
            .collect();
        format!("{chain}{lines}")
    };
    // `host`, `x-forwarded-for` and `connection` make it 100.
    assert_eq!(server.get("/", &many(97)).status, 200);
    assert_eq!(server.get("/", &many(98)).status, 431);
}

#[test]
fn what_is_no_request_is_400() {
    let server = Serve::policy(POLICY);
    for malformed in [
        "GET / HTTP/1.1\r\nhost: a\r\nbad header: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n folded\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        "\u{1}\u{2}\u{3}\r\n\r\n",
    ] {
        assert_eq!(server.raw(malformed).status, 400, "{malformed:?}");
    }
    server.lines("no request from 127.0.0.1: invalid HTTP header parsed", 1);
}

#[test]
fn what_a_gateway_refuses_before_its_filters_is_refused() {
    let server = Serve::policy(POLICY);
    for (request, status, line) in [
        (
            "GET /a HTTP/1.1\r\nconnection: close\r\n\r\n",
            400,
            "GET /a refuse 400 - - (no or several `host` headers, expected one)",
        ),
        (
            "GET /b HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n",
            400,
            "GET /b refuse 400 - - (no or several `host` headers, expected one)",
        ),
        (
            "GET /c HTTP/1.0\r\nhost: a\r\n\r\n",
            426,
            "GET /c refuse 426 - - (an older HTTP, expected HTTP/1.1)",
        ),
        (
            "CONNECT shop.example:80 HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n",
            405,
            "CONNECT shop.example:80 refuse 405 - - (CONNECT, expected a request that is no tunnel)",
        ),
    ] {
        assert_eq!(server.raw(request).status, status, "{request}");
        server.line(line);
    }
}

#[test]
fn the_host_of_an_absolute_target_wins() {
    let server = Serve::policy(POLICY);
    let answer = server.raw("GET http://shop.example/x HTTP/1.1\r\nhost: other.example\r\nx-forwarded-for: 203.0.113.9\r\nconnection: close\r\n\r\n");
    let request = &answer.json()["request"];
    assert_eq!(
        (request["host"].as_str(), request["path"].as_str()),
        (Some("shop.example"), Some("/x"))
    );
}

#[test]
fn bytes_that_are_no_text_reach_the_filter() {
    let server = Serve::policy(POLICY);
    let mut stream = server.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\nx-odd: \xff\xfe\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""x-odd": "\\xff\\xfe""#),
        "{answer}"
    );
}

#[test]
fn a_head_that_does_not_end_is_cut_off() {
    let server = Serve::policy(POLICY);
    let mut stream = server.connect();
    let began = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").unwrap();
    let mut rest = Vec::new();
    // The kit's deadline for reads is three times the server's.
    stream.read_to_end(&mut rest).unwrap();
    assert!(
        began.elapsed() >= Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
}
