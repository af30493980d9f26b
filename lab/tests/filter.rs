//! The real filter's life in real Envoy: updates that don't compile, starts that don't, the gauge that proves what runs, and what logs may hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at its first failure"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::{
    Bootstrap, Client, Ecds, Echo, Envoy, Listener, Node, RawRequest, Response, Update, Wasm,
};
use policy::{Key, Policy, Verdict, Verify};
use serde_json::{Value, json};

const GAUGE: &str = "wasmcustom.kyma_istio.header_policy.filter.policy_fingerprint";

/// No policy here has keys.
struct NoKeys;

impl Verify for NoKeys {
    fn verify(&self, _: &Key, _: &[u8], _: &[u8]) -> Verdict {
        Verdict::Unavailable
    }
    fn usable(&self, _: &Key) -> bool {
        false
    }
}

/// Refuses chains of fewer than `hops` trusted proxies.
fn policy(hops: u32) -> String {
    json!({"apiVersion": "policy.kyma-istio.dev/v1alpha1", "spec": {"forwarded": {"trust": {"hops": hops}, "clientIpHeader": "x-client-ip"}}}).to_string()
}

fn gauge_of(policy: &str) -> u64 {
    Policy::from_json(policy.as_bytes(), &NoKeys)
        .unwrap()
        .fingerprint()
        .gauge()
}

/// Two mistakes at once.
const BROKEN: &str = r#"{"apiVersion": "policy.kyma-istio.dev/v1alpha1", "spec": {"forwarded": {"trust": {"hops": 99}, "outbound": "Replase"}}}"#;

fn filter(configuration: &str) -> Wasm {
    let module = std::env::var("KYMA_ISTIO_WASM")
        .expect("KYMA_ISTIO_WASM is not set: run `make test`, or `make wasm` first");
    Wasm {
        name: "filter".to_owned(),
        ..Wasm::new(module, configuration)
    }
}

fn start(echo: &Echo, listener: Listener, node: Node) -> Envoy {
    Envoy::start(&Bootstrap {
        listeners: vec![listener],
        upstream: Some(echo.address()),
        log_level: "warning,wasm:trace".to_owned(),
        ..Bootstrap::new(node)
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

fn get(envoy: &Envoy, name: &str) -> Response {
    let request = RawRequest::get("/")
        .header("x-forwarded-for", "203.0.113.9")
        .from_peer("192.0.2.1");
    Client::new()
        .send(envoy.listener(name).unwrap(), &request)
        .unwrap()
}

/// Looks again until it is so; workers take an update a moment after the main thread has counted it.
fn eventually<T: PartialEq + std::fmt::Debug>(what: &str, wanted: &T, mut look: impl FnMut() -> T) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = look();
        if found == *wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{what}: expected {wanted:?}, found {found:?}"
        );
        std::thread::yield_now();
    }
}

#[test]
fn an_update_that_does_not_compile_leaves_the_last_good_policy_running() {
    let echo = Echo::start().unwrap();
    let mut ecds = Ecds::new(filter(&policy(1))).unwrap();
    let envoy = start(
        &echo,
        Listener::gateway("edge").wasm(ecds.wasm()),
        Node::Router,
    );
    eventually("the first policy", &200, || get(&envoy, "edge").status);
    assert_eq!(envoy.stat(GAUGE).unwrap(), Some(gauge_of(&policy(1))));

    assert_eq!(ecds.update(&envoy, BROKEN).unwrap(), Update::Rejected);
    let log = envoy.log().unwrap();
    for problem in [
        "spec.forwarded.trust.hops: found `99`",
        "spec.forwarded.outbound: found `Replase`",
        "did you mean `Replace`?",
    ] {
        assert!(log.contains(problem), "the log has no `{problem}`:\n{log}");
    }
    assert_eq!(
        get(&envoy, "edge").echoed().unwrap().joined("x-client-ip"),
        b"203.0.113.9"
    );
    assert_eq!(envoy.stat(GAUGE).unwrap(), Some(gauge_of(&policy(1))));

    assert_eq!(ecds.update(&envoy, &policy(2)).unwrap(), Update::Applied);
    eventually("the second policy", &400, || get(&envoy, "edge").status);
    eventually("its fingerprint", &Some(gauge_of(&policy(2))), || {
        envoy.stat(GAUGE).unwrap()
    });
}

/// Envoy keeps a replaced root context, and its timer, until its last stream ends.
#[test]
fn a_replaced_policy_with_an_open_request_does_not_assert_the_gauge() {
    let echo = Echo::start().unwrap();
    let mut ecds = Ecds::new(filter(&policy(1))).unwrap();
    let envoy = start(
        &echo,
        Listener::gateway("edge").wasm(ecds.wasm()),
        Node::Router,
    );
    eventually("the first policy", &200, || get(&envoy, "edge").status);
    let mut open = TcpStream::connect(envoy.listener("edge").unwrap()).unwrap();
    open.write_all(b"POST / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\ncontent-length: 10\r\n\r\n1")
        .unwrap();
    eventually("a request that stays open", &Some(1), || {
        envoy.stat("cluster.upstream.upstream_rq_active").unwrap()
    });

    let (old, new) = (gauge_of(&policy(1)), gauge_of(&policy(2)));
    assert_eq!(ecds.update(&envoy, &policy(2)).unwrap(), Update::Applied);
    eventually("the new policy", &400, || get(&envoy, "edge").status);
    eventually("the new fingerprint", &Some(new), || {
        envoy.stat(GAUGE).unwrap()
    });
    let mut samples = 0;
    let mut others: Vec<u64> = Vec::new();
    let start = Instant::now();
    // Three ticks of each root context.
    while start.elapsed() < Duration::from_secs(15) {
        samples += 1;
        others.extend(envoy.stat(GAUGE).unwrap().filter(|value| *value != new));
    }
    assert!(samples > 100, "{samples} samples");
    assert!(
        others.is_empty(),
        "{} of {samples} samples are of {old}",
        others.len()
    );

    // Envoy takes up the root context that the open request kept alive: it is not configured once more.
    assert_eq!(ecds.update(&envoy, &policy(1)).unwrap(), Update::Applied);
    eventually("the old policy again", &200, || get(&envoy, "edge").status);
    eventually("its fingerprint", &Some(old), || envoy.stat(GAUGE).unwrap());
    drop(open);
    eventually("the request's end", &Some(0), || {
        envoy.stat("cluster.upstream.upstream_rq_active").unwrap()
    });
    assert_eq!(envoy.stat(GAUGE).unwrap(), Some(old));
}

#[test]
fn forged_trailers_are_removed() {
    let mut node = Command::new(lab::tool("node").unwrap())
        .arg(lab::repository().join("lab/tests/filter/trailers.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = BufReader::new(node.stdout.take().unwrap()).lines();
    let mut line = || -> Value { serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap() };
    let port = line();
    let policy = json!({"apiVersion": "policy.kyma-istio.dev/v1alpha1", "spec": {
        "forwarded": {"trust": {"hops": 1}, "clientIpHeader": "x-user"}}});
    let envoy = Envoy::start(&Bootstrap {
        listeners: vec![Listener {
            connection_manager: json!({"route_config": {"virtual_hosts": [{
                "name": "all", "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "h2"}}],
            }]}}),
            ..Listener::gateway("edge").wasm(filter(&policy.to_string()))
        }],
        upstream: Some(([127, 0, 0, 1], 9).into()),
        clusters: vec![json!({
            "name": "h2", "type": "STATIC", "connect_timeout": "5s",
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }},
            "load_assignment": {"cluster_name": "h2", "endpoints": [{"lb_endpoints": [{"endpoint": {
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            }}]}]},
        })],
        ..Bootstrap::new(Node::Router)
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let request = json!({"port": envoy.listener("edge").unwrap().port(), "trailers": {
        "x-user": "root", "X_User": "root", "x-client-ip": "127.0.0.1", "x-forwarded-for": "127.0.0.1",
        "x_forwarded.host": "a", "forwarded": "for=127.0.0.1", "grpc-previous-rpc-attempts": "1", "x-users": "2",
    }});
    writeln!(node.stdin.as_ref().unwrap(), "{request}").unwrap();
    let expected =
        json!({"status": 200, "arrived": {"grpc-previous-rpc-attempts": "1", "x-users": "2"}});
    assert_eq!(line(), expected);
    assert!(node.wait().unwrap().success());
}

#[test]
fn a_proxy_that_starts_with_a_policy_that_does_not_compile_answers_500_and_is_ready() {
    let echo = Echo::start().unwrap();
    let mut ecds = Ecds::new(filter(BROKEN)).unwrap();
    let envoy = start(
        &echo,
        Listener::gateway("edge").wasm(ecds.wasm()),
        Node::Router,
    );
    assert_eq!(get(&envoy, "edge").status, 500);
    assert_eq!(envoy.admin("/ready").unwrap().trim(), "LIVE");
    assert_eq!(envoy.stat(GAUGE).unwrap(), None);
    assert_eq!(ecds.update(&envoy, &policy(1)).unwrap(), Update::Applied);
    eventually("the repaired policy", &200, || get(&envoy, "edge").status);
    eventually("its fingerprint", &Some(gauge_of(&policy(1))), || {
        envoy.stat(GAUGE).unwrap()
    });
}

#[test]
fn outbound_traffic_of_a_sidecar_passes_untouched_and_is_counted() {
    let echo = Echo::start().unwrap();
    let envoy = start(
        &echo,
        Listener::sidecar_outbound("out").wasm(filter(&policy(3))),
        Node::Sidecar,
    );
    let request = RawRequest::get("/")
        .header("x-client-ip", "mine")
        .header("x-forwarded-for", "garbage");
    let seen = Client::new()
        .send(envoy.listener("out").unwrap(), &request)
        .unwrap()
        .echoed()
        .unwrap();
    assert_eq!(
        (seen.joined("x-client-ip"), seen.joined("x-forwarded-for")),
        (b"mine".to_vec(), b"garbage".to_vec())
    );
    let counter = "wasmcustom.kyma_istio.header_policy.filter.passed_outbound";
    eventually("the count, handed over on tick", &Some(1), || {
        envoy.stat(counter).unwrap()
    });
}

#[test]
fn refusals_are_counted_by_reason_and_their_details_name_it() {
    let echo = Echo::start().unwrap();
    let envoy = start(
        &echo,
        Listener::gateway("edge").wasm(filter(&policy(2))),
        Node::Router,
    );
    let request = RawRequest::get("/")
        .header("x-forwarded-for", "203.0.113.9")
        .from_peer("192.0.2.1");
    assert_eq!(
        Client::new()
            .send(envoy.listener("edge").unwrap(), &request)
            .unwrap()
            .status,
        400
    );
    assert_eq!(
        envoy.access(request.lab_id().unwrap()).unwrap().details,
        "kyma_istio_header_policy{TooFewHops}"
    );
    assert_eq!(
        envoy
            .stat("wasmcustom.kyma_istio.header_policy.filter.denied.TooFewHops")
            .unwrap(),
        Some(1)
    );

    let grpc = request.header("content-type", "application/grpc");
    let reply = Client::new()
        .send(envoy.listener("edge").unwrap(), &grpc)
        .unwrap();
    assert_eq!(reply.header("grpc-status"), Some(&b"3"[..]));
    assert_eq!(reply.header("grpc-message"), Some(&b"Bad Request"[..]));
}

#[test]
fn tokens_reach_no_log() {
    let keys = std::fs::read_to_string(lab::repository().join("testdata/keys/jwks.json")).unwrap();
    let policy = json!({"apiVersion": "policy.kyma-istio.dev/v1alpha1", "spec": {"jwt": {
        "providers": [{"name": "login", "issuer": "https://login.example.com", "audiences": ["shop"], "jwks": keys, "fromParams": ["t"], "fromCookies": ["t"], "fromHeaders": [{"name": "authorization", "prefix": "Bearer "}], "token": "Remove"}],
        "otherwise": "Require"}}});
    let echo = Echo::start().unwrap();
    let envoy = start(
        &echo,
        Listener::gateway("edge").wasm(filter(&policy.to_string())),
        Node::Router,
    );
    // Three segments, so that it is taken for a token; what it says is beside the point.
    let token = "c2VjcmV0LWhlYWRlcg.c2VjcmV0LXBheWxvYWQ.c2VjcmV0LXNpZ25hdHVyZQ";
    let requests = [
        RawRequest::get("/").header("authorization", format!("Bearer {token}")),
        RawRequest::get("/").header("cookie", format!("a=b; t={token}")),
        RawRequest::get(format!("/?t={token}")),
        RawRequest::get("/").header("authorization", format!("Bearer {token}, Bearer x{token}")),
    ];
    for request in requests {
        let status = Client::new()
            .send(envoy.listener("edge").unwrap(), &request)
            .unwrap()
            .status;
        assert!(status == 401 || status == 400, "{status}");
    }
    // Envoy writes its log when it finds the time.
    eventually("traced decisions", &4, || {
        envoy.log().unwrap().matches("decision {").count()
    });
    let log = envoy.log().unwrap();
    assert!(log.contains("TokenMalformed") && log.contains("SeveralTokens"));
    assert!(
        !log.contains("c2VjcmV0"),
        "a part of the token stands in the log"
    );
}
