//! What `patch` changes, and that the way back leads to what was.

mod build;

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use build::{config_map, healthy, object, pod, service, typed};
use flate2::read::GzDecoder;
use mesh::codes::Code;
use mesh::object::{Id, Object};
use mesh::observed::Observed;
use mesh::patch::{BACKUP, Certificate, Patchable, Patched, Wishes, patch, undo};
use mesh::plan::Action;
use serde_json::{Value, json};

#[test]
fn limits_tracing_certificate_and_add_ons_are_brought_about_and_taken_back() {
    let mut world = World::with(&[
        chart("Deployment", "apps/v1", "prometheus", "prometheus"),
        chart("Service", "v1", "grafana", "grafana-1.0.5"),
        chart("PersistentVolumeClaim", "v1", "istio-jaeger-pvc", "tracing"),
        foreign(
            "Deployment",
            "apps/v1",
            "prometheus-server",
            json!({ "chart": "prometheus-11.0.0", "release": "mine", "heritage": "Tiller" }),
        ),
        foreign("ConfigMap", "v1", "grafana-of-mine", json!({})),
    ]);
    let before = world.clone();
    let patched = world.patch();
    let steps: Vec<&str> = patched.plan.steps.iter().map(|step| step.name).collect();
    assert_eq!(
        steps,
        [
            "backup",
            "limits",
            "tracing",
            "certificate",
            "addons",
            "addons-gone"
        ]
    );
    assert_eq!(
        names(&patched.plan.doomed()),
        [
            "Deployment istio-system/prometheus",
            "Service istio-system/grafana"
        ]
    );
    let left: Vec<String> = patched
        .leftovers
        .iter()
        .map(|one| one.id.to_string())
        .collect();
    assert_eq!(
        left,
        [
            "PersistentVolumeClaim istio-system/istio-jaeger-pvc",
            "Deployment istio-system/prometheus-server",
            "ConfigMap istio-system/grafana-of-mine",
        ]
    );
    world.run(&patched);
    let values: Value =
        serde_json::from_str(&world.config("istio-sidecar-injector", "values")).unwrap();
    assert_eq!(
        values["global"]["proxy"]["resources"],
        json!({ "limits": { "cpu": "2", "memory": "1024Mi" } })
    );
    assert_eq!(values["other"], json!([1, "two"]));
    let mesh = world.config("istio", "mesh");
    for told in [
        "zipkin.kyma-system.svc.cluster.local",
        "trustDomain: cluster.local",
        "kyma-zipkin",
    ] {
        assert!(mesh.contains(told), "{told} in {mesh}");
    }
    // Again: nothing is left to do.
    assert!(world.patch().plan.is_empty(), "{:?}", world.patch().plan);

    let back = world.undo();
    world.run(&back);
    assert_eq!(world, before);
    assert!(world.undo().plan.is_empty());
}

#[test]
fn killed_after_any_step_the_way_back_leads_to_the_start_and_forward_to_the_end() {
    let start = World::with(&[chart("Deployment", "apps/v1", "prometheus", "prometheus")]);
    let steps = start.clone().patch().plan.steps.len();
    let mut end = start.clone();
    end.run(&start.clone().patch());
    for killed_after in 1..=steps {
        let mut world = start.clone();
        let patched = world.patch();
        world.run_steps(&patched, killed_after);
        let mut forward = world.clone();
        let rest = forward.patch();
        forward.run(&rest);
        assert_eq!(
            forward.configs(),
            end.configs(),
            "after {killed_after} steps"
        );
        let back = forward.undo();
        forward.run(&back);
        assert_eq!(
            forward, start,
            "forward and back after {killed_after} steps"
        );
        let back = world.undo();
        world.run(&back);
        assert_eq!(world, start, "back after {killed_after} steps");
    }
}

#[test]
fn what_somebody_changed_since_is_not_taken_back() {
    let mut world = World::with(&[]);
    let before = world.clone();
    let patched = world.patch();
    world.run(&patched);
    let ours = world.config("istio", "mesh");
    let theirs = "trustDomain: another.example\n";
    world.set("istio", "mesh", theirs);
    let back = world.undo();
    assert_eq!(
        skipped(&back),
        ["`ConfigMap istio-system/istio` stays as it is"]
    );
    world.run(&back);
    assert_eq!(world.config("istio", "mesh"), theirs);
    // All else is back. What this field was before, the record alone knows: it stays, and holds nothing else.
    let names: Vec<&str> = world.root.iter().map(Object::name).collect();
    assert_eq!(names, [BACKUP]);
    assert_eq!(skipped(&world.undo()).len(), 1);
    assert!(world.undo().plan.is_empty(), "{:?}", world.undo().plan);

    world.set("istio", "mesh", &ours);
    let back = world.undo();
    let steps: Vec<&str> = back.plan.steps.iter().map(|step| step.name).collect();
    assert_eq!(steps, ["undo-tracing", "undo-backup"]);
    world.run(&back);
    assert_eq!(world, before);
}

#[test]
fn what_was_made_goes_only_while_it_is_what_was_made() {
    let certificate = "istio-ingressgateway-certs";
    type Edit = fn(&mut Value);
    let edits: [(&str, Edit); 4] = [
        ("another chain", |it| {
            it["data"]["tls.crt"] = json!("dGhlaXJz")
        }),
        ("a label", |it| it["metadata"]["labels"]["a"] = json!("b")),
        ("another type", |it| it["type"] = json!("Opaque")),
        ("somebody's edit", |it| {
            it["metadata"]["managedFields"] = json!([
                { "manager": "kubectl-kyma-istio", "operation": "Apply" },
                { "manager": "kubectl-edit", "operation": "Update" },
            ]);
        }),
    ];
    for (what, edit) in edits {
        let mut world = World::with(&[]);
        let patched = world.patch();
        world.run(&patched);
        world.edit(certificate, edit);
        let theirs = world.root.clone();
        let back = world.undo();
        assert_eq!(
            skipped(&back),
            ["`Secret istio-system/istio-ingressgateway-certs` stays as it is"],
            "{what}"
        );
        world.run(&back);
        assert!(world.undo().plan.is_empty(), "{what}");
        let stays = theirs.iter().find(|one| one.name() == certificate);
        assert_eq!(
            world.root.iter().collect::<Vec<_>>(),
            [stays.unwrap()],
            "{what}"
        );
    }
}

#[test]
fn the_way_back_keeps_what_it_removes_and_changes_in_files_and_no_key_in_its_record() {
    let mut world = World::with(&[]);
    let patched = world.patch();
    world.run(&patched);
    let kept: Vec<Id> = world.undo().kept.iter().map(Object::id).collect();
    assert_eq!(
        names(&kept),
        [
            "Secret istio-system/istio-ingressgateway-certs",
            "ConfigMap istio-system/istio",
            "ConfigMap istio-system/istio-sidecar-injector",
        ]
    );
    let record = world.root.iter().find(|one| one.name() == BACKUP).unwrap();
    let packed = STANDARD
        .decode(record.string("/data/changes.json.gz").unwrap())
        .unwrap();
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains(&STANDARD.encode("chain")), "{text}");
    assert!(!text.contains(&STANDARD.encode("key")), "{text}");
}

#[test]
fn a_webhook_that_came_back_goes_again_unless_another_installation_took_it_over() {
    let mut world = World::with(&[]);
    world.rendered = vec![object(
        serde_json::to_value(&world.observed.mutating_webhooks[0])
            .map(|mut value| {
                value["apiVersion"] = json!("admissionregistration.k8s.io/v1");
                value["kind"] = json!("MutatingWebhookConfiguration");
                value
            })
            .unwrap(),
    )];
    world.observed.mutating_webhooks.clear();
    let patched = world.patch();
    world.run(&patched);
    let made = world.observed.mutating_webhooks.clone();
    assert_eq!(made.len(), 1, "{:?}", patched.plan);

    let mut untouched = world.clone();
    let back = untouched.undo();
    assert_eq!(skipped(&back), [""; 0]);
    untouched.run(&back);
    assert!(untouched.observed.mutating_webhooks.is_empty());

    let labels = &mut world.observed.mutating_webhooks[0].metadata.labels;
    labels.get_or_insert_default().insert(
        "app.kubernetes.io/managed-by".to_owned(),
        "kubectl-kyma-istio".to_owned(),
    );
    let taken_over = world.observed.mutating_webhooks.clone();
    let back = world.undo();
    assert_eq!(skipped(&back).len(), 1, "{:?}", back.plan);
    world.run(&back);
    assert_eq!(world.observed.mutating_webhooks, taken_over);
}

#[test]
fn a_limit_and_a_certificate_that_are_there_stay() {
    let mut world = World::with(&[object(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "istio-ingressgateway-certs", "namespace": "istio-system", "uid": "s" },
    }))]);
    world.set(
        "istio-sidecar-injector",
        "values",
        r#"{"global":{"proxy":{"resources":{"limits":{"memory":"300Mi"}}}}}"#,
    );
    let patched = world.patch();
    let steps: Vec<&str> = patched.plan.steps.iter().map(|step| step.name).collect();
    assert_eq!(steps, ["backup", "tracing"]);
    let why: Vec<&str> = patched
        .plan
        .skips
        .iter()
        .map(|skip| skip.why.as_str())
        .collect();
    assert_eq!(why, ["an existing certificate is never replaced"]);
}

#[test]
fn sidecars_without_a_limit_are_named() {
    let mut world = World::with(&[]);
    let mut limited = pod("shop", "limited", Some("1.30.2"));
    for container in limited["spec"]["containers"].as_array_mut().unwrap() {
        container["resources"] = json!({ "limits": { "memory": "1Gi" } });
    }
    world.observed.pods = vec![
        typed(limited),
        typed(pod("shop", "cart", Some("1.30.2"))),
        typed(pod("shop", "bare", None)),
    ];
    let named: Vec<String> = world
        .patch()
        .unlimited
        .iter()
        .map(|one| one.workload.to_string())
        .collect();
    assert_eq!(named, ["Deployment shop/cart"]);
}

#[test]
fn a_webhook_that_points_elsewhere_is_turned_to_istiod_and_back() {
    let mut world = World::with(&[]);
    let wrong = "nobody".to_owned();
    let service = |world: &mut World| -> String {
        let hook = &mut world.observed.mutating_webhooks[0]
            .webhooks
            .as_mut()
            .unwrap()[0];
        hook.client_config.service.as_mut().unwrap().name.clone()
    };
    let right = service(&mut world);
    world.observed.mutating_webhooks[0]
        .webhooks
        .as_mut()
        .unwrap()[0]
        .client_config
        .service
        .as_mut()
        .unwrap()
        .name = wrong.clone();
    let patched = world.patch();
    assert!(
        patched
            .plan
            .steps
            .iter()
            .any(|step| step.name == "injector-webhook"),
        "{:?}",
        patched.plan
    );
    world.run(&patched);
    assert_eq!(service(&mut world), right);
    let back = world.undo();
    world.run(&back);
    assert_eq!(service(&mut world), wrong);
}

#[test]
fn without_an_istio_or_under_kymas_operator_it_is_refused() {
    let codes = |observed: &Observed| -> Vec<Code> {
        patch(observed, &Patchable::default(), &Wishes::default())
            .unwrap_err()
            .iter()
            .map(|gate| gate.code)
            .collect()
    };
    assert_eq!(codes(&Observed::default()), [Code::NothingInstalled]);
    let mut managed = healthy();
    managed.kyma_manager = managed.deployments.first().cloned();
    assert_eq!(codes(&managed), [Code::ManagedMode]);
}

/// A cluster as far as `patch` sees it.
#[derive(Clone, Debug)]
struct World {
    observed: Observed,
    root: Vec<Object>,
    /// What istioctl renders.
    rendered: Vec<Object>,
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        let objects = |world: &Self| -> BTreeMap<String, Value> {
            let bare =
                |object: &Object| (object.id().to_string(), mesh::backup::restorable(object));
            world.root.iter().map(bare).collect()
        };
        self.configs() == other.configs() && objects(self) == objects(other)
    }
}

impl World {
    fn with(root: &[Object]) -> Self {
        let mut observed = healthy();
        observed.pods.clear();
        observed
            .services
            .push(typed(service("istio-system", "istiod", "istiod")));
        observed.config_maps = vec![
            typed(config_map(
                "istio",
                "mesh",
                "# a comment\ntrustDomain: cluster.local\n",
            )),
            typed(config_map(
                "istio-sidecar-injector",
                "values",
                r#"{"global":{"proxy":{"resources":{"limits":{"cpu":"2"}}}},"other":[1,"two"]}"#,
            )),
        ];
        Self {
            observed,
            root: root.to_vec(),
            rendered: Vec::new(),
        }
    }

    fn found(&self) -> Patchable {
        Patchable {
            root: self.root.clone(),
            ..Patchable::default()
        }
    }

    fn patch(&self) -> Patched {
        let wishes = Wishes {
            memory: "1024Mi".to_owned(),
            certificate: Some(Certificate {
                chain: "chain".to_owned(),
                key: "key".to_owned(),
            }),
            webhooks: self.rendered.clone(),
            ..Wishes::default()
        };
        let mut patched = patch(&self.observed, &self.found(), &wishes).expect("no gate");
        // As a dry run shows: what was applied is there.
        patched.plan.steps.retain(|step| match &step.action {
            Action::Apply(objects) => !objects.iter().all(|one| {
                self.root.iter().any(|live| {
                    live.pointer("/data") == one.pointer("/data") && live.id() == one.id()
                })
            }),
            _ => true,
        });
        patched
    }

    fn undo(&self) -> Patched {
        undo(&self.observed, &self.found()).expect("no gate")
    }

    fn run(&mut self, patched: &Patched) {
        self.run_steps(patched, usize::MAX);
    }

    fn run_steps(&mut self, patched: &Patched, count: usize) {
        for step in patched.plan.steps.iter().take(count) {
            match &step.action {
                Action::Apply(objects) => {
                    for new in objects {
                        self.root.retain(|live| live.id() != new.id());
                        let mut value = new.clone().into_value();
                        value["metadata"]["uid"] = json!(new.name());
                        match new.kind() {
                            "MutatingWebhookConfiguration" => self.webhook(value),
                            _ => self.root.push(object(value)),
                        }
                    }
                }
                Action::Merge { id, patch } => self.merge(id, patch),
                Action::Delete(doomed) => {
                    self.root
                        .retain(|live| !doomed.iter().any(|(id, _)| *id == live.id()));
                    self.observed.mutating_webhooks.retain(|live| {
                        let name = live.metadata.name.as_ref();
                        !doomed.iter().any(|(id, _)| Some(&id.name) == name)
                    });
                }
                Action::WaitGone(gone) => assert!(
                    !self
                        .root
                        .iter()
                        .any(|live| gone.iter().any(|(id, _)| *id == live.id()))
                ),
                other => panic!("{other:?}"),
            }
        }
    }

    /// As the API server and istiod complete it.
    fn webhook(&mut self, mut value: Value) {
        for webhook in value["webhooks"].as_array_mut().unwrap() {
            webhook["matchPolicy"] = json!("Equivalent");
            webhook["failurePolicy"] = json!("Fail");
            webhook["clientConfig"]["caBundle"] = json!("Y2E=");
        }
        self.observed.mutating_webhooks.push(typed(value));
    }

    fn edit(&mut self, name: &str, edit: fn(&mut Value)) {
        let at = self.root.iter().position(|one| one.name() == name).unwrap();
        let mut value = self.root[at].clone().into_value();
        edit(&mut value);
        self.root[at] = object(value);
    }

    fn merge(&mut self, id: &Id, patch: &Value) {
        match id.kind.as_str() {
            "ConfigMap" => {
                for (key, text) in patch["data"].as_object().unwrap() {
                    self.set(&id.name, key, text.as_str().unwrap());
                }
            }
            "MutatingWebhookConfiguration" => {
                self.observed.mutating_webhooks[0].webhooks = typed(patch["webhooks"].clone())
            }
            other => panic!("{other}"),
        }
    }

    fn set(&mut self, name: &str, key: &str, text: &str) {
        let map = self
            .observed
            .config_maps
            .iter_mut()
            .find(|map| map.metadata.name.as_deref() == Some(name))
            .unwrap();
        map.data
            .get_or_insert_default()
            .insert(key.to_owned(), text.to_owned());
    }

    fn config(&self, name: &str, key: &str) -> String {
        let map = self
            .observed
            .config_maps
            .iter()
            .find(|map| map.metadata.name.as_deref() == Some(name))
            .unwrap();
        map.data.as_ref().unwrap()[key].clone()
    }

    fn configs(&self) -> [String; 2] {
        [
            self.config("istio", "mesh"),
            self.config("istio-sidecar-injector", "values"),
        ]
    }
}

fn chart(kind: &str, version: &str, name: &str, chart: &str) -> Object {
    foreign(
        kind,
        version,
        name,
        json!({ "app": name, "chart": chart, "release": "istio", "heritage": "Tiller" }),
    )
}

fn foreign(kind: &str, version: &str, name: &str, labels: Value) -> Object {
    object(json!({
        "apiVersion": version, "kind": kind,
        "metadata": { "name": name, "namespace": "istio-system", "uid": name, "labels": labels }, "spec": { "of": name },
    }))
}

fn skipped(patched: &Patched) -> Vec<&str> {
    let skips = patched.plan.skips.iter();
    skips.map(|skip| skip.what.as_str()).collect()
}

fn names(ids: &[Id]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
