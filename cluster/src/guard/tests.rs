use super::*;

use tower::{ServiceBuilder, ServiceExt, service_fn};

const POD: &str = "/api/v1/namespaces/a/pods/p";

fn request(method: &str, uri: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(uri)
        .body(())
        .expect("a request")
}

/// What reaches the server behind the guard, and whether the caller got an answer.
async fn send(mode: Mode, request: Request<()>) -> (Vec<String>, Result<u16, String>, Audit) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let audit = Audit::default();
    let server = {
        let seen = seen.clone();
        service_fn(move |request: Request<()>| {
            seen.lock()
                .expect("no panic")
                .push(request.uri().to_string());
            async {
                Ok::<_, BoxError>(
                    Response::builder()
                        .status(201)
                        .body(())
                        .expect("a response"),
                )
            }
        })
    };
    let service = ServiceBuilder::new()
        .layer(Guard::new(mode, audit.clone()))
        .service(server);
    let answer = service
        .oneshot(request)
        .await
        .map(|r| r.status().as_u16())
        .map_err(|error| error.to_string());
    let seen = seen.lock().expect("no panic").clone();
    (seen, answer, audit)
}

#[tokio::test]
async fn a_dry_run_lets_nothing_through_that_could_write() {
    let refused = [
        ("POST", "/api/v1/namespaces/a/pods"),
        ("PUT", POD),
        ("PATCH", POD),
        ("DELETE", POD),
        ("PATCH", "/api/v1/namespaces/a/pods/p?dryRun="),
        ("PATCH", "/api/v1/namespaces/a/pods/p?dryRun=None"),
        ("PATCH", "/api/v1/namespaces/a/pods/p?dryRun=All&dryRun=x"),
        ("PATCH", "/api/v1/namespaces/a/pods/p?xdryRun=All"),
        (
            "PATCH",
            "/api/v1/namespaces/a/pods/p?fieldManager=dryRun=All",
        ),
        ("GET", "/api/v1/namespaces/a/pods/p/exec?command=rm"),
        ("POST", "/api/v1/namespaces/a/pods/p/exec?dryRun=All"),
        ("GET", "/api/v1/namespaces/a/pods/p/attach"),
        ("GET", "/api/v1/namespaces/a/pods/p/portforward?ports=15000"),
        ("GET", "/api/v1/namespaces/a/pods/p/proxy/quitquitquit"),
        ("GET", "/api/v1/nodes/n/proxy/run"),
        ("GET", "/api/v1/namespaces/a/services/s/proxy"),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/namespaces/a/localsubjectaccessreviews",
        ),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x",
        ),
        ("CONNECT", POD),
    ];
    for (method, uri) in refused {
        let (seen, answer, audit) = send(Mode::DryRun, request(method, uri)).await;
        assert!(seen.is_empty(), "{method} {uri} reached the server");
        assert_eq!(answer, Err(format!("{method} {uri}")));
        assert_eq!(audit.writes(), 0);
        assert_eq!(audit.calls().len(), 1, "a refused request is listed too");
    }
}

#[tokio::test]
async fn a_dry_run_reads_asks_and_rehearses() {
    let allowed = [
        ("GET", "/api/v1/pods?limit=500", Effect::Reads),
        ("GET", "/api/v1/namespaces/exec/pods", Effect::Reads),
        ("GET", "/api/v1/namespaces/proxy/services/s", Effect::Reads),
        ("GET", "/api/v1/namespaces/a/pods/exec", Effect::Reads),
        ("HEAD", "/healthz", Effect::Reads),
        (
            "PATCH",
            "/api/v1/namespaces/a/pods/p?fieldManager=x&dryRun=All",
            Effect::Rehearses,
        ),
        (
            "POST",
            "/api/v1/namespaces/a/pods?dryRun=All",
            Effect::Rehearses,
        ),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            Effect::Asks,
        ),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            Effect::Asks,
        ),
        (
            "POST",
            "/apis/authentication.k8s.io/v1/tokenreviews",
            Effect::Asks,
        ),
    ];
    for (method, uri, effect) in allowed {
        let (seen, answer, audit) = send(Mode::DryRun, request(method, uri)).await;
        assert_eq!((seen.len(), answer), (1, Ok(201)), "{method} {uri}");
        assert_eq!(
            audit.calls().first().map(|call| call.effect),
            Some(effect),
            "{method} {uri}"
        );
        assert_eq!(audit.writes(), 0);
    }
}

#[tokio::test]
async fn a_session_that_only_reads_is_let_through_when_it_says_so() {
    let mut session = request("GET", "/api/v1/namespaces/a/pods/p/portforward?ports=15090");
    session.extensions_mut().insert(ReadOnly);
    let (seen, answer, audit) = send(Mode::DryRun, session).await;
    assert_eq!((seen.len(), answer, audit.writes()), (1, Ok(201), 0));
}

#[tokio::test]
async fn writes_are_counted() {
    let (seen, answer, audit) = send(Mode::Write, request("PATCH", POD)).await;
    assert_eq!((seen.len(), answer, audit.writes()), (1, Ok(201), 1));
}
