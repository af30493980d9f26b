//! `render` without istioctl, and what goes wrong with an istioctl. What the real one renders is in go_rendering.

use kubectl_kyma_istio::exit;

use super::common::plugin;
use super::kit::{folder, says_version};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1/istio";

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
    assert_eq!(operator["spec"]["tag"], "1.31.1-distroless");
    // The neighbours of what is installed are rendered, too; further away nothing is known.
    for (version, code) in [
        ("1.29.3", exit::DONE),
        ("1.32.0", exit::DONE),
        ("1.28.9", exit::INVALID),
        ("1.33.0", exit::INVALID),
    ] {
        let asked = ["render", "--profile", "production", "--operator"];
        let answer = plugin(&[&asked[..], &["--istio-version", version]].concat()).run();
        let tag = format!("tag: {version}-distroless");
        assert_eq!(answer.code, code, "{}", answer.stderr);
        assert_eq!(
            answer.stdout.contains(&tag),
            code == exit::DONE,
            "{}",
            answer.stdout
        );
    }
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
    let folder = folder(&[(
        "without.yaml",
        &installation("{name: istio-kyma-patch, namespace: istio-system}"),
    )]);
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
        named.stderr.contains("is istioctl 1.28.4, expected 1.31.1"),
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
    let stub = says_version(folder.path(), "1.31.1");
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
        asked.starts_with("GET /mirror/1.31.1/istioctl-1.31.1-"),
        "{asked}"
    );
}
