//! The plugin through its library: each verb, each exit code it can have today, each form of answer.

use std::path::PathBuf;

use kubectl_kyma_istio::{exit, run, words};

const POLICY: &str = "\
apiVersion: policy.kyma-istio.dev/v1alpha1
kind: HeaderPolicy
metadata: {name: shop}
spec:
  position: Gateway
  forwarded: {trust: {hops: 1}, outbound: Replace, clientIpHeader: x-client-ip, deny: [203.0.113.66/32]}
";

struct Answer {
    code: u8,
    stdout: String,
    stderr: String,
}

/// Runs the plugin on a policy that stands in `policy.yaml` of a folder of its own.
fn plugin(policy: &str, arguments: &[&str], stdin: &str) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy).unwrap();
    let file = file.display().to_string();
    let arguments = arguments
        .iter()
        .map(|argument| argument.replace("POLICY", &file));
    let arguments: Vec<String> = std::iter::once("kubectl-kyma_istio".to_owned())
        .chain(arguments)
        .collect();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let code = run(arguments, &mut stdin.as_bytes(), &mut stdout, &mut stderr);
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes)
            .unwrap()
            .replace(&file, "policy.yaml")
    };
    Answer {
        code,
        stdout: text(stdout),
        stderr: text(stderr),
    }
}

fn simulate(arguments: &[&str], stdin: &str) -> Answer {
    let fixed = [
        "filter", "simulate", "--policy", "POLICY", "--engine", "native",
    ];
    plugin(POLICY, &[&fixed, arguments].concat(), stdin)
}

#[test]
fn every_reason_has_words() {
    for reason in policy::Reason::ALL {
        let words = words(reason.label()).unwrap_or_else(|| panic!("{reason} has no words"));
        assert!(
            words.sentence.ends_with('.') && !words.hint.is_empty(),
            "{reason}"
        );
    }
}

#[test]
fn help_prints_the_exit_codes() {
    let answer = plugin("", &["--help"], "");
    assert_eq!((answer.code, answer.stderr.as_str()), (exit::DONE, ""));
    assert!(
        answer
            .stdout
            .contains("Usage: kubectl kyma-istio <COMMAND>"),
        "{}",
        answer.stdout
    );
    for code in [
        "  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  5  ", "  6  ",
    ] {
        assert!(answer.stdout.contains(code), "{}", answer.stdout);
    }
}

#[test]
fn help_of_each_verb_has_an_example() {
    for verb in [
        &["filter", "validate"][..],
        &["filter", "schema"],
        &["filter", "simulate"],
        &["filter", "test"],
        &["filter", "serve"],
        &["completion", "install"],
        &["version"],
    ] {
        let answer = plugin("", &[verb, &["--help"]].concat(), "");
        let example = format!("kubectl kyma-istio {}", verb.join(" "));
        assert!(
            answer.stdout.contains("Example") && answer.stdout.matches(&example).count() >= 2,
            "{}",
            answer.stdout
        );
    }
}

#[test]
fn wrong_usage_is_exit_code_2_and_goes_to_stderr() {
    let answer = plugin("", &["filter", "simulat"], "");
    assert_eq!((answer.code, answer.stdout.as_str()), (exit::INVALID, ""));
    assert!(answer.stderr.contains("simulate"), "{}", answer.stderr);
}

#[test]
fn an_allowed_request_is_drawn_with_its_client() {
    let answer = simulate(
        &[
            "--xff",
            "10.6.6.6, 203.0.113.9",
            "--peer",
            "192.0.2.5",
            "--header",
            "X-Client-Ip: 1.2.3.4",
        ],
        "",
    );
    let expected = "\
ALLOWED

position Gateway
chain    10.6.6.6     unverified
         203.0.113.9  client
         192.0.2.5    peer, trusted hop
client   203.0.113.9  (left of the trusted proxies)
edits    set x-client-ip: 203.0.113.9  (was 1.2.3.4)
         set x-forwarded-for: 203.0.113.9  (was 10.6.6.6, 203.0.113.9,192.0.2.5)
";
    assert_eq!(
        (answer.code, answer.stdout.as_str(), answer.stderr.as_str()),
        (exit::DONE, expected, "")
    );
}

#[test]
fn a_denied_request_is_exit_code_1_with_its_reason_in_words() {
    let answer = simulate(&["--xff", "203.0.113.66", "--peer", "192.0.2.5"], "");
    assert_eq!(answer.code, exit::NEGATIVE);
    assert!(
        answer.stdout.starts_with(
            "DENIED   403 ClientDenied\n         The client's address is in the `deny` list"
        ),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stdout.contains("hint: ") && answer.stdout.contains("\nreply    403\n"),
        "{}",
        answer.stdout
    );
}

#[test]
fn json_and_yaml_say_the_same() {
    let arguments = [
        "--xff",
        "203.0.113.9",
        "--peer",
        "192.0.2.5",
        "--now",
        "1000",
        "-o",
    ];
    let json: serde_json::Value =
        serde_json::from_str(&simulate(&[&arguments[..], &["json"]].concat(), "").stdout).unwrap();
    let yaml =
        corpus::yaml::read(&simulate(&[&arguments[..], &["yaml"]].concat(), "").stdout).unwrap();
    assert_eq!(json, yaml[0].value);
    assert_eq!(
        (json["outcome"].as_str(), json["client"].as_str()),
        (Some("allow"), Some("203.0.113.9"))
    );
    assert_eq!(
        json["chain"][1],
        serde_json::json!({"element": "192.0.2.5", "marks": ["peer", "trusted hop"]})
    );
}

#[test]
fn a_request_comes_from_a_file_and_flags_win() {
    let request = "{peer: 192.0.2.5, method: POST, headers: [[x-forwarded-for, 203.0.113.9]]}";
    let answer = simulate(&["--request", "-", "--peer", "192.0.2.77"], request);
    assert!(
        answer.stdout.contains("192.0.2.77") && !answer.stdout.contains("192.0.2.5"),
        "{}",
        answer.stdout
    );
    let answer = simulate(&["--request", "-"], "{pear: 192.0.2.5}");
    assert_eq!(answer.code, exit::INVALID);
    assert!(
        answer
            .stderr
            .starts_with("error: `stdin` is no request: unknown field `pear`"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_position_that_nobody_can_tell_is_null() {
    let detect = POLICY.replace("  position: Gateway\n", "");
    let simulate = |engine: &str, flags: &[&str]| {
        let fixed = [
            "filter", "simulate", "--policy", "POLICY", "--engine", engine,
        ];
        let request = ["--request", "-", "-o", "json"];
        let request_text =
            r#"{"position": null, "headers": [["x-forwarded-for", "203.0.113.9, 192.0.2.5"]]}"#;
        let answer = plugin(
            &detect,
            &[&fixed[..], &request, flags].concat(),
            request_text,
        );
        serde_json::from_str::<serde_json::Value>(&answer.stdout).expect("an answer in JSON")
    };
    let answer = simulate("native", &[]);
    assert_eq!(
        (&answer["reason"], &answer["position"]),
        (&"PositionUnknown".into(), &serde_json::Value::Null)
    );
    // A flag wins over the file, as everywhere.
    let answer = simulate("native", &["--position", "Gateway"]);
    assert_eq!(
        (&answer["client"], &answer["position"]),
        (&"203.0.113.9".into(), &"Gateway".into())
    );
}

#[test]
fn a_batch_answers_each_line_and_goes_on_after_a_bad_one() {
    let lines = "\
{\"id\": 1, \"peer\": \"192.0.2.5\", \"headers\": [[\"x-forwarded-for\", \"203.0.113.9\"]]}

{\"id\": \"two\", \"peer\": \"nobody\"}
{\"id\": 3
{\"id\": {\"n\": 4}, \"peer\": \"192.0.2.5\", \"headers\": [[\"x-forwarded-for\", \"203.0.113.66\"]]}
";
    let answer = simulate(&["--requests", "-"], lines);
    let answers: Vec<serde_json::Value> = answer
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answer.code, exit::INVALID);
    assert_eq!(answers.len(), 4);
    let edits = serde_json::json!([{"set": ["x-client-ip", "203.0.113.9"]}, {"set": ["x-forwarded-for", "203.0.113.9"]}]);
    let first = serde_json::json!({"id": 1, "outcome": "allow", "status": null, "reason": null, "client": "203.0.113.9", "rule": null, "edits": edits});
    assert_eq!(answers[0], first);
    assert_eq!(answers[1]["id"], "two");
    assert!(
        answers[1]["error"]
            .as_str()
            .unwrap()
            .starts_with("line 3: "),
        "{}",
        answers[1]
    );
    assert!(answers[2]["id"].is_null() && answers[2]["error"].is_string());
    assert_eq!(
        (&answers[3]["id"]["n"], &answers[3]["reason"]),
        (&4.into(), &"ClientDenied".into())
    );
    assert_eq!(
        answer.stderr,
        "4 requests: 1 allowed, 1 denied, 2 could not be judged\n"
    );
}

#[test]
fn a_batch_without_bad_lines_is_done_whatever_was_denied() {
    let answer = simulate(
        &["--requests", "-"],
        "{\"headers\": [[\"x-forwarded-for\", \"203.0.113.66, 192.0.2.5\"]]}\n",
    );
    assert_eq!(answer.code, exit::DONE);
}

#[test]
fn every_problem_of_every_policy_has_its_place() {
    let bad = "\
apiVersion: policy.kyma-istio.dev/v1alpha1
kind: HeaderPolicy
spec:
  forwarded:
    trust: {hops: 1, cidrz: []}
    outbound: Replaced
---
apiVersion: v1
kind: Service
";
    let answer = plugin(bad, &["filter", "validate", "POLICY"], "");
    assert_eq!((answer.code, answer.stderr.as_str()), (exit::INVALID, ""));
    let lines: Vec<&str> = answer.stdout.lines().collect();
    assert!(
        lines[0].starts_with("policy.yaml:5:22: spec.forwarded.trust.cidrz: found "),
        "{}",
        answer.stdout
    );
    assert!(
        lines.contains(&"  hint: did you mean `cidrs`?"),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stdout.contains(
            "policy.yaml:6:5: spec.forwarded.outbound: found `Replaced`, expected one of"
        ),
        "{}",
        answer.stdout
    );
}

#[test]
fn a_valid_policy_has_a_fingerprint_and_json_from_stdin_is_read() {
    let json = r#"{"apiVersion": "policy.kyma-istio.dev/v1alpha1", "kind": "HeaderPolicy", "spec": {"forwarded": {"trust": {"hops": 1}}}}"#;
    let answer = plugin("", &["filter", "validate", "-", "-o", "json"], json);
    let report: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(answer.code, exit::DONE);
    assert_eq!(
        (
            report["valid"].as_bool(),
            report["documents"][0]["file"].as_str()
        ),
        (Some(true), Some("stdin"))
    );
    assert_eq!(
        report["documents"][0]["fingerprint"].as_str().map(str::len),
        Some(64)
    );
}

/// A policy that compiles and is surely not meant: the filter would run it, and nobody brings it to a cluster.
#[test]
fn a_rule_that_can_never_decide_is_invalid_input() {
    let jwks: serde_json::Value =
        serde_json::from_str(include_str!("../../testdata/keys/jwks.json")).unwrap();
    let with = |last: &str| {
        let provider = serde_json::json!({"name": "login", "issuer": "https://login.example.com", "audiences": ["shop"], "jwks": jwks});
        let rules = serde_json::json!([
            {"name": "site", "paths": ["/shop/*"], "access": "Open"},
            {"name": "internal", "paths": [last], "access": "Deny"},
        ]);
        let jwt =
            serde_json::json!({"providers": [provider], "rules": rules, "otherwise": "Require"});
        serde_json::json!({"apiVersion": policy::API_VERSION, "kind": policy::KIND, "spec": {"position": "Gateway", "jwt": jwt}})
            .to_string()
    };
    let answer = plugin(
        &with("/shop/internal/*"),
        &["filter", "validate", "POLICY"],
        "",
    );
    assert_eq!(answer.code, exit::INVALID, "{}", answer.stdout);
    assert!(
        answer.stdout.contains(
            "spec.jwt.rules[1]: found a rule whose requests are all decided by `rules[0]` (`site`)"
        ) && !answer.stdout.contains("fingerprint"),
        "{}",
        answer.stdout
    );
    let answer = plugin(&with("/cart/*"), &["filter", "validate", "POLICY"], "");
    assert_eq!(answer.code, exit::DONE, "{}", answer.stdout);
}

/// What `filter deploy` would refuse is told before: of what is written, and only that.
#[test]
fn a_target_that_deploy_would_refuse_is_invalid_input() {
    let with = |metadata: serde_json::Value, target: serde_json::Value| {
        let mut spec = serde_json::json!({"forwarded": {"trust": {"cidrs": ["10.0.0.0/8"]}}});
        if !target.is_null() {
            spec["target"] = target;
        }
        serde_json::json!({"apiVersion": policy::API_VERSION, "kind": policy::KIND, "metadata": metadata, "spec": spec})
            .to_string()
    };
    let none = || serde_json::Value::Null;
    let object = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    for (metadata, target, problem) in [
        (object("{}"), none(), None),
        (
            object(r#"{"name": "shop"}"#),
            object(r#"{"gateway": "ingressgateway"}"#),
            None,
        ),
        (
            object(r#"{"name": "Shop!"}"#),
            none(),
            Some("metadata.name: found `Shop!`"),
        ),
        (
            object("{}"),
            object(r#"{"gatway": "a"}"#),
            Some("spec.target.gatway: found an unknown field"),
        ),
        (
            object("{}"),
            object("{}"),
            Some("spec.target: found no proxies"),
        ),
        (
            object("{}"),
            object(r#"{"gateway": "a", "phase": "Early"}"#),
            Some("spec.target.phase: found `Early`"),
        ),
        (
            object(r#"{"namespace": "a"}"#),
            object(r#"{"gateway": "a", "namespace": "b"}"#),
            Some("spec.target.namespace: found `b`"),
        ),
    ] {
        let answer = plugin(
            &with(metadata, target),
            &["filter", "validate", "POLICY"],
            "",
        );
        match problem {
            None => assert_eq!(answer.code, exit::DONE, "{}", answer.stdout),
            Some(words) => {
                assert_eq!(answer.code, exit::INVALID, "{}", answer.stdout);
                assert!(answer.stdout.contains(words), "{}", answer.stdout);
            }
        }
    }
}

#[test]
fn what_is_no_policy_is_invalid_input() {
    for (text, words) in [
        ("a: [1", "no YAML"),
        ("", "no HeaderPolicy"),
        ("a: 1\na: 2", "duplicate"),
    ] {
        let answer = plugin(text, &["filter", "validate", "POLICY"], "");
        assert_eq!(answer.code, exit::INVALID);
        assert!(answer.stdout.contains(words), "{}", answer.stdout);
    }
    let answer = plugin(
        "spec: {}",
        &["filter", "simulate", "--policy", "POLICY"],
        "",
    );
    assert_eq!(answer.code, exit::INVALID);
    assert!(
        answer
            .stderr
            .contains("policy.yaml:1:1: apiVersion: found nothing")
            && answer.stderr.contains("hint:"),
        "{}",
        answer.stderr
    );
    // One file that can't be read hides nothing of the others.
    let files = ["filter", "validate", "no/such/file", "POLICY"];
    let answer = plugin(POLICY, &files, "");
    assert_eq!(answer.code, exit::INVALID);
    assert!(
        answer
            .stdout
            .starts_with("no/such/file: found nothing that can be read (No such file")
            && answer.stdout.contains("policy.yaml: shop: valid"),
        "{}",
        answer.stdout
    );
}

#[test]
fn no_token_is_ever_shown() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzZWNyZXQifQ.c2VjcmV0LXNpZ25hdHVyZQ";
    let policy = "
apiVersion: policy.kyma-istio.dev/v1alpha1
kind: HeaderPolicy
spec:
  jwt:
    providers: [{name: login, issuer: i, audiences: [a], jwks: '{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}', fromParams: [t], fromHeaders: [{name: x-key}]}]
    otherwise: Require
";
    let header = format!("x-key: {token}");
    let path = format!("/?t={token}");
    let line = format!("{{\"headers\": [[\"authorization\", \"Bearer {token}\"], [\"{token}\"]]}}");
    for form in ["table", "json", "yaml"] {
        let base = [
            "filter", "simulate", "--policy", "POLICY", "--engine", "native", "-o", form,
        ];
        for arguments in [
            &["--token", token][..],
            &["--header", header.as_str()],
            &["--path", path.as_str()],
            &["--header", token],
        ] {
            let answer = plugin(policy, &[&base, arguments].concat(), "");
            assert_ne!(answer.code, exit::DONE, "{}", answer.stderr);
            assert!(
                !answer.stdout.contains("c2VjcmV0") && !answer.stderr.contains("c2VjcmV0"),
                "{}{}",
                answer.stdout,
                answer.stderr
            );
        }
    }
    let answer = plugin(
        policy,
        &[
            "filter",
            "simulate",
            "--policy",
            "POLICY",
            "--engine",
            "native",
            "--requests",
            "-",
        ],
        &line,
    );
    assert!(
        answer.stdout.contains("error") && !answer.stdout.contains("c2VjcmV0"),
        "{}",
        answer.stdout
    );
}

#[test]
fn no_token_is_shown_by_a_usage_error_or_a_problem() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzZWNyZXQifQ.c2VjcmV0LXNpZ25hdHVyZQ";
    let opaque = "opaque-c2VjcmV0";
    let now = format!("--now={token}");
    let policy = format!("{POLICY}  {token}: 1\n");
    let nowhere = format!("{token}.yaml");
    let at = format!("@{token}");
    let simulate = [
        "filter", "simulate", "--policy", "POLICY", "--engine", "native",
    ];
    for arguments in [
        &["--token", token, token][..],
        &["--token", opaque, opaque],
        &["--now", token],
        &[&now],
        &["--position", token],
        &["--engine", token],
        &[token],
        &["--header", opaque],
        &["--token", &at],
        &["--request", &nowhere],
    ] {
        let answer = plugin(POLICY, &[&simulate, arguments].concat(), "");
        assert_eq!(answer.code, exit::INVALID, "{arguments:?}");
        assert!(
            !answer.stdout.contains("c2VjcmV0") && !answer.stderr.contains("c2VjcmV0"),
            "{}{}",
            answer.stdout,
            answer.stderr
        );
    }
    // As a field's name, as a key that stands twice, and as the name of a case.
    let twice = format!("{token}: 1\n{token}: 2\n");
    let case = format!("cases: [{{name: a, policy: {token}, expect: {{outcome: allow}}}}]");
    for (text, arguments) in [
        (&policy, &simulate[..]),
        (&policy, &["filter", "validate", "POLICY"]),
        (&policy, &["filter", "validate", "POLICY", "-o", "json"]),
        (&twice, &simulate),
        (&twice, &["filter", "validate", "POLICY", "-o", "yaml"]),
        (
            &case,
            &[
                "filter", "test", "POLICY", "--engine", "native", "-o", "json",
            ],
        ),
    ] {
        let answer = plugin(text, arguments, "");
        assert_ne!(answer.code, exit::DONE);
        assert!(
            !answer.stdout.contains("c2VjcmV0") && !answer.stderr.contains("c2VjcmV0"),
            "{arguments:?} {}{}",
            answer.stdout,
            answer.stderr
        );
    }
    let chain = ["--xff", token, "-o", "json"];
    let answer = plugin(POLICY, &[&simulate[..], &chain].concat(), "");
    assert!(!answer.stdout.contains("c2VjcmV0"), "{}", answer.stdout);
}

#[test]
fn requests_that_can_not_be_are_refused_in_one_line() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty = format!("@{}", empty.path().display());
    for (arguments, words) in [
        (
            &["--position", "SidecarInbound"][..],
            "error: the policy is for `position: Gateway`, but `SidecarInbound` was asked for\n",
        ),
        (
            &["--header", "x-a: b\r\nx-c: d"],
            "error: `x-a` has a CR in its value, which HTTP can't carry\n",
        ),
        (
            &["--header", "x-a: b\0c"],
            "error: `x-a` has a NUL in its value, which HTTP can't carry\n",
        ),
        (
            &["--method", "GET /"],
            "error: the method is no token of letters and digits, expected such as `GET`\n",
        ),
        (
            &["--path", "shop"],
            "error: the path does not begin with `/`, expected `/…` or `*`\n",
        ),
        (
            &["--token", &empty],
            "error: the token of `--token` is empty\n",
        ),
    ] {
        let answer = simulate(arguments, "");
        assert_eq!(
            (answer.code, answer.stdout.as_str(), answer.stderr.as_str()),
            (exit::INVALID, "", words)
        );
    }
    assert_ne!(
        simulate(&["--method", "OPTIONS", "--path", "*"], "").code,
        exit::INVALID
    );
}

#[test]
fn a_batch_names_the_line_and_the_field() {
    for (line, words) in [
        (
            r#"{"peer": "nobody"}"#,
            "line 1: `peer`: found `nobody`, expected an IP address",
        ),
        (
            r#"{"position": "Router"}"#,
            "line 1: `position`: found `Router`, expected Gateway, SidecarInbound, SidecarOutbound or null",
        ),
        (
            r#"{"position": "SidecarOutbound"}"#,
            "line 1: the policy is for `position: Gateway`, but `SidecarOutbound` was asked for",
        ),
        (
            r#"{"headers": [["a", "b"], ["authorization: hidden"]]}"#,
            r#"line 1: `headers[1]`: found 1 elements, expected `[name, value]`, the value text or `{"hex": …}`"#,
        ),
        (
            r#"{"headers": [["a", 1]]}"#,
            r#"line 1: `headers[0]`: found text and a number, expected `[name, value]`, the value text or `{"hex": …}`"#,
        ),
        (
            "[]",
            r#"line 1: found a list, expected an object such as `{"peer": "192.0.2.5"}`"#,
        ),
        (
            r#"{"id": 3"#,
            "line 1: no JSON: EOF while parsing an object (column 8)",
        ),
    ] {
        let answer = simulate(&["--requests", "-"], line);
        let answer: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
        assert_eq!(answer["error"], words);
    }
}

#[test]
fn a_long_chain_says_how_much_is_not_shown() {
    let chain = vec!["203.0.113.9"; 50].join(",");
    let arguments = ["--xff", &chain, "--peer", "192.0.2.5"];
    let answer = simulate(&arguments, "");
    assert!(
        answer
            .stdout
            .contains("\nchain    … 11 more on the left\n         203.0.113.9  "),
        "{}",
        answer.stdout
    );
    let answer = simulate(&[&arguments[..], &["-o", "json"]].concat(), "");
    let json: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(
        (&json["chainMore"], json["chain"].as_array().map(Vec::len)),
        (&11.into(), Some(40))
    );
}

#[test]
fn a_stranger_that_is_counted_is_not_called_trusted() {
    let policy = POLICY.replace("hops: 1", "hops: 2");
    let simulate = [
        "filter", "simulate", "--policy", "POLICY", "--engine", "native",
    ];
    let answer = plugin(
        &policy,
        &[&simulate[..], &["--peer", "198.51.100.7"]].concat(),
        "",
    );
    assert!(
        answer.stdout.contains("TooFewHops") && answer.stdout.contains("peer, taken for a hop"),
        "{}",
        answer.stdout
    );
}

#[test]
fn a_module_that_explains_nothing_is_told() {
    let module = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(module.path(), wat::parse_str(SILENT_MODULE).unwrap()).unwrap();
    let module = module.path().display().to_string();
    let answer = plugin(
        POLICY,
        &[
            "filter", "simulate", "--policy", "POLICY", "--filter", &module,
        ],
        "",
    );
    assert_eq!(
        answer.stderr,
        "note: this module explains nothing; is it a header-policy filter?\n"
    );
}

/// Accepts any configuration and lets every request go on.
const SILENT_MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
    (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const 1)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 0))"#;

fn cases() -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata/cases/hops.yaml")
        .display()
        .to_string()
}

#[test]
fn cases_that_pass_are_a_table_json_and_junit() {
    let base = ["filter", "test", "--engine", "native"];
    let run = |form: &str| plugin("", &[&base[..], &[&cases(), "-o", form]].concat(), "");
    let table = run("table");
    assert_eq!(table.code, exit::DONE, "{}", table.stdout);
    assert!(
        table
            .stdout
            .lines()
            .last()
            .unwrap()
            .ends_with(" passed, 0 failed, 0 skipped"),
        "{}",
        table.stdout
    );
    let json: serde_json::Value = serde_json::from_str(&run("json").stdout).unwrap();
    assert_eq!(
        (
            json["failed"].as_u64(),
            json["cases"][0]["engines"][0].as_str()
        ),
        (Some(0), Some("native"))
    );
    let junit = run("junit").stdout;
    assert!(
        junit.starts_with("<?xml") && junit.contains("failures=\"0\""),
        "{junit}"
    );
}

#[test]
fn a_case_that_fails_is_exit_code_1_and_says_what_differs() {
    let case = "
cases:
  - name: somebody else
    source: nobody
    policy: {position: Gateway, forwarded: {trust: {hops: 1}}}
    position: Gateway
    headers: [[x-forwarded-for, 203.0.113.9]]
    expect: {outcome: allow, client: 203.0.113.10}
";
    let answer = plugin(
        case,
        &["filter", "test", "POLICY", "--engine", "native"],
        "",
    );
    assert_eq!(answer.code, exit::NEGATIVE);
    assert!(
        answer
            .stdout
            .contains("native: client: expected `203.0.113.10`, observed `203.0.113.9`"),
        "{}",
        answer.stdout
    );
    let answer = plugin(
        "cases: 1",
        &["filter", "test", "POLICY", "--engine", "native"],
        "",
    );
    assert_eq!(answer.code, exit::INVALID);
}

#[test]
fn cases_of_users_need_no_source_and_failures_alike_are_one_line() {
    let case = "
cases:
  - name: somebody else
    policy: {position: Gateway, forwarded: {trust: {hops: 1}}}
    peer: 192.0.2.5
    headers: [[x-forwarded-for, 203.0.113.9]]
    expect: {outcome: allow, client: 203.0.113.10}
";
    let answer = plugin(case, &["filter", "test", "POLICY"], "");
    let line = "native and wasm: client: expected `203.0.113.10`, observed `203.0.113.9`";
    assert_eq!(
        (answer.code, answer.stdout.matches("client: ").count()),
        (exit::NEGATIVE, 1),
        "{}",
        answer.stdout
    );
    assert!(answer.stdout.contains(line), "{}", answer.stdout);
    let answer = plugin("cases: []", &["filter", "test", "POLICY"], "");
    assert_eq!((answer.code, answer.stdout.as_str()), (exit::INVALID, ""));
}

#[test]
fn the_real_filter_answers_as_the_engine_does() {
    let version: serde_json::Value =
        serde_json::from_str(&plugin("", &["version", "-o", "json"], "").stdout).unwrap();
    assert!(
        version["filter"]["sha256"].is_string(),
        "this build embeds no filter: run `make wasm`, then build again"
    );
    let line = "{\"id\": 1, \"peer\": \"192.0.2.5\", \"headers\": [[\"x-forwarded-for\", \"203.0.113.9\"], [\"x-client-ip\", \"1.2.3.4\"]]}\n";
    let answers = ["wasm", "native"].map(|engine| {
        plugin(
            POLICY,
            &[
                "filter",
                "simulate",
                "--policy",
                "POLICY",
                "--requests",
                "-",
                "--engine",
                engine,
            ],
            line,
        )
        .stdout
    });
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].contains("203.0.113.9"), "{}", answers[0]);
    let answer = plugin("", &["filter", "test", &cases()], "");
    assert_eq!(answer.code, exit::DONE, "{}", answer.stdout);
}

#[test]
fn a_filter_that_is_no_module_is_invalid_input() {
    let answer = plugin(
        POLICY,
        &[
            "filter", "simulate", "--policy", "POLICY", "--filter", "POLICY",
        ],
        "",
    );
    assert_eq!((answer.code, answer.stdout.as_str()), (exit::INVALID, ""));
    assert!(
        answer.stderr.starts_with("error: the filter can't be run"),
        "{}",
        answer.stderr
    );
}

/// A verdict is one where nobody reads it either: `| head -1` in a script with `pipefail`, `| true`.
#[test]
fn a_reader_that_goes_away_changes_no_exit_code() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let policy = |spec: &str| {
        format!(
            "apiVersion: {}\nkind: {}\nmetadata: {{name: shop}}\nspec: {spec}\n",
            policy::API_VERSION,
            policy::KIND
        )
    };
    let good = file(
        "good.yaml",
        &policy("{position: Gateway, forwarded: {trust: {hops: 1}}}"),
    );
    let bad = file("bad.yaml", &policy("{position: Gatway}"));
    let failing = file(
        "failing.yaml",
        "policies:\n  p: {position: Gateway, forwarded: {trust: {hops: 1}}}\ncases:\n  - name: a\n    policy: p\n    expect: {outcome: deny}\n",
    );
    let requests = file(
        "requests.jsonl",
        "{\"path\": \"/\"}\nnothing\n{\"path\": \"/\"}\n",
    );
    let chain = [
        "filter", "simulate", "--policy", &good, "--engine", "native",
    ];
    let denied = [&chain[..], &["--xff", "unknown", "--position", "Gateway"]].concat();
    let batch = [&chain[..], &["--requests", &requests]].concat();
    let rows: [(&[&str], u8); 7] = [
        (&["version"], exit::DONE),
        (&["filter", "validate", &good], exit::DONE),
        (&["filter", "validate", &bad], exit::INVALID),
        (&["filter", "validate", &bad, "-o", "json"], exit::INVALID),
        (&denied, exit::NEGATIVE),
        (
            &[
                "filter", "test", &failing, "--engine", "native", "-o", "junit",
            ],
            exit::NEGATIVE,
        ),
        // The first line ends it; it was judged.
        (&batch, exit::DONE),
    ];
    for (arguments, due) in rows {
        let mut stderr = Vec::new();
        let code = run(
            [&["kubectl-kyma_istio"], arguments].concat(),
            &mut std::io::empty(),
            &mut Gone,
            &mut stderr,
        );
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(code, due, "{arguments:?}: {stderr}");
        assert!(!stderr.contains("error:"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_saved_filter_is_the_same_each_time_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str| {
        let to = folder.path().join(name).display().to_string();
        plugin("", &["filter", "save", &to, "-o", "json"], "")
    };
    let digest = |answer: &Answer| {
        let saved: serde_json::Value = serde_json::from_str(&answer.stdout)
            .unwrap_or_else(|_| panic!("run `make wasm`: {}", answer.stderr));
        saved["digest"].as_str().unwrap().to_owned()
    };
    let first = digest(&save("first"));
    assert_eq!(first, digest(&save("second")));
    let index = std::fs::read_to_string(folder.path().join("first/index.json")).unwrap();
    assert!(index.contains(&first), "{index}");
    let again = save("first");
    assert_eq!(again.code, exit::INVALID);
    assert!(again.stderr.contains("empty folder"), "{}", again.stderr);
}
