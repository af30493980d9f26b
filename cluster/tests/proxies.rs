//! Proxies' logs that break off, and policies that nobody runs: what an API server says on a script. What proxies themselves
//! say is in e2e/kind/tests/delivery.

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::connect::{Connection, Environment, Flags, connect_with};
use cluster::guard::Mode;
use cluster::proxy::{Follower, Pod, Said, enforced};
use common::{FakeApi, PATIENCE, Reply, store};
use mesh::observed::ProbeResult;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LOG: &str = "/api/v1/namespaces/a/pods/p/log";

fn pod() -> Pod {
    Pod {
        namespace: "a".to_owned(),
        name: "p".to_owned(),
    }
}

async fn follow(connection: &Connection) -> Follower {
    let opened = Follower::open(connection, &pod(), 7).await;
    opened.expect("a log")
}

fn line(text: &str) -> Said {
    Said::Line(text.to_owned())
}

#[tokio::test]
async fn a_log_that_ends_or_breaks_off_goes_on_where_it_was_until_its_pod_is_gone() {
    let api = FakeApi::start(|seen, before| match (seen.path.as_str(), before) {
        (LOG, 0) => Reply::Text(
            200,
            "2026-11-21T10:00:00.000000001+02:00 one\n2026-11-21T10:00:00.000000002+02:00 two\n",
        ),
        (LOG, 1) => Reply::Text(
            200,
            "2026-11-21T10:00:00.000000002+02:00 two\nno time: the kubelet's own word\n2026-11-21T10:00:00.000000003+02:00 three\n",
        ),
        // As often as it is tried, and once more.
        (LOG, 2..=6) => Reply::Text(503, "the API server restarts"),
        (LOG, 7) => Reply::Text(200, "2026-11-21T10:00:05.000000000+02:00 four\n"),
        (LOG, _) => {
            let (code, value) = store::status(404, "NotFound", "no pod p");
            Reply::Json(code, Vec::new(), value)
        }
        _ => Reply::Usual,
    })
    .await;
    let mut log = follow(&api.connection(Mode::DryRun).await).await;
    for expected in [
        line("one"),
        line("two"),
        Said::Ended,
        line("no time: the kubelet's own word"),
        line("three"),
        Said::Ended,
    ] {
        assert_eq!(log.next().await, expected);
    }
    let broken = log.next().await;
    assert!(
        matches!(&broken, Said::Broken(why) if why.contains("503")),
        "{broken:?}"
    );
    for expected in [line("four"), Said::Ended, Said::Gone] {
        assert_eq!(log.next().await, expected);
    }
    let queries: Vec<String> = api.seen().into_iter().map(|seen| seen.query).collect();
    assert!(
        queries[0].contains("tailLines=7&follow=true"),
        "{queries:?}"
    );
    assert!(
        queries[1].contains("sinceTime=2026-11-21T10:00:00%2B02:00&follow=true")
            && !queries[1].contains("tailLines"),
        "{queries:?}"
    );
}

/// A log that says one line, and then nothing: for ever at first.
async fn silent(requests: Arc<Mutex<Vec<String>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(say(stream, requests.clone()));
        }
    });
    address
}

async fn say(mut stream: TcpStream, requests: Arc<Mutex<Vec<String>>>) {
    let mut head = vec![0; 8192];
    let Ok(read) = stream.read(&mut head).await else {
        return;
    };
    let head = String::from_utf8_lossy(&head[..read]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    if path == "/version" {
        let body = r#"{"major": "1", "minor": "33"}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        return;
    }
    let number = {
        let mut requests = requests.lock().expect("no panic");
        requests.push(path);
        requests.len()
    };
    let line = format!("2026-11-21T10:00:0{number}.000000000Z line {number}\n");
    let chunk = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{line}\r\n",
        line.len()
    );
    let _ = stream.write_all(chunk.as_bytes()).await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_silence_that_the_connection_does_not_outlive_ends_nothing() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let address = silent(requests.clone()).await;
    let flags = Flags {
        server: Some(format!("http://{address}")),
        request_timeout: Some(Duration::from_millis(200)),
        ..Flags::default()
    };
    let connection = connect_with(&flags, &Environment::default(), Mode::DryRun, PATIENCE).await;
    let mut log = follow(&connection.expect("a connection")).await;
    assert_eq!(log.next().await, line("line 1"));
    assert_eq!(log.next().await, line("line 2"));
    let requests = requests.lock().expect("no panic");
    assert!(
        requests[1].contains("sinceTime=2026-11-21T10:00:01Z"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_policy_that_selects_no_proxy_is_not_enforced() {
    let api = FakeApi::start(|seen, _| match seen.path.as_str() {
        "/apis/extensions.istio.io/v1alpha1/wasmplugins" => {
            let plugin = json!({
                "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
                "metadata": {
                    "name": "shop", "namespace": "a",
                    "labels": { "app.kubernetes.io/managed-by": "kubectl-kyma-istio" },
                    "annotations": { "policy.kyma-istio.dev/fingerprint": "0".repeat(64) },
                },
                "spec": { "selector": { "matchLabels": { "app": "nobody" } } },
            });
            let list =
                json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": [plugin] });
            Reply::Json(200, Vec::new(), list)
        }
        _ => Reply::Usual,
    })
    .await;
    let connection = api.connection(Mode::DryRun).await;
    let answer = enforced(&connection, &|_| Some(1)).await;
    assert!(
        matches!(&answer, ProbeResult::No { evidence } if evidence == "policy a/shop: no proxy is selected"),
        "{answer:?}"
    );
}
