//! The mesh verbs as their user runs them, where no cluster is: the built plugin, a clean environment, and no istioctl or a stand-in. What the
//! real istioctl renders is in go_rendering.

#[path = "common/plugin.rs"]
mod common;
#[path = "mesh_cli/kit.rs"]
mod kit;

#[path = "mesh_cli/istioctl.rs"]
mod istioctl;
#[path = "mesh_cli/mirror.rs"]
mod mirror;
#[path = "mesh_cli/rendering.rs"]
mod rendering;

use common::{Answer, plugin};
use kit::folder;
use kubectl_kyma_istio::exit;

const VERBS: [&str; 7] = [
    "install", "diff", "render", "verify", "status", "check", "explain",
];
/// Nobody listens there.
const NOWHERE: &str = "https://127.0.0.1:1";

#[test]
fn help_lists_the_verbs_and_each_has_an_example() {
    let top = plugin(&["--help"]).run();
    for verb in VERBS {
        assert!(top.stdout.contains(&format!("\n  {verb} ")), "{verb}");
        let help = plugin(&[verb, "--help"]).run();
        let example = format!("  kubectl kyma-istio {verb}");
        assert_eq!(help.code, exit::DONE, "{verb}");
        assert!(
            help.stdout.contains("Example") && help.stdout.contains(&example),
            "{verb}: {}",
            help.stdout
        );
    }
}

#[test]
fn every_verb_with_a_cluster_takes_kubectls_connection_flags() {
    let flags = [
        "--kubeconfig",
        "--context",
        "--cluster",
        "--user",
        "--namespace",
        "--as",
        "--as-uid",
        "--as-group",
        "--token",
        "--server",
        "--certificate-authority",
        "--client-certificate",
        "--client-key",
        "--insecure-skip-tls-verify",
        "--tls-server-name",
        "--request-timeout",
    ];
    for verb in VERBS.iter().filter(|verb| **verb != "explain") {
        let help = plugin(&[verb, "--help"]).run().stdout;
        for flag in flags {
            let found = help.lines().any(|line| {
                let mut words = line.split([' ', ',']).filter(|word| !word.is_empty());
                words.any(|word| word == flag)
            });
            assert!(found, "{verb} has no {flag}");
        }
    }
}

#[test]
fn a_server_that_does_not_answer_is_exit_code_3_in_one_line_and_a_hint() {
    for verb in [
        &["verify"][..],
        &["status"],
        &["check"],
        &["diff"],
        &["install", "--yes"],
        &["install", "--dry-run"],
    ] {
        let answer = plugin(&[verb, &["--server", NOWHERE]].concat()).run();
        assert_eq!(
            (answer.code, answer.stdout.as_str()),
            (exit::UNREACHABLE, ""),
            "{verb:?}"
        );
        let lines: Vec<&str> = answer.stderr.lines().collect();
        let [error, hint] = lines[..] else {
            panic!("{verb:?}: {}", answer.stderr)
        };
        assert!(
            error.starts_with("error: can't reach `https://127.0.0.1:1"),
            "{error}"
        );
        assert!(hint.trim_start().starts_with("hint: "), "{hint}");
    }
}

#[test]
fn a_context_that_is_not_there_is_told_with_its_name() {
    let folder = folder(&[("kubeconfig", KUBECONFIG)]);
    let file = folder.path().join("kubeconfig").display().to_string();
    let answer = plugin(&["status", "--kubeconfig", &file, "--context", "prod"]).run();
    assert_eq!((answer.code, answer.stdout.as_str()), (exit::INVALID, ""));
    assert!(
        answer.stderr.contains("`prod`") && answer.stderr.contains("hint: "),
        "{}",
        answer.stderr
    );
    // The one that is there is used: nobody listens at its server.
    let answer = plugin(&["status", "--kubeconfig", &file]).run();
    assert_eq!(answer.code, exit::UNREACHABLE, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("of context `test`"),
        "{}",
        answer.stderr
    );
}

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: test
clusters: [{name: here, cluster: {server: 'https://127.0.0.1:1'}}]
contexts: [{name: test, context: {cluster: here, user: me}}]
users: [{name: me, user: {token: secret-of-the-kubeconfig}}]
";

#[test]
fn a_token_reaches_no_message() {
    let answer = plugin(&[
        "status",
        "--server",
        NOWHERE,
        "--token",
        "s3cret-token",
        "--nope",
    ])
    .run();
    assert_eq!(answer.code, exit::INVALID);
    assert!(!answer.stderr.contains("s3cret-token"), "{}", answer.stderr);
    let answer = plugin(&["status", "--server", NOWHERE, "--token", "s3cret-token"]).run();
    assert_eq!(answer.code, exit::UNREACHABLE);
    assert!(!answer.stderr.contains("s3cret-token"), "{}", answer.stderr);
}

#[test]
fn every_problem_of_every_input_is_told_at_once() {
    let folder = folder(&[
        ("istio.yaml", INVALID_CR),
        ("overlay.yaml", INVALID_OVERLAY),
    ]);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cr, overlay) = (file("istio.yaml"), file("overlay.yaml"));
    for verb in ["render", "install", "diff"] {
        let arguments = [
            verb,
            "-f",
            &cr,
            "-f",
            &overlay,
            "--set",
            "meshConfig.acessLogFile=x",
        ];
        let Answer {
            code,
            stdout,
            stderr,
        } = plugin(&arguments).run();
        assert_eq!(
            (code, stdout.as_str()),
            (exit::INVALID, ""),
            "{verb}: {stderr}"
        );
        for expected in [
            format!("{cr}:5:"),
            "spec.config.numTrustedProxies".to_owned(),
            format!("{cr}:6:"),
            format!("{overlay}:4:"),
            "did you mean `trustDomain`?".to_owned(),
            "did you mean `meshConfig`?".to_owned(),
            "did you mean `meshConfig.accessLogFile`?".to_owned(),
        ] {
            assert!(
                stderr.contains(&expected),
                "{verb}: no `{expected}` in:\n{stderr}"
            );
        }
    }
}

const INVALID_CR: &str = "\
apiVersion: operator.kyma-project.io/v1alpha2
kind: Istio
metadata: {name: default, namespace: kyma-system}
spec: {config: {
  numTrustedProxies: many,
  trustDomian: cluster.local}}
";
const INVALID_OVERLAY: &str = "\
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  meshConfg: {accessLogFile: /dev/stdout}
";

#[test]
fn an_old_custom_resource_is_refused_with_the_reason() {
    let folder = folder(&[(
        "istio.yaml",
        "apiVersion: operator.kyma-project.io/v1alpha1\nkind: Istio\nmetadata: {name: default, namespace: kyma-system}\n",
    )]);
    let file = folder.path().join("istio.yaml").display().to_string();
    let answer = plugin(&["render", "--profile", "evaluation", "-f", &file]).run();
    assert_eq!(answer.code, exit::INVALID);
    assert!(
        answer.stderr.contains("v1alpha1") && answer.stderr.contains("v1alpha2"),
        "{}",
        answer.stderr
    );
}

#[test]
fn two_custom_resources_are_refused() {
    let cr = "apiVersion: operator.kyma-project.io/v1alpha2\nkind: Istio\nmetadata: {name: default, namespace: kyma-system}\n";
    let folder = folder(&[("a.yaml", cr), ("b.yaml", cr)]);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let answer = plugin(&[
        "render",
        "--profile",
        "evaluation",
        "-f",
        &file("a.yaml"),
        "-f",
        &file("b.yaml"),
    ])
    .run();
    assert_eq!(answer.code, exit::INVALID);
    assert!(
        answer.stderr.contains("a second `Istio`"),
        "{}",
        answer.stderr
    );
}

#[test]
fn an_istio_that_nobody_renders_is_refused_before_anything_is_asked() {
    let answer = plugin(&["install", "--tag", "1.20.0", "--server", NOWHERE]).run();
    assert_eq!(answer.code, exit::INVALID);
    assert!(
        answer
            .stderr
            .contains("found Istio 1.20.0, expected one of 1.29, 1.30, 1.31, 1.32"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_time_that_is_none_is_wrong_usage() {
    let answer = plugin(&["install", "--timeout", "soon"]).run();
    assert_eq!(answer.code, exit::INVALID);
    assert!(
        answer.stderr.contains("found `soon`, expected a time"),
        "{}",
        answer.stderr
    );
}

#[test]
fn explain_covers_every_code_offline_in_every_form() {
    for entry in mesh::codes::all() {
        let answer = plugin(&["explain", &entry.code.id().to_lowercase()]).run();
        assert_eq!(answer.code, exit::DONE, "{}", entry.code);
        for text in [
            entry.code.id(),
            entry.title,
            entry.meaning,
            entry.cause,
            entry.fix,
        ] {
            assert!(
                answer.stdout.contains(text),
                "{}: no `{text}` in {}",
                entry.code,
                answer.stdout
            );
        }
    }
    let list = plugin(&["explain", "-o", "json"]).run();
    let list: Vec<serde_json::Value> = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list.len(), mesh::codes::all().len());
    let answer = plugin(&["explain", "KI-V999"]).run();
    assert_eq!((answer.code, answer.stdout.as_str()), (exit::INVALID, ""));
    assert!(
        answer.stderr.contains("KI-V999") && answer.stderr.contains("hint: "),
        "{}",
        answer.stderr
    );
}

#[test]
fn the_page_of_codes_is_the_catalogue() {
    let page = include_str!("../../docs/codes.md");
    let answer = plugin(&["explain", "--markdown"]).run();
    assert!(
        page == answer.stdout,
        "docs/codes.md is stale: `kubectl-kyma_istio explain --markdown > docs/codes.md` writes it"
    );
}
