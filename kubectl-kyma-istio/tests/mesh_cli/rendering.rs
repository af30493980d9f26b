//! `render`, through the real istioctl, and what goes wrong with an istioctl.

use kubectl_kyma_istio::exit;
use mesh::object::{Object, read_manifests};
use serde_json::json;

use super::common::plugin;
use super::kit::{folder, istioctl, says_version};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1/istio";

/// Renders with the real istioctl.
fn render(arguments: &[&str]) -> Vec<Object> {
    let fixed = ["render", "--profile", "evaluation"];
    let answer = plugin(&[&fixed, arguments].concat())
        .env("ISTIOCTL", istioctl())
        .run();
    assert_eq!(answer.code, exit::DONE, "{}", answer.stderr);
    read_manifests(&answer.stdout).expect("manifests")
}

fn find<'o>(objects: &'o [Object], id: &str) -> &'o Object {
    let found = objects.iter().find(|object| object.id().to_string() == id);
    found.unwrap_or_else(|| panic!("no {id}"))
}

#[test]
fn what_is_rendered_is_istio_and_what_kyma_adds() {
    let objects = render(&[]);
    let istiod = find(&objects, "Deployment istio-system/istiod");
    let image = istiod.string("/spec/template/spec/containers/0/image");
    assert_eq!(
        image,
        Some("europe-docker.pkg.dev/kyma-project/prod/external/istio/pilot:1.30.2-distroless")
    );
    find(&objects, "Deployment istio-system/istio-ingressgateway");
    find(&objects, "DaemonSet istio-system/istio-cni-node");
    find(&objects, "PriorityClass istio-kyma-priority");
    find(
        &objects,
        "CustomResourceDefinition gateways.networking.istio.io",
    );
    let strict = find(&objects, "PeerAuthentication istio-system/default");
    assert_eq!(strict.string("/spec/mtls/mode"), Some("STRICT"));
    let labelled = find(&objects, "Namespace kyma-system");
    assert_eq!(labelled.label("istio-injection"), Some("enabled"));
    // As kubectl applies it: namespaces come before what lives in them, custom resources behind their CRDs.
    let place = |kind: &str| objects.iter().position(|object| object.kind() == kind);
    assert_eq!(place("Namespace"), Some(0));
    assert!(place("PeerAuthentication") > place("CustomResourceDefinition"));
}

#[test]
fn flags_files_and_sets_reach_the_manifests() {
    let folder = folder(&[
        (
            "istio.yaml",
            "apiVersion: operator.kyma-project.io/v1alpha2\nkind: Istio\nmetadata: {name: default, namespace: kyma-system}\nspec: {config: {numTrustedProxies: 3}}\n",
        ),
        (
            "overlay.yaml",
            "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: {meshConfig: {accessLogFile: /dev/stderr}}\n",
        ),
    ]);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let objects = render(&[
        "-f",
        &file("istio.yaml"),
        "-f",
        &file("overlay.yaml"),
        "--hub",
        "registry.example.com/istio",
        "--tag",
        "1.30.2-mine",
        "--pull-secret",
        "pull",
        "--set",
        "meshConfig.accessLogFile=/dev/stdout",
        "--set",
        "values.pilot.traceSampling=7.5",
        "--injection",
        "on",
        "--provider",
        "aws",
    ]);
    let mesh = find(&objects, "ConfigMap istio-system/istio");
    let mesh = mesh.string("/data/mesh").unwrap();
    assert!(mesh.contains("accessLogFile: /dev/stdout"), "{mesh}");
    assert!(mesh.contains("numTrustedProxies: 3"), "{mesh}");
    let istiod = find(&objects, "Deployment istio-system/istiod");
    assert_eq!(
        istiod.string("/spec/template/spec/containers/0/image"),
        Some("registry.example.com/istio/pilot:1.30.2-mine")
    );
    let environment = istiod.pointer("/spec/template/spec/containers/0/env");
    assert!(
        environment
            .and_then(|all| all.as_array())
            .unwrap()
            .contains(&json!({"name": "PILOT_TRACE_SAMPLING", "value": "7.5"})),
        "{environment:?}"
    );
    let gateway = find(&objects, "Service istio-system/istio-ingressgateway");
    assert_eq!(
        gateway.annotation("service.beta.kubernetes.io/aws-load-balancer-type"),
        Some("nlb")
    );
}

#[test]
fn json_is_the_same_list() {
    let answer = plugin(&["render", "--profile", "evaluation", "-o", "json"])
        .env("ISTIOCTL", istioctl())
        .run();
    let list: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    let yaml = render(&[]);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), yaml.len());
    for (item, object) in items.iter().zip(&yaml) {
        assert_eq!(item, object.value());
    }
}

#[test]
fn the_operator_and_its_origins_need_no_istioctl() {
    let operator = plugin(&[
        "render",
        "--profile",
        "production",
        "--operator",
        "-o",
        "json",
    ])
    .run();
    assert_eq!(operator.code, exit::DONE, "{}", operator.stderr);
    let operator: serde_json::Value = serde_json::from_str(&operator.stdout).unwrap();
    assert_eq!(operator["kind"], "IstioOperator");
    assert_eq!(operator["spec"]["tag"], "1.30.2-distroless");
    let explained = plugin(&[
        "render",
        "--profile",
        "production",
        "--explain",
        "--set",
        "meshConfig.accessLogFile=/dev/null",
    ])
    .run();
    let line = explained
        .stdout
        .lines()
        .find(|line| line.contains("meshConfig.accessLogFile"));
    assert!(line.unwrap().starts_with("--set "), "{line:?}");
    let line = explained
        .stdout
        .lines()
        .find(|line| line.contains("components.pilot.k8s.hpaSpec.maxReplicas"));
    assert!(line.unwrap().starts_with("profile production "), "{line:?}");
}

#[test]
fn an_installation_without_istio_renders_nothing() {
    let installation = |components: &str| {
        format!(
            "apiVersion: installer.kyma-project.io/v1alpha1\nkind: Installation\nmetadata: {{name: kyma}}\nspec: {{components: [{components}]}}\n"
        )
    };
    let folder = folder(&[
        (
            "without.yaml",
            &installation("{name: istio-kyma-patch, namespace: istio-system}"),
        ),
        (
            "with.yaml",
            &installation("{name: istio, namespace: istio-system}"),
        ),
    ]);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let answer = plugin(&[
        "render",
        "--profile",
        "evaluation",
        "-f",
        &file("without.yaml"),
    ])
    .run();
    assert_eq!(
        (answer.code, answer.stdout.as_str()),
        (exit::DONE, ""),
        "{}",
        answer.stderr
    );
    assert!(
        answer.stderr.contains("no component `istio`"),
        "{}",
        answer.stderr
    );
    assert!(!render(&["-f", &file("with.yaml")]).is_empty());
}

#[test]
fn without_istioctl_it_says_how_to_get_one() {
    let answer = plugin(&["render", "--profile", "evaluation"])
        .env("KYMA_ISTIO_ISTIOCTL_BASE_URL", NOWHERE)
        .run();
    assert_eq!(
        (answer.code, answer.stdout.as_str()),
        (exit::UNREACHABLE, "")
    );
    for expected in [
        "can't download `http://127.0.0.1:1/",
        "/istioctl-",
        "$PATH",
        "--istioctl FILE",
        "--istioctl-base-url",
    ] {
        assert!(
            answer.stderr.contains(expected),
            "no `{expected}` in {}",
            answer.stderr
        );
    }
}

#[test]
fn an_istioctl_of_another_version_is_not_used() {
    let folder = folder(&[]);
    let stub = says_version(folder.path(), "1.28.4");
    let arguments = ["render", "--profile", "evaluation"];
    let named = plugin(&[&arguments[..], &["--istioctl", stub.to_str().unwrap()]].concat()).run();
    assert_eq!((named.code, named.stdout.as_str()), (exit::INVALID, ""));
    assert!(
        named.stderr.contains("is istioctl 1.28.4, expected 1.30.2"),
        "{}",
        named.stderr
    );
    assert!(named.stderr.contains("hint: "), "{}", named.stderr);
    // On $PATH it is passed over: the right one is fetched.
    let passed = plugin(&arguments)
        .env("PATH", folder.path())
        .env("KYMA_ISTIO_ISTIOCTL_BASE_URL", NOWHERE)
        .run();
    assert_eq!(passed.code, exit::UNREACHABLE);
    assert!(
        passed
            .stderr
            .contains("can't download `http://127.0.0.1:1/"),
        "{}",
        passed.stderr
    );
}

#[test]
fn an_istioctl_that_prints_no_manifests_is_told() {
    let folder = folder(&[]);
    let stub = says_version(folder.path(), "1.30.2");
    // What it prints is its version; `-o json` reads it.
    let answer = plugin(&[
        "render",
        "--profile",
        "evaluation",
        "-o",
        "json",
        "--istioctl",
        stub.to_str().unwrap(),
    ])
    .run();
    assert_eq!(
        (answer.code, answer.stdout.as_str()),
        (exit::INVALID, ""),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stderr.contains("no `apiVersion`"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_download_that_is_not_what_it_should_be_is_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut byte = [0];
        while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
            asked.extend(byte);
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nevil")
            .unwrap();
        String::from_utf8(asked).unwrap()
    });
    let base = format!("http://{address}/mirror/{{version}}");
    let answer = plugin(&[
        "render",
        "--profile",
        "evaluation",
        "--istioctl-base-url",
        &base,
        "--istioctl-sha256",
        &"0".repeat(64),
    ])
    .run();
    assert_eq!(
        (answer.code, answer.stdout.as_str()),
        (exit::REFUSED, ""),
        "{}",
        answer.stderr
    );
    assert!(answer.stderr.contains("SHA-256"), "{}", answer.stderr);
    let asked = server.join().unwrap();
    assert!(
        asked.starts_with("GET /mirror/1.30.2/istioctl-1.30.2-"),
        "{asked}"
    );
}
