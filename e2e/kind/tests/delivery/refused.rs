//! What can't work, or isn't allowed, ends before anything is written.

use e2e_kind::{Space, kubectl, plugin};
use serde_json::json;

use crate::edge::{BANNED, Edge, changed_module, policy, push};

#[test]
fn what_can_not_work_is_refused_by_its_name_and_nothing_is_written() {
    let space = Space::new("refused");
    let edge = Edge::new(&space);
    let good = push("good", None);
    let other_version = changed_module(
        &space,
        "policy.kyma-istio.dev/v1alpha1",
        "policy.kyma-istio.dev/v9alpha1",
    );
    let no_version = changed_module(
        &space,
        "kyma-istio.policy-versions",
        "kyma-istio.policy-versionz",
    );
    let other_version = push("other-version", Some(&other_version));
    let no_version = push("no-version", Some(&no_version));
    let mut nobody = policy();
    nobody["target"] = json!({ "selector": { "app": "nobody" } });

    for (spec, image, more, code, said) in [
        (
            nobody,
            &good,
            &[][..],
            5,
            "KI-F010: no proxy is selected: pods with app=nobody",
        ),
        (
            policy(),
            &other_version,
            &[],
            5,
            "accepts policy.kyma-istio.dev/v9alpha1; the policy is `policy.kyma-istio.dev/v1alpha1`",
        ),
        (
            policy(),
            &no_version,
            &[],
            5,
            "says not which policies it accepts",
        ),
        (
            policy(),
            &good,
            &["--as", "nobody@example.com"],
            3,
            r#"User "nobody@example.com" cannot get resource "wasmplugins""#,
        ),
    ] {
        let arguments = [&["--image", image.as_str()], more].concat();
        let ran = edge.deploy(spec, &arguments).exits(code);
        assert!(ran.stderr.contains(said), "{said}: {ran}");
        assert_eq!(edge.plugin(), None, "{said}");
    }
    assert_eq!(edge.answers(BANNED), (200, None));
}

#[test]
fn who_may_write_policies_but_not_ask_proxies_is_told_before_anything_is_written() {
    let space = Space::new("blind");
    let edge = Edge::new(&space);
    let blind = Blind::new(&space);
    let good = push("good", None);
    let refused = edge
        .deploy(policy(), &["--image", &good, "--as", &blind.0])
        .exits(3);
    let expected = format!(
        "KI-G009: can't create pods/portforward in namespace `{}`",
        space.name()
    );
    assert!(refused.stderr.contains(&expected), "{refused}");
    assert_eq!(edge.plugin(), None);

    edge.brings(policy(), &good);
    let unknown = plugin(&["filter", "status", &edge.policy(), "--as", &blind.0]).exits(3);
    assert!(unknown.stdout.contains("KI-F006"), "{unknown}");
}

/// A user who may read everything and write plugins; the name is that of the role, too.
struct Blind(String);

impl Blind {
    fn new(space: &Space) -> Self {
        let name = format!("{}-blind", space.name());
        let rule = |group: &str, resource: &str, verbs: &[&str]| json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs });
        let kind = |kind: &str| json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": { "name": name } });
        let mut role = kind("ClusterRole");
        role["rules"] = json!([
            rule("*", "*", &["get", "list", "watch"]),
            rule("extensions.istio.io", "wasmplugins", &["*"]),
            rule("coordination.k8s.io", "leases", &["*"]),
        ]);
        let mut binding = kind("ClusterRoleBinding");
        binding["roleRef"] =
            json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name });
        binding["subjects"] =
            json!([{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name }]);
        for object in [role, binding] {
            kubectl(["apply", "--server-side", "--filename=-"])
                .given(object.to_string())
                .done();
        }
        Self(name)
    }
}

impl Drop for Blind {
    fn drop(&mut self) {
        let _ = kubectl(["delete", "clusterrolebinding,clusterrole", &self.0]).tried();
    }
}

#[test]
fn a_tag_that_moves_moves_no_proxy_and_a_second_policy_is_refused() {
    let space = Space::new("moving");
    let edge = Edge::new(&space);
    let tag = format!("moving-{}", std::process::id());
    let first = push(&tag, None);
    let (by_tag, digest) = first.split_once('@').expect("a digest");
    edge.brings(policy(), by_tag);
    let second = push(&tag, Some(&changed_module(&space, "v1alpha1", "v9alpha1")));
    assert_ne!(first, second);

    let again = edge.deploy(policy(), &[]).exits(0);
    assert!(
        again
            .stdout
            .contains("nothing to write: the cluster has it already"),
        "{again}"
    );
    assert_eq!(edge.status()["digest"], json!(digest));
    edge.judges();

    let file = edge.file(policy());
    let text = std::fs::read_to_string(&file)
        .expect("the policy")
        .replace(r#""name":"edge""#, r#""name":"second""#);
    std::fs::write(&file, text).expect("another policy");
    let refused = plugin(&[
        "filter", "deploy", "--yes", "--file", &file, "--image", &first,
    ])
    .exits(5);
    assert!(
        refused.stderr.contains("KI-F012") && refused.stderr.contains(&edge.policy()),
        "{refused}"
    );
}
