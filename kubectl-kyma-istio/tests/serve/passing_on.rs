//! With an upstream: what it gets, what comes back, what happens when it is not there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use super::echo::Echo;
use super::kit::{POLICY, Serve, root, token};

#[test]
fn an_upstream_gets_the_claims_and_nothing_forged() {
    let upstream = Echo::start();
    let server = Serve::file(
        &root().join("examples/shop.yaml"),
        &["--upstream", &upstream.url],
    );
    let ann = token("ann");
    let headers = format!(
        "x-forwarded-for: 10.6.6.6, 203.0.113.9\r\nauthorization: Bearer {ann}\r\nX-User: root\r\nx_user: root\r\nx-groups: admins\r\nx-client-ip: 10.6.6.6\r\nx-own: kept\r\n"
    );
    let answer = server.get("/orders?page=2", &headers);
    assert_eq!(
        (answer.status, answer.header("x-from")),
        (201, Some("upstream"))
    );
    let [seen] = &upstream.seen()[..] else {
        panic!("{:?}", upstream.seen())
    };
    assert_eq!(seen.target, "GET /orders?page=2");
    let bearer = format!("Bearer {ann}");
    for (name, values) in [
        ("host", vec!["shop.example"]),
        ("x-user", vec!["ann"]),
        ("x_user", vec![]),
        ("x-groups", vec!["buyers"]),
        ("x-client-ip", vec!["203.0.113.9"]),
        ("x-forwarded-for", vec!["203.0.113.9"]),
        ("x-own", vec!["kept"]),
        ("authorization", vec![bearer.as_str()]),
    ] {
        assert_eq!(seen.header(name), values, "{name}");
    }
    server.line("GET /orders?page=<redacted> allow 201 - 203.0.113.9");
    assert_eq!(
        server
            .get("/orders", "x-forwarded-for: 203.0.113.9\r\n")
            .status,
        401
    );
    assert_eq!(upstream.seen().len(), 1, "a refused request went on");
}

#[test]
fn headers_of_one_connection_stay_there() {
    let upstream = Echo::start();
    let server = Serve::policy_with(POLICY, &["--upstream", &upstream.url]);
    // A client that names what the filter writes must not get it removed behind the filter.
    let answer = server.raw(
        "GET / HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 203.0.113.9\r\nconnection: close, x-client-ip, x-mine\r\nx-mine: 1\r\nx-client-ip: 10.6.6.6\r\nkeep-alive: 1\r\nte: trailers\r\nupgrade: websocket\r\nproxy-connection: close\r\n\r\n",
    );
    assert_eq!(answer.status, 201);
    for (name, value) in [
        ("x-from", Some("upstream")),
        ("set-cookie", Some("a=1")),
        ("x-hop", None),
        ("keep-alive", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let seen = &upstream.seen()[0];
    assert_eq!(seen.header("x-client-ip"), ["203.0.113.9"]);
    for name in [
        "connection",
        "x-mine",
        "keep-alive",
        "te",
        "upgrade",
        "proxy-connection",
    ] {
        assert!(seen.header(name).is_empty(), "{name}: {seen:?}");
    }
}

#[test]
fn a_request_in_a_body_is_no_second_request() {
    let upstream = Echo::start();
    let server = Serve::policy_with(POLICY, &["--upstream", &upstream.url]);
    let inner = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 203.0.113.66\r\n\r\n";
    let answer = server.raw(&format!(
        "POST /outer HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 203.0.113.9\r\nconnection: close\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n{inner}",
        inner.len()
    ));
    assert_eq!(answer.status, 201);
    let targets: Vec<String> = upstream
        .seen()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(targets, ["POST /outer"]);
    let seen = &upstream.seen()[0];
    assert_eq!(
        (
            seen.header("transfer-encoding"),
            seen.header("content-length").len()
        ),
        (vec!["chunked"], 0)
    );
}

#[test]
fn bodies_flow_both_ways_before_they_end() {
    let upstream = Echo::start();
    let server = Serve::policy_with(POLICY, &["--upstream", &upstream.url]);
    let mut stream = server.connect();
    let head = "POST / HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 203.0.113.9\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    stream.write_all(b"5\r\nfirst\r\n").unwrap();
    let (mut line, mut seen) = (String::new(), Vec::new());
    // The echo of the first chunk comes while the second is not yet sent.
    while line != "first\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "{seen:?}");
        seen.push(line.clone());
    }
    assert_eq!(seen[0], "HTTP/1.1 201 Created\r\n");
    stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "6\r\nsecond\r\n0\r\n\r\n");
}

#[test]
fn a_large_body_comes_back_whole() {
    let upstream = Echo::start();
    let server = Serve::policy_with(POLICY, &["--upstream", &upstream.url]);
    let body: String = (0..400_000)
        .map(|number| format!("{number:07}\n"))
        .collect();
    let mut stream = server.connect();
    let mut reader = stream.try_clone().unwrap();
    let head = format!(
        "PUT /x HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 203.0.113.9\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let sent = body.clone();
    let writer = std::thread::spawn(move || {
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
    });
    let mut answer = String::new();
    reader.read_to_string(&mut answer).unwrap();
    writer.join().unwrap();
    // A body of known length is passed on as one.
    let (head, echoed) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    assert!(
        echoed == body,
        "{} bytes came back of {}",
        echoed.len(),
        body.len()
    );
    assert_eq!(
        upstream.seen()[0].header("content-length"),
        [body.len().to_string()]
    );
}

#[test]
fn requests_wait_for_the_upstream_side_by_side() {
    // It answers once all are there: one after another they would never come.
    let upstream = Echo::together(8);
    let server = Serve::policy_with(POLICY, &["--upstream", &upstream.url]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                assert_eq!(
                    server.get("/", "x-forwarded-for: 203.0.113.9\r\n").status,
                    201
                )
            });
        }
    });
}

#[test]
fn an_upstream_that_is_down_is_502_and_one_line() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = Serve::policy_with(POLICY, &["--upstream", &format!("http://{free}")]);
    let answer = server.get("/", "x-forwarded-for: 203.0.113.9\r\n");
    let why = format!("upstream http://{free}: Connection refused (os error 111)");
    assert_eq!((answer.status, answer.body), (502, format!("{why}\n")));
    server.line(&format!("GET / allow 502 - 203.0.113.9 ({why})"));
}
