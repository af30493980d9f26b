//! An Istio that `istioctl` installed, with the add-ons of old, is brought to what Kyma needs, and back.

use serde_json::{Value, json};

use crate::foreign::by_istioctl;
use crate::support::{Cluster, Ran, Snapshot, manifests};

const PATCH: [&str; 4] = [
    "patch",
    "--yes",
    "--domain=kyma.example.com",
    "--skip-verify",
];

/// The injector that `istioctl install` leaves active.
const INJECTOR: &str = "istio-revision-tag-default";
const CERTIFICATE: &str = "istio-ingressgateway-certs";

#[test]
fn a_foreign_istio_is_patched_verified_and_undone_field_by_field() {
    let cluster = Cluster::small();
    by_istioctl(&cluster);
    without_a_limit(&cluster);
    strict(&cluster);
    add_ons(&cluster);
    a_workload(&cluster);
    // `istioctl install` leaves it pointing right; somebody didn't.
    let wrong =
        r#"[{"op":"replace","path":"/webhooks/0/clientConfig/service/name","value":"nobody"}]"#;
    cluster.kubectl(&[
        "patch",
        "mutatingwebhookconfiguration",
        INJECTOR,
        "--type=json",
        "--patch",
        wrong,
    ]);
    let before = Snapshot::of(&cluster);

    let planned = cluster
        .plugin(&[
            "patch",
            "--dry-run",
            "--domain=kyma.example.com",
            "-o",
            "json",
        ])
        .exits(0);
    let steps = steps(&planned.json());
    assert_eq!(
        steps,
        [
            "backup",
            "limits",
            "tracing",
            "default-injector-webhook",
            "certificate",
            "addons",
            "addons-gone"
        ]
    );
    before.assert_same(&Snapshot::of(&cluster), "a dry run");
    cluster.plugin(&["patch"]).exits(2).says("no terminal");

    // Killed behind every step, the next one goes on, and the way back still leads to the start.
    for step in steps.iter().filter(|step| !step.ends_with("-gone")) {
        let mut command = cluster.command(&PATCH);
        Ran::of(command.env("KYMA_ISTIO_ABORT_AFTER", step)).exits(6);
    }
    // What was deleted last may still be on its way.
    cluster.plugin(&PATCH).exits(0);
    cluster.plugin(&PATCH).exits(0).says("nothing to do");
    is_patched(&cluster);
    let verified = cluster.plugin_until(&["patch", "--verify-only"], |ran| ran.code == 0);
    verified.says("all 5 criteria are met");

    for step in [
        "undo-addons",
        "undo-default-injector-webhook",
        "undo-tracing",
        "undo-limits",
        "undo-made",
    ] {
        let mut command = cluster.command(&["patch", "--undo", "--yes"]);
        Ran::of(command.env("KYMA_ISTIO_ABORT_AFTER", step)).exits(6);
    }
    cluster.plugin(&["patch", "--undo", "--yes"]).exits(0);
    is_as_before(&before, &Snapshot::of(&cluster));
    cluster
        .plugin(&["patch", "--undo", "--yes"])
        .exits(0)
        .says("nothing to do");

    // And once more, at one go, from inside: with the Job's rights.
    let account = as_the_job(&cluster);
    cluster
        .plugin(&[&PATCH[..], &["--as", &account]].concat())
        .exits(0)
        .says("Deployment shop/cart has 1 sidecar without a memory limit")
        .says("PersistentVolumeClaim istio-system/istio-jaeger-pvc: it holds data");
    is_patched(&cluster);
    cluster
        .plugin_until(&["patch", "--verify-only", "--as", &account], |ran| {
            ran.code == 0
        })
        .says("all 5 criteria are met");

    what_others_changed_stays_and_is_not_forgotten(&cluster);
}

/// A certificate that was replaced, and a field that somebody edited.
fn what_others_changed_stays_and_is_not_forgotten(cluster: &Cluster) {
    let ours = text(cluster, "istio", "mesh");
    let theirs = json!({
        "data": { "tls.crt": "dGhlaXJz", "tls.key": "dGhlaXIga2V5" },
    });
    merge(cluster, "secret", CERTIFICATE, &theirs);
    let edited = json!({ "data": { "mesh": format!("{ours}\n# a comment\n") } });
    merge(cluster, "configmap", "istio", &edited);

    let folder = cluster.file("kept", "");
    std::fs::remove_file(&folder).unwrap();
    let undo = ["patch", "--undo", "--yes"];
    cluster
        .plugin(&[&undo[..], &["--backup", &folder]].concat())
        .exits(0)
        .says("`Secret istio-system/istio-ingressgateway-certs` stays as it is: somebody changed it since")
        .says("`ConfigMap istio-system/istio` stays as it is: somebody changed it since")
        .says("configmap_istio-system_istio-sidecar-injector.yaml");
    let data = || cluster.get(&["secret", CERTIFICATE, "--namespace=istio-system"])["data"].clone();
    assert_eq!(data(), theirs["data"]);
    assert_eq!(
        text(cluster, "istio", "mesh"),
        edited["data"]["mesh"].as_str().unwrap()
    );
    let values: Value =
        serde_json::from_str(&text(cluster, "istio-sidecar-injector", "values")).unwrap();
    assert!(
        values["global"]["proxy"]["resources"]["limits"]["memory"].is_null(),
        "{values}"
    );
    // What is left in the record stays there until it can be taken back.
    cluster.plugin(&undo).exits(0).says("nothing to do");
    merge(
        cluster,
        "configmap",
        "istio",
        &json!({ "data": { "mesh": ours } }),
    );
    cluster.plugin(&undo).exits(0).says("done");
    let mesh = text(cluster, "istio", "mesh");
    assert!(!mesh.contains("zipkin"), "{mesh}");
    assert_eq!(data(), theirs["data"]);
    let secrets = cluster.kubectl(&[
        "get",
        "secrets",
        "--namespace=istio-system",
        "--output=name",
    ]);
    assert!(!secrets.contains("kyma-istio-patch-backup"), "{secrets}");
}

fn merge(cluster: &Cluster, kind: &str, name: &str, patch: &Value) {
    let patch = patch.to_string();
    let call = [
        "patch",
        kind,
        name,
        "--namespace=istio-system",
        "--type=merge",
        "--patch",
        &patch,
    ];
    cluster.kubectl(&call);
}

fn text(cluster: &Cluster, name: &str, key: &str) -> String {
    let map = cluster.get(&["configmap", name, "--namespace=istio-system"]);
    map["data"][key].as_str().unwrap().to_owned()
}

#[test]
fn a_missing_webhook_comes_back_and_a_certificate_that_is_there_is_kept() {
    let cluster = Cluster::small();
    cluster.plugin(&["patch", "--yes"]).exits(5).says("KI-G015");
    by_istioctl(&cluster);
    let webhook = ["mutatingwebhookconfiguration", "istio-sidecar-injector"];
    cluster.kubectl(&[&["delete"], &webhook[..], &[INJECTOR]].concat());
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "istio-ingressgateway-certs", "namespace": "istio-system" },
        "stringData": { "tls.crt": "theirs", "tls.key": "theirs" },
    });
    cluster.apply(&secret.to_string());
    let data = || {
        cluster.get(&[
            "secret",
            "istio-ingressgateway-certs",
            "--namespace=istio-system",
        ])["data"]
            .clone()
    };
    let theirs = data();
    cluster
        .plugin(&PATCH)
        .exits(0)
        .says("an existing certificate is never replaced");
    assert_eq!(data(), theirs);
    // istiod writes its CA into it: then pods are injected again.
    let bundle = "--output=jsonpath={.webhooks[0].clientConfig.caBundle}";
    cluster.until(
        "a CA bundle",
        &[&["get"], &webhook[..], &[bundle]].concat(),
        |text| text.len() > 100,
    );
    // mTLS isn't STRICT here, and nobody makes it so.
    cluster
        .plugin_until(&["patch", "--yes"], |ran| ran.stdout.contains("1 of 5"))
        .exits(1)
        .says("1 of 5 criteria not met: mtls-strict");

    // What the API server and istiod added to it makes it nobody else's.
    let undo = ["patch", "--undo", "--yes"];
    let injectors = || cluster.kubectl(&["get", webhook[0], "--output=name"]);
    cluster.plugin(&undo).exits(0);
    assert!(!injectors().contains(webhook[1]), "{}", injectors());
    cluster.plugin(&PATCH).exits(0);
    // An installation that takes it over does.
    by_istioctl(&cluster);
    cluster
        .plugin(&undo)
        .exits(0)
        .says("`MutatingWebhookConfiguration istio-sidecar-injector` stays as it is");
    assert!(injectors().contains(webhook[1]), "{}", injectors());
}

#[test]
fn rights_that_are_lost_half_way_are_named_and_the_next_run_goes_on() {
    let cluster = Cluster::small();
    by_istioctl(&cluster);
    without_a_limit(&cluster);
    let account = as_the_job(&cluster);
    let run = || cluster.plugin(&[&PATCH[..], &["--as", &account]].concat());
    let mut killed = cluster.command(&[&PATCH[..], &["--as", &account]].concat());
    Ran::of(killed.env("KYMA_ISTIO_ABORT_AFTER", "limits")).exits(6);
    let role = ["role", "istio-kyma-patch", "--namespace=istio-system"];
    let kept = cluster.get(&role);
    let mut less = kept.clone();
    less["rules"][0]["verbs"] = json!(["get"]);
    less["metadata"] = json!({ "name": "istio-kyma-patch", "namespace": "istio-system" });
    let mut full = less.clone();
    full["rules"] = kept["rules"].clone();
    let less = cluster.file("less.json", &less.to_string());
    cluster.kubectl(&["replace", "--filename", &less]);
    let can = [
        "auth",
        "can-i",
        "patch",
        "configmaps",
        "--namespace=istio-system",
        "--as",
        &account,
    ];
    let answer = |wanted: &'static str| {
        // kubectl ends with 1 for `no`; the answer is what counts.
        cluster.plugin_until(
            &["patch", "--dry-run", "--as", &account, "--skip-verify"],
            |ran| (ran.code == 3) == (wanted == "no"),
        )
    };
    answer("no").says("can't patch configmaps");
    run()
        .exits(3)
        .says("can't patch configmaps")
        .says("kubectl auth can-i");
    let full = cluster.file("full.json", &full.to_string());
    cluster.kubectl(&["replace", "--filename", &full]);
    cluster.until("the right", &can, |text| text.trim() == "yes");
    run().exits(0);
    is_configured(&cluster);
}

/// As `patch --job` prints it; the account's name.
fn as_the_job(cluster: &Cluster) -> String {
    let printed = cluster
        .plugin(&["patch", "--job", "--image=example.com/kyma-istio:1"])
        .exits(0);
    let job = "kind: Job";
    assert!(
        printed.stdout.contains(job) && printed.stdout.contains("app: istio-kyma-patch"),
        "{printed}"
    );
    // Kyma's namespace, where one of its rights holds.
    cluster.apply(&manifests::namespace("kyma-system", json!({})));
    // Its image can't run here: its rights are what is tested.
    let rights: Vec<&str> = printed
        .stdout
        .split("---\n")
        .filter(|document| !document.contains(job))
        .collect();
    cluster.apply(&rights.join("---\n"));
    let account = "system:serviceaccount:istio-system:istio-kyma-patch".to_owned();
    cluster.until(
        "the Job's rights",
        &[
            "auth",
            "can-i",
            "patch",
            "configmaps",
            "--namespace=istio-system",
            "--as",
            &account,
        ],
        |answer| answer.trim() == "yes",
    );
    account
}

fn is_configured(cluster: &Cluster) {
    let values: Value =
        serde_json::from_str(&text(cluster, "istio-sidecar-injector", "values")).unwrap();
    assert!(
        values["global"]["proxy"]["resources"]["limits"]["memory"].is_string(),
        "{values}"
    );
    let mesh = text(cluster, "istio", "mesh");
    assert!(mesh.contains("zipkin.kyma-system"), "{mesh}");
}

fn is_patched(cluster: &Cluster) {
    is_configured(cluster);
    let webhook = cluster.get(&["mutatingwebhookconfiguration", INJECTOR]);
    assert_eq!(
        webhook["webhooks"][0]["clientConfig"]["service"]["name"],
        "istiod"
    );
    let certificate = cluster.get(&[
        "secret",
        "istio-ingressgateway-certs",
        "--namespace=istio-system",
    ]);
    assert_eq!(certificate["type"], "kubernetes.io/tls");
    let left = Snapshot::of(cluster);
    let left = left.names();
    for gone in [
        "Deployment istio-system/prometheus",
        "Deployment istio-system/grafana",
        "Service istio-system/servicegraph",
        "Deployment istio-system/istio-tracing",
    ] {
        assert!(!left.iter().any(|name| name.ends_with(gone)), "{gone}");
    }
    for stays in [
        "Deployment istio-system/my-prometheus",
        "PersistentVolumeClaim istio-system/istio-jaeger-pvc",
        "Deployment shop/prometheus",
    ] {
        assert!(
            left.iter().any(|name| name.ends_with(stays)),
            "{stays} in {left:#?}"
        );
    }
}

/// Every object as before, field by field; those that were removed and came back have new uids, addresses and pods.
fn is_as_before(before: &Snapshot, after: &Snapshot) {
    let left_out = |name: &str, field: &str| {
        let is_pods = [
            "Pod ",
            "ReplicaSet ",
            "EndpointSlice ",
            "Endpoints ",
            "ControllerRevision ",
        ]
        .iter()
        .any(|kind| name.contains(kind));
        is_pods
            || name.contains("Lease ")
            || [
                "/metadata/uid",
                "/metadata/creationTimestamp",
                "/metadata/generation",
                "/metadata/managedFields",
                "/metadata/annotations/deployment.kubernetes.io~1revision",
            ]
            .contains(&field)
    };
    let different = before.differences(after, left_out);
    assert!(different.is_empty(), "{different:#?}");
}

/// As it was in charts of old: today's limit a sidecar's memory.
fn without_a_limit(cluster: &Cluster) {
    let injector = [
        "configmap",
        "istio-sidecar-injector",
        "--namespace=istio-system",
    ];
    let text = cluster.get(&injector)["data"]["values"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut values: Value = serde_json::from_str(&text).unwrap();
    let limits = values["global"]["proxy"]["resources"]["limits"]
        .as_object_mut()
        .unwrap();
    assert!(limits.remove("memory").is_some());
    let patch = json!({ "data": { "values": format!("{values:#}") } }).to_string();
    cluster.kubectl(
        &[
            &["patch"],
            &injector[..],
            &["--type=merge", "--patch", &patch],
        ]
        .concat(),
    );
}

fn strict(cluster: &Cluster) {
    let strict = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": { "name": "default", "namespace": "istio-system" }, "spec": { "mtls": { "mode": "STRICT" } },
    });
    cluster.apply(&strict.to_string());
}

/// What the charts of Istio 1.1 left, and things of the user's that look like it.
fn add_ons(cluster: &Cluster) {
    let chart = |app: &str, chart: &str, release: &str| json!({ "app": app, "chart": chart, "release": release, "heritage": "Tiller" });
    let of = |text: String, labels: Value| -> Vec<Value> {
        let list: Value = serde_json::from_str(&text).unwrap();
        let mut items = list["items"].as_array().unwrap().clone();
        items
            .iter_mut()
            .for_each(|item| item["metadata"]["labels"] = labels.clone());
        items
    };
    let workload = |name: &str| manifests::workload("istio-system", name, json!({}));
    let deployments = [
        ("prometheus", chart("prometheus", "prometheus", "istio")),
        ("grafana", chart("grafana", "grafana", "istio")),
        (
            "servicegraph",
            chart("servicegraph", "servicegraph-1.0.5", "istio"),
        ),
        ("istio-tracing", chart("jaeger", "tracing", "istio")),
        (
            "my-prometheus",
            chart("prometheus", "prometheus-11.0.0", "my-prometheus"),
        ),
    ];
    let mut items: Vec<Value> = Vec::new();
    for (name, labels) in &deployments {
        items.extend(of(workload(name), labels.clone()));
    }
    items.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "prometheus", "namespace": "istio-system", "labels": chart("prometheus", "prometheus", "istio") },
        "data": { "prometheus.yml": "global:\n  scrape_interval: 15s\n" },
    }));
    items.push(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": { "name": "istio-jaeger-pvc", "namespace": "istio-system", "labels": chart("jaeger", "tracing", "istio") },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    }));
    cluster.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string());
    for (name, _) in deployments {
        let name = format!("deployment/{name}");
        cluster.kubectl(&[
            "wait",
            "--namespace=istio-system",
            "--for=condition=Available",
            "--timeout=60s",
            &name,
        ]);
    }
}

/// One with a sidecar that has no limit, and one of the user's that is called like an add-on.
fn a_workload(cluster: &Cluster) {
    cluster.apply(&manifests::namespace("shop", json!({})));
    cluster.apply(&manifests::workload("shop", "prometheus", json!({})));
    let mut workload: Value =
        serde_json::from_str(&manifests::workload("shop", "cart", json!({}))).unwrap();
    workload["items"][0]["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "istio-proxy", "image": "example.com/proxyv2:1.30.2", "args": ["proxy", "sidecar"] }));
    cluster.apply(&workload.to_string());
    for name in ["deployment/cart", "deployment/prometheus"] {
        cluster.kubectl(&[
            "wait",
            "--namespace=shop",
            "--for=condition=Available",
            "--timeout=60s",
            name,
        ]);
    }
}

fn steps(planned: &Value) -> Vec<String> {
    let steps = planned["plan"]["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect()
}
