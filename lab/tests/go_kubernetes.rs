//! The control plane and istiod are what they claim to be: real programs, reached the way a cluster reaches them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at its first failure, errors of the laboratory are readable; seconds per phase are told"
)]

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use lab::{
    Error,
    kubernetes::{ControlPlane, Istiod, IstiodOptions, NodeSpec, istioctl},
};
use serde_json::Value;

type Tested = Result<(), Error>;

#[test]
fn rbac_says_what_a_user_may_do() -> Tested {
    let clock = Instant::now();
    let control_plane = ControlPlane::start()?;
    told("API server ready", clock);
    control_plane.kubectl(&["create", "namespace", "team"])?;

    let ann = control_plane.kubeconfig_for("ann", &["readers", "a/b+c"])?;
    let look = ["get", "configmaps", "--namespace=team"];
    let refused = control_plane.kubectl_as(&ann, &look);
    assert_forbidden(&refused, r#"User "ann" cannot list resource "configmaps""#);

    let role = [
        "create",
        "clusterrole",
        "look",
        "--verb=get,list",
        "--resource=configmaps",
    ];
    control_plane.kubectl(&role)?;
    let to_group = [
        "create",
        "clusterrolebinding",
        "readers",
        "--clusterrole=look",
        "--group=a/b+c",
    ];
    control_plane.kubectl(&to_group)?;
    // The authoriser reads rules from a cache.
    control_plane.kubectl_until(
        "the group's rights",
        Duration::from_secs(10),
        &[
            "auth",
            "can-i",
            "list",
            "configmaps",
            "--as=ann",
            "--as-group=a/b+c",
        ],
        |answer| answer.trim() == "yes",
    )?;
    control_plane.kubectl_as(&ann, &look)?;

    let write = ["create", "configmap", "mine", "--namespace=team"];
    assert_forbidden(
        &control_plane.kubectl_as(&ann, &write),
        r#"User "ann" cannot create resource"#,
    );

    let who = [
        "auth",
        "whoami",
        "--output=jsonpath={.status.userInfo.groups}",
    ];
    let groups = control_plane.kubectl_as(&ann, &who)?;
    assert_eq!(groups, r#"["readers","a/b+c","system:authenticated"]"#);
    Ok(())
}

#[test]
fn a_service_account_token_is_good_for_its_audience_only() -> Tested {
    let control_plane = ControlPlane::start()?;
    control_plane.kubectl(&["create", "serviceaccount", "proxy"])?;
    let mint = ["create", "token", "proxy", "--audience=istio-ca"];
    let token = control_plane.kubectl(&mint)?;
    // As istiod asks about a proxy that wants a certificate.
    for (audience, who) in [
        ("istio-ca", "system:serviceaccount:default:proxy"),
        ("other", ""),
    ] {
        let review = serde_json::json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": { "token": token.trim(), "audiences": [audience] },
        });
        let create = [
            "create",
            "--filename=-",
            "--output=jsonpath={.status.user.username}",
        ];
        assert_eq!(
            control_plane.kubectl_with(&review.to_string(), &create)?,
            who
        );
    }
    Ok(())
}

#[test]
fn a_deployment_becomes_available_on_fake_nodes() -> Tested {
    let clock = Instant::now();
    let large = NodeSpec {
        cpu: "2".into(),
        memory: "4Gi".into(),
        kubelet_version: "v1.35.1".into(),
        provider_id: "aws:///eu-central-1a/i-0123".into(),
        labels: vec![("topology.kubernetes.io/zone".into(), "a".into())],
        ..NodeSpec::new("large")
    };
    let small = NodeSpec {
        cpu: "100m".into(),
        ..NodeSpec::new("small")
    };
    let control_plane = ControlPlane::with_nodes(&[large, small])?;
    told("two nodes Ready", clock);
    let facts = "--output=jsonpath={.status.capacity.cpu} {.status.nodeInfo.kubeletVersion} {.spec.providerID} {.metadata.labels.topology\\.kubernetes\\.io/zone}";
    let node = control_plane.kubectl(&["get", "node", "large", facts])?;
    assert_eq!(node, "2 v1.35.1 aws:///eu-central-1a/i-0123 a");

    let web = r#"{
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "web" } }, "template": {
            "metadata": { "labels": { "app": "web" } },
            "spec": { "containers": [{ "name": "web", "image": "none", "resources": { "requests": { "cpu": "600m" } } }] }
        } }
    }"#;
    control_plane.kubectl_with(web, &["create", "--filename=-"])?;
    control_plane.kubectl(&[
        "wait",
        "--for=condition=Available",
        "--timeout=60s",
        "deployment/web",
    ])?;
    let pods = "--output=jsonpath={range .items[*]}{.spec.nodeName} {.status.phase}\n{end}";
    let placed = control_plane.kubectl(&["get", "pods", "--selector=app=web", pods])?;
    assert_eq!(
        placed, "large Running\nlarge Running\n",
        "only one node is large enough"
    );

    // A third does not fit: the scheduler is the real one.
    control_plane.kubectl(&["scale", "deployment/web", "--replicas=4"])?;
    let why =
        "--output=jsonpath={.items[*].status.conditions[?(@.reason=='Unschedulable')].message}";
    control_plane.kubectl_until(
        "a pod without a place",
        Duration::from_secs(30),
        &["get", "pods", "--field-selector=status.phase=Pending", why],
        |message| message.contains("Insufficient cpu"),
    )?;

    // Garbage collection, too.
    control_plane.kubectl(&[
        "delete",
        "deployment",
        "web",
        "--cascade=foreground",
        "--timeout=60s",
    ])?;
    assert_eq!(
        control_plane.kubectl(&["get", "pods", "--output=name"])?,
        ""
    );
    Ok(())
}

#[test]
fn istiod_serves_its_webhooks_through_its_service() -> Tested {
    let control_plane = ControlPlane::with_nodes(&[NodeSpec::new("node-1")])?;
    let clock = Instant::now();
    control_plane.kubectl(&["create", "namespace", "istio-system"])?;
    apply_istio(&control_plane)?;
    told("manifests applied", clock);

    let clock = Instant::now();
    let istiod = Istiod::start(&control_plane, &IstiodOptions::default())?;
    told("istiod ready", clock);
    let version = istiod.get("/version")?;
    assert!(version.starts_with("1.31.1-"), "{version}");

    let clock = Instant::now();
    control_plane.kubectl(&["create", "namespace", "team"])?;
    control_plane.kubectl(&["label", "namespace", "team", "istio-injection=enabled"])?;
    let injected = control_plane.kubectl_until(
        "an injected pod",
        Duration::from_secs(60),
        &[
            "run",
            "probe",
            "--image=none",
            "--namespace=team",
            "--dry-run=server",
            "--output=jsonpath={..image}",
        ],
        |images| !images.is_empty(),
    )?;
    told("first pod injected", clock);
    assert!(
        injected.contains("docker.io/istio/proxyv2:1.31.1"),
        "{injected}"
    );

    // The template of the gateway says `image: auto`, so without istiod its pod can't exist.
    let clock = Instant::now();
    let gateway = [
        "--namespace=istio-system",
        "wait",
        "--for=condition=Available",
        "--timeout=120s",
        "deployment/istio-ingressgateway",
        "deployment/istiod",
    ];
    control_plane.kubectl(&gateway)?;
    told("gateway available", clock);

    let images = "--output=jsonpath={.items[*].spec.containers[*].image}";
    let selector = "--selector=istio=ingressgateway";
    let gateway =
        control_plane.kubectl(&["get", "pods", "--namespace=istio-system", selector, images])?;
    assert_eq!(gateway, "docker.io/istio/proxyv2:1.31.1");

    // Until istiod has seen its validation refuse something, the webhook lets everything pass.
    let clock = Instant::now();
    control_plane.kubectl_until(
        "istiod's validation",
        Duration::from_secs(60),
        &[
            "get",
            "validatingwebhookconfigurations",
            "--output=jsonpath={.items[*].webhooks[*].failurePolicy}",
        ],
        |policies| !policies.contains("Ignore"),
    )?;
    told("validation on", clock);
    let policy = |key: &str| {
        format!(
            r#"{{ "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                "metadata": {{ "name": "p", "namespace": "team" }},
                "spec": {{ "rules": [{{ "when": [{{ "key": "{key}", "values": ["x"] }}] }}] }} }}"#
        )
    };
    let create = ["create", "--dry-run=server", "--filename=-"];
    let refused = control_plane.kubectl_with(&policy("request.nonsense"), &create);
    assert_refused(
        &refused,
        r#"admission webhook "validation.istio.io" denied the request"#,
    );
    let good = policy("request.headers[x]");
    control_plane.kubectl_with(&good, &create)?;

    // Without istiod, the API server finds nobody behind the Service.
    drop(istiod);
    let nobody = control_plane.kubectl_with(&good, &create);
    assert_refused(&nobody, r#"failed calling webhook "validation.istio.io""#);
    Ok(())
}

#[test]
fn istioctl_says_the_version_that_it_is_stamped_with() -> Tested {
    for (asked, said) in [(None, "1.31.1"), (Some("1.30.4"), "1.30.4")] {
        let istioctl = istioctl(asked)?;
        let version = run(&istioctl, &["version", "--remote=false", "--output=json"])?;
        let version: Value = serde_json::from_str(&version).unwrap();
        assert_eq!(version["clientVersion"]["version"], said);
    }
    Ok(())
}

#[test]
fn nothing_is_left_of_a_control_plane() -> Tested {
    let control_plane = ControlPlane::start()?;
    let folder = control_plane.folder().to_owned();
    let mine = || {
        let (pattern, mut found) = (folder.display().to_string(), 0);
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            // A process that has just ended has none.
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            found += usize::from(String::from_utf8_lossy(&line).contains(&pattern));
        }
        found
    };
    // etcd, the API server, and a watchman for each.
    assert_eq!(mine(), 4);
    drop(control_plane);
    assert_eq!(mine(), 0);
    assert!(!folder.exists());
    Ok(())
}

/// The default profile, as istioctl renders it. Its validation minds only objects that name a revision; what a default
/// revision adds minds all others, and `istioctl install` would set one.
fn apply_istio(control_plane: &ControlPlane) -> Tested {
    let generate = [
        "manifest",
        "generate",
        "--set=values.defaultRevision=default",
    ];
    let manifests = run(&istioctl(None)?, &generate)?;
    let apply = [
        "apply",
        "--server-side",
        "--field-manager=lab",
        "--filename=-",
    ];
    control_plane.kubectl_with(&manifests, &apply).map(drop)
}

fn run(program: &Path, arguments: &[&str]) -> Result<String, Error> {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

#[track_caller]
fn assert_forbidden(result: &Result<String, Error>, why: &str) {
    // "Error from server (Forbidden)" or "is forbidden", as the verb has it.
    assert_refused(result, "orbidden");
    assert_refused(result, why);
}

#[track_caller]
fn assert_refused(result: &Result<String, Error>, why: &str) {
    let Err(error) = result else {
        panic!("not refused: {result:?}")
    };
    assert!(error.to_string().contains(why), "{error}");
}

fn told(what: &str, since: Instant) {
    println!("{what} after {:.1} s", since.elapsed().as_secs_f64());
}
