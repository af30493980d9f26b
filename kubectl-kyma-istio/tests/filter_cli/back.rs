//! `filter rollback`, `promote` and `remove` against a real API server and a real registry. There are no proxies: what those
//! say is in e2e/kind/tests/delivery.

use kubectl_kyma_istio::exit;
use lab::kubernetes::ControlPlane;
use lab::registry::{Access, Registry};
use serde_json::{Value, json};

use super::common::{Answer, plugin};

/// Istio's CRD, as far as it matters here.
fn crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "wasmplugins.extensions.istio.io"},
        "spec": {
            "group": "extensions.istio.io", "scope": "Namespaced", "names": {"kind": "WasmPlugin", "plural": "wasmplugins"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    })
}

/// A `spec` as `deploy` writes it.
fn spec(image: &str, hops: u32) -> Value {
    json!({
        "url": image, "phase": "AUTHN", "failStrategy": "FAIL_CLOSE", "selector": {"matchLabels": {"app": "nobody"}},
        "pluginConfig": {
            "apiVersion": "policy.kyma-istio.dev/v1alpha1",
            "spec": {"position": "Gateway", "forwarded": {"trust": {"hops": hops}}, "revision": "1"},
        },
    })
}

struct Cluster(ControlPlane);

impl Cluster {
    fn start() -> Self {
        let cluster = ControlPlane::start().unwrap();
        let apply = ["apply", "--filename=-"];
        cluster.kubectl_with(&crd().to_string(), &apply).unwrap();
        let established = [
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "crd/wasmplugins.extensions.istio.io",
        ];
        cluster.kubectl(&established).unwrap();
        Self(cluster)
    }

    /// A policy as `deploy` leaves it, with what was there before; a canary is its canary.
    fn stands(&self, name: &str, spec: &Value, previous: Option<&Value>, canary_of: Option<&str>) {
        let mut plugin = json!({
            "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
            "metadata": {
                "name": name, "namespace": "default",
                "labels": {"app.kubernetes.io/managed-by": "kubectl-kyma-istio"},
                "annotations": {"policy.kyma-istio.dev/fingerprint": "0".repeat(64)},
            },
            "spec": spec,
        });
        if let Some(previous) = previous {
            plugin["metadata"]["annotations"]["policy.kyma-istio.dev/previous"] =
                previous.to_string().into();
        }
        if let Some(of) = canary_of {
            plugin["metadata"]["labels"]["policy.kyma-istio.dev/canary-of"] = of.into();
        }
        let apply = [
            "apply",
            "--server-side",
            "--field-manager=kubectl-kyma-istio",
            "--filename=-",
        ];
        self.0.kubectl_with(&plugin.to_string(), &apply).unwrap();
    }

    /// The `spec` of a plugin; none when it is gone.
    fn spec(&self, name: &str) -> Option<Value> {
        let get = ["get", "wasmplugins", "--output=json"];
        let found: Value = serde_json::from_str(&self.0.kubectl(&get).unwrap()).unwrap();
        let all = found["items"].as_array().cloned().unwrap();
        let one = all
            .into_iter()
            .find(|one| one["metadata"]["name"] == name)?;
        Some(one["spec"].clone())
    }

    /// A Lease of a holder that shows no sign of life, for so many seconds.
    fn silent_holder(&self, seconds: u32) {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kyma-istio", "namespace": "default"},
            "spec": {"holderIdentity": "install by anna", "leaseDurationSeconds": seconds},
        });
        let apply = ["apply", "--filename=-"];
        self.0.kubectl_with(&lease.to_string(), &apply).unwrap();
    }

    fn leases(&self) -> String {
        let get = ["get", "leases", "--output=name"];
        self.0.kubectl(&get).unwrap()
    }

    fn filter(&self, arguments: &[&str]) -> Answer {
        let all = [&["filter"], arguments, &["--yes", "--timeout", "1s"]].concat();
        plugin(&all).env("KUBECONFIG", self.0.kubeconfig()).run()
    }
}

#[test]
fn what_proxies_could_not_pull_is_not_gone_back_to_and_a_canary_goes_with_its_policy() {
    let (cluster, registry) = (
        Cluster::start(),
        Registry::start(&Access::Everybody, None).unwrap(),
    );
    let image = |digit: &str| {
        format!(
            "oci://{}/team/filter@sha256:{}",
            registry.host(),
            digit.repeat(64)
        )
    };
    // Of both, the registry has nothing any more.
    let (now, before) = (spec(&image("1"), 1), spec(&image("2"), 2));
    cluster.stands("shop", &now, Some(&before), None);
    cluster.stands("shop-canary", &before, None, Some("shop"));

    for verb in ["rollback", "promote"] {
        let refused = cluster.filter(&[verb, "shop"]);
        assert_eq!(refused.code, exit::REFUSED, "{verb}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("KI-F019"),
            "{verb}: {}",
            refused.stderr
        );
        assert_eq!(cluster.spec("shop"), Some(now.clone()), "{verb} wrote");
        assert_eq!(cluster.spec("shop-canary"), Some(before.clone()), "{verb}");
    }

    let unknown = cluster.filter(&["rollback", "shop", "--skip-rehearsal"]);
    assert_eq!(unknown.code, exit::TIMED_OUT, "{}", unknown.stderr);
    for said in [
        "timed out: not every selected proxy says that it runs it",
        "it stays deployed",
        "`kubectl kyma-istio filter rollback default/shop` goes back to what was there before",
    ] {
        assert!(unknown.stdout.contains(said), "{said}: {}", unknown.stdout);
    }
    assert_eq!(cluster.spec("shop").unwrap()["url"], image("2"));

    let dry = cluster.filter(&["remove", "shop", "--dry-run"]);
    assert!(
        dry.stdout.contains("its canary default/shop-canary"),
        "{}",
        dry.stdout
    );
    let removed = cluster.filter(&["remove", "shop"]);
    assert_eq!(removed.code, exit::DONE, "{}", removed.stderr);
    assert!(
        removed
            .stdout
            .contains("removed default/shop and its canary default/shop-canary: no proxy has it"),
        "{}",
        removed.stdout
    );
    assert_eq!(cluster.spec("shop"), None);
    assert_eq!(cluster.spec("shop-canary"), None);
}

#[test]
fn neither_an_api_server_that_is_away_nor_ctrl_c_leaves_anybody_in_the_dark() {
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let image = |digit: &str| format!("oci://host.example/team/filter@sha256:{}", digit.repeat(64));
    let now = spec(&image("1"), 1);
    cluster.stands("shop", &now, Some(&spec(&image("2"), 2)), None);
    let rollback = |timeout: &str| {
        let arguments = ["filter", "rollback", "shop", "--skip-rehearsal", "--yes"];
        plugin(&[&arguments[..], &["--timeout", timeout]].concat())
            .env("KUBECONFIG", cluster.0.kubeconfig())
            .start(&folder)
    };

    let rolling = rollback("25s");
    rolling.tells("0 of 0 proxies run it");
    // Away for longer than requests are repeated.
    let away = cluster
        .0
        .without_api_server(|| rolling.tells("can't look:"));
    away.unwrap();
    let answer = rolling.ends();
    assert_eq!(answer.code, exit::TIMED_OUT, "{}", answer.stderr);
    assert!(
        answer.stdout.contains("no proxy is selected")
            && answer.stdout.contains("it stays deployed")
            && !answer.stdout.contains("the last look"),
        "{}",
        answer.stdout
    );

    let rolling = rollback("60s");
    rolling.tells("0 of 0 proxies run it");
    rolling.interrupt();
    let answer = rolling.ends();
    assert_eq!(answer.code, exit::PARTLY, "{}", answer.stderr);
    assert!(
        answer.stdout.contains("interrupted") && answer.stdout.contains("it stays deployed"),
        "{}",
        answer.stdout
    );
    assert_eq!(cluster.spec("shop").unwrap()["url"], image("1"));
}

#[test]
fn one_command_at_a_time_and_what_changed_meanwhile_is_seen() {
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    let image = |digit: &str| format!("oci://host.example/team/filter@sha256:{}", digit.repeat(64));
    let (now, before) = (spec(&image("1"), 1), spec(&image("2"), 2));
    cluster.stands("shop", &now, Some(&before), None);
    let start = |arguments: &[&str]| {
        plugin(&[&["filter"], arguments, &["--yes", "--timeout", "60s"]].concat())
            .env("KUBECONFIG", cluster.0.kubeconfig())
            .start(&folder)
    };

    // A roll-out holds its turn until it has ended.
    let rolling = start(&["rollback", "shop", "--skip-rehearsal"]);
    rolling.tells("0 of 0 proxies run it");
    for arguments in [
        &["remove", "shop"][..],
        &["rollback", "shop", "--skip-rehearsal"],
    ] {
        let refused = cluster.filter(arguments);
        assert_eq!(refused.code, exit::REFUSED, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("`filter rollback by ")
                && refused.stderr.contains("works on this mesh since"),
            "{}",
            refused.stderr
        );
    }
    let written = cluster.spec("shop").unwrap();
    assert_eq!(written["url"], image("2"));
    rolling.interrupt();
    assert_eq!(rolling.ends().code, exit::PARTLY);
    assert_eq!(cluster.leases(), "", "the Lease is given back");

    // Killed, it leaves its Lease, which the next command waits for.
    let rolling = start(&["rollback", "shop", "--skip-rehearsal"]);
    rolling.tells("0 of 0 proxies run it");
    rolling.kill();
    assert_eq!(
        cluster.leases().trim(),
        "lease.coordination.k8s.io/kyma-istio"
    );

    // Who waits for its turn looks again: what it was to replace is another by then.
    let (colleagues, url) = (spec(&image("3"), 3), image("3"));
    cluster.silent_holder(15);
    let rolling = start(&["rollback", "shop", "--skip-rehearsal"]);
    rolling.tells("waiting for a sign of life");
    cluster.stands("shop", &colleagues, Some(&before), None);
    let answer = rolling.ends();
    assert_eq!(answer.code, exit::REFUSED, "{}", answer.stderr);
    assert!(
        answer
            .stderr
            .contains("somebody else changed `default/shop` meanwhile: nothing was written"),
        "{}",
        answer.stderr
    );
    assert_eq!(cluster.spec("shop").unwrap()["url"], url);
    assert_eq!(cluster.leases(), "", "the Lease is given back");

    // What nobody agreed to is told before it is done: a canary that came meanwhile.
    cluster.silent_holder(15);
    let removing = start(&["remove", "shop"]);
    removing.tells("waiting for a sign of life");
    cluster.stands("shop-canary", &before, None, Some("shop"));
    let answer = removing.ends();
    assert_eq!(answer.code, exit::DONE, "{}", answer.stderr);
    assert!(
        answer
            .stderr
            .contains("the cluster changed since the plan was shown; it now also")
            && answer
                .stderr
                .contains("deletes WasmPlugin default/shop-canary"),
        "{}",
        answer.stderr
    );
    assert_eq!(cluster.spec("shop-canary"), None);
}

/// Who may write policies in one namespace works there, and sees whether somebody works on the mesh.
#[test]
fn a_user_of_one_namespace_holds_its_lease() {
    let cluster = Cluster::start();
    let rights = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "policies", "namespace": "shop"}, "rules": [
            {"apiGroups": ["extensions.istio.io"], "resources": ["wasmplugins"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update", "delete"]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "policies", "namespace": "shop"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "policies"},
         "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}]},
    ]});
    let apply = ["apply", "--filename=-"];
    cluster.0.kubectl_with(&rights.to_string(), &apply).unwrap();
    let mut plugin_there = json!({
        "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"name": "shop", "namespace": "shop", "labels": {"app.kubernetes.io/managed-by": "kubectl-kyma-istio"},
            "annotations": {"policy.kyma-istio.dev/fingerprint": "0".repeat(64)}},
    });
    plugin_there["spec"] = spec("oci://host.example/team/filter", 1);
    let sided = [
        "apply",
        "--server-side",
        "--field-manager=kubectl-kyma-istio",
        "--filename=-",
    ];
    cluster
        .0
        .kubectl_with(&plugin_there.to_string(), &sided)
        .unwrap();
    let ann = cluster.0.kubeconfig_for("ann", &[]).unwrap();
    let remove = || {
        plugin(&[
            "filter",
            "remove",
            "shop",
            "--namespace",
            "shop",
            "--yes",
            "--timeout",
            "1s",
        ])
        .env("KUBECONFIG", &ann)
        .run()
    };
    let refused = remove();
    assert_eq!(refused.code, exit::UNREACHABLE, "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("can't get leases.coordination.k8s.io in namespace `default`"),
        "{}",
        refused.stderr
    );
    let look = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "look", "namespace": "default"}, "rules": [
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["kyma-istio"], "verbs": ["get"]}]},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "look", "namespace": "default"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"},
         "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}]},
    ]});
    cluster.0.kubectl_with(&look.to_string(), &apply).unwrap();
    let can = ["auth", "can-i", "get", "leases/kyma-istio", "--as=ann"];
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while cluster.0.kubectl(&can).is_err() {
        assert!(std::time::Instant::now() < until, "the right doesn't come");
    }
    let removed = remove();
    assert_eq!(removed.code, exit::DONE, "{}", removed.stderr);
}
