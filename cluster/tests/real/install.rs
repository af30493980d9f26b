//! The default profile of the real istioctl, rehearsed, applied, killed, applied again; then a real istiod is asked.

use std::time::{Duration, Instant};

use cluster::apply::{Change, Conflicts, rehearse};
use cluster::guard::Mode;
use cluster::interrupt::Interrupt;
use cluster::istioctl::{Generate, Sources, find, generate};
use cluster::observe::observe;
use cluster::probe::probe;
use cluster::progress::Silent;
use cluster::run::{Journal, Settings, run};
use lab::kubernetes::{ControlPlane, Istiod, IstiodOptions, NodeSpec};
use mesh::object::{Object, apply_order, read_manifests};
use mesh::observed::{MANAGED_BY, MANAGED_BY_LABEL, ProbeResult};
use mesh::plan::{Action, Plan, Step};
use serde_json::json;

use super::support::{connected, object};

/// Without a default revision, istiod validates only objects that name one.
const OPERATOR: &str = "apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec: {profile: default, values: {defaultRevision: default}}
";

async fn manifests() -> Vec<Object> {
    let env = lab::kubernetes::istioctl(None).expect("a real istioctl");
    let istioctl = find(
        &Sources {
            env: Some(env),
            ..Sources::default()
        },
        "1.31.1-distroless",
    )
    .await
    .expect("its version");
    let input = Generate {
        operator: OPERATOR,
        manifests: None,
        limit: Duration::from_secs(60),
    };
    let rendered = generate(&istioctl, input).await.expect("a rendering");
    let mut objects = vec![object(
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "istio-system" } }),
    )];
    objects.extend(read_manifests(&rendered.yaml).expect("manifests"));
    let objects = objects.into_iter().map(|one| {
        let mut value = one.into_value();
        value["metadata"]["labels"][MANAGED_BY_LABEL] = json!(MANAGED_BY);
        object(value)
    });
    let mut objects: Vec<Object> = objects.collect();
    apply_order(&mut objects);
    objects
}

/// As `mesh` orders it: what Istio's custom resources need comes before them.
fn plan(objects: &[Object]) -> Plan {
    let (crds, rest): (Vec<Object>, Vec<Object>) = objects
        .iter()
        .cloned()
        .partition(|one| matches!(one.kind(), "Namespace" | "CustomResourceDefinition"));
    let ids = crds.iter().map(Object::id).collect();
    let step = |name: &'static str, action: Action| Step {
        name,
        title: name.to_owned(),
        action,
    };
    Plan {
        steps: vec![
            step("crds", Action::Apply(crds)),
            step("crds-ready", Action::WaitReady(ids)),
            step("rest", Action::Apply(rest)),
        ],
        ..Plan::default()
    }
}

#[tokio::test]
async fn the_default_profile_on_an_empty_cluster() {
    let control_plane =
        ControlPlane::with_nodes(&[NodeSpec::new("node-1")]).expect("a control plane");
    let (reads, writes) = (
        connected(control_plane.kubeconfig(), Mode::DryRun).await,
        connected(control_plane.kubeconfig(), Mode::Write).await,
    );
    let objects = manifests().await;

    let started = Instant::now();
    let would = rehearse(&reads, &objects, Conflicts::Refuse)
        .await
        .expect("a rehearsal");
    println!(
        "{} objects rehearsed in {:?}",
        would.len(),
        started.elapsed()
    );
    assert!(would.iter().all(|one| one.change == Change::Created));
    assert!(
        would
            .iter()
            .zip(&objects)
            .all(|(one, object)| one.result.id() == object.id())
    );
    let nothing = probe(&reads, &|_| None).await;
    assert!(
        matches!(nothing.invalid_policy_refused, ProbeResult::Unproved { .. }),
        "{nothing:?}"
    );
    assert!(
        matches!(nothing.pod_injected, ProbeResult::No { .. }),
        "{nothing:?}"
    );
    assert_eq!(reads.audit.writes(), 0);
    control_plane
        .kubectl(&["get", "namespace", "istio-system"])
        .expect_err("rehearsals wrote nothing");

    let plan = plan(&objects);
    let mut settings = Settings {
        timeout: Duration::from_secs(60),
        conflicts: Conflicts::Refuse,
        abort_after: Some("crds".to_owned()),
        interrupt: Interrupt::never(),
    };
    let aborted = run(&writes, &plan, &settings, &Journal::default(), &Silent)
        .await
        .expect_err("aborted");
    settings.abort_after = None;
    let started = Instant::now();
    let report = run(&writes, &plan, &settings, &Journal::default(), &Silent)
        .await
        .expect("the rest");
    println!(
        "{} objects applied in {:?}",
        objects.len(),
        started.elapsed()
    );
    assert_eq!(report.unchanged, aborted.done.written.len());
    assert_eq!(
        report.written.len() + aborted.done.written.len(),
        objects.len()
    );

    let started = Instant::now();
    let again = run(&writes, &plan, &settings, &Journal::default(), &Silent)
        .await
        .expect("nothing to do");
    println!("again, unchanged: {:?}", started.elapsed());
    assert_eq!(
        (again.written, again.unchanged),
        (Vec::new(), objects.len())
    );

    let istiod = Istiod::start(&control_plane, &IstiodOptions::default()).expect("a real istiod");
    control_plane
        .kubectl(&["label", "namespace", "default", "istio-injection=enabled"])
        .expect("a label");
    let webhook = objects
        .iter()
        .find(|one| one.kind() == "ValidatingWebhookConfiguration")
        .expect("a webhook");
    let deadline = cluster::wait::Deadline::after(Duration::from_secs(60));
    let ids = [webhook.id()];
    cluster::wait::ready(&writes, &ids, deadline, &Interrupt::never(), &Silent)
        .await
        .expect("istiod wrote its CA");

    // The API server takes a moment to hear of a changed webhook.
    let end = Instant::now() + Duration::from_secs(30);
    let asked = loop {
        let asked = probe(&reads, &|_| None).await;
        let is_yes = matches!(asked.invalid_policy_refused, ProbeResult::Yes { .. });
        if is_yes || Instant::now() > end {
            break asked;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(
        matches!(asked.invalid_policy_refused, ProbeResult::Yes { .. }),
        "{asked:?}"
    );
    assert!(
        matches!(asked.pod_injected, ProbeResult::Yes { .. }),
        "{asked:?}"
    );
    assert_eq!(reads.audit.writes(), 0);

    // istiod has written into its webhooks by now: its fields stay its own.
    let after = run(&writes, &plan, &settings, &Journal::default(), &Silent)
        .await
        .expect("nothing to do beside istiod");
    assert_eq!(after.written, Vec::new());

    let started = Instant::now();
    let observed = observe(&reads).await.expect("a look");
    println!(
        "observed in {:?} with {} requests",
        started.elapsed(),
        reads.audit.calls().len()
    );
    assert_eq!(observed.forbidden, Vec::new());
    assert!(observed.crds.len() >= 14, "{}", observed.crds.len());
    assert_eq!(observed.nodes.len(), 1);
    assert!(
        observed
            .owned
            .iter()
            .any(|one| one.id().to_string() == "Deployment istio-system/istiod")
    );
    assert!(
        observed
            .config_maps
            .iter()
            .any(|map| map.metadata.name.as_deref() == Some("istio"))
    );
    assert!(!observed.validating_webhooks.is_empty() && !observed.mutating_webhooks.is_empty());
    drop(istiod);
}
