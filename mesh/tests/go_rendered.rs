//! What we compose, rendered by the real istioctl: it knows every field, and what the CR sets appears in the manifests.
//!
//! Needs `ISTIOCTL`, the path of an istioctl of a supported version.

mod field_cases;

use std::io::Write;
use std::process::{Command, Stdio};

use field_cases::Rendered;
use mesh::compose::{
    AwsLoadBalancer, Injection, Inputs, Profile, Provider, Settings, Tracing, compose,
};
use mesh::input::{IstioCr, yaml};
use serde_json::{Value, json};

#[test]
fn both_profiles_render_on_every_provider() {
    let providers = [
        Provider::Other,
        Provider::K3d,
        Provider::Gke,
        Provider::Aws(AwsLoadBalancer::NlbDualStack),
        Provider::OpenStack { garden_linux: true },
    ];
    for profile in [Profile::Evaluation, Profile::Production] {
        for provider in providers {
            let inputs = Inputs {
                provider,
                ..Inputs::new(profile)
            };
            let objects = render(&inputs);
            let istiod = object(&objects, "Deployment", "istiod");
            assert_eq!(
                istiod["spec"]["template"]["metadata"]["labels"]["kyma-project.io/module"], "istio",
                "{profile} {provider}"
            );
            assert_eq!(
                istiod["spec"]["template"]["spec"]["priorityClassName"],
                "istio-kyma-priority"
            );
            let image = istiod["spec"]["template"]["spec"]["containers"][0]["image"]
                .as_str()
                .unwrap();
            assert!(image.ends_with("/pilot:1.31.1-distroless"), "{image}");
        }
    }
}

#[test]
fn the_tables_of_the_mission_are_rendered() {
    let objects = render(&Inputs::new(Profile::Production));
    for (kind, name, limits, requests) in [
        (
            "Deployment",
            "istio-ingressgateway",
            ("2000m", "1024Mi"),
            ("100m", "128Mi"),
        ),
        ("Deployment", "istiod", ("4000m", "2Gi"), ("100m", "512Mi")),
        (
            "DaemonSet",
            "istio-cni-node",
            ("500m", "1024Mi"),
            ("100m", "512Mi"),
        ),
    ] {
        let container = &object(&objects, kind, name)["spec"]["template"]["spec"]["containers"][0];
        let expected = json!({
            "limits": {"cpu": limits.0, "memory": limits.1},
            "requests": {"cpu": requests.0, "memory": requests.1},
        });
        assert_eq!(container["resources"], expected, "{name}");
    }
    let proxy = &injector(&objects)["global"]["proxy"]["resources"];
    assert_eq!(
        *proxy,
        json!({"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": "10m", "memory": "192Mi"}})
    );
    for (name, least, most) in [("istiod", 2, 5), ("istio-ingressgateway", 3, 10)] {
        let spec = &object(&objects, "HorizontalPodAutoscaler", name)["spec"];
        assert_eq!(
            (&spec["minReplicas"], &spec["maxReplicas"]),
            (&json!(least), &json!(most)),
            "{name}"
        );
        object(&objects, "PodDisruptionBudget", name);
    }
    let ports = |profile| {
        let objects = render(&Inputs::new(profile));
        let ports = object(&objects, "Service", "istio-ingressgateway")["spec"]["ports"].clone();
        let ports: Vec<u64> = ports
            .as_array()
            .unwrap()
            .iter()
            .map(|port| port["port"].as_u64().unwrap())
            .collect();
        ports
    };
    assert_eq!(ports(Profile::Production), [15021, 80, 443]);
    assert_eq!(ports(Profile::Evaluation), [15021, 80, 443, 31400]);
    let text = generate(&Inputs::new(Profile::Evaluation));
    for name in [
        "peerauthentications",
        "requestauthentications",
        "authorizationpolicies",
    ] {
        assert!(
            text.contains(&format!("\n  name: {name}.security.istio.io")),
            "CRD {name}"
        );
    }
}

#[test]
fn every_field_of_the_cr_is_rendered() {
    let mut spec = json!({});
    let cases = field_cases::all();
    for case in &cases {
        merge(&mut spec, &case.spec);
    }
    let text =
        json!({"apiVersion": "operator.kyma-project.io/v1alpha2", "kind": "Istio", "spec": spec})
            .to_string();
    let inputs = Inputs {
        cr: IstioCr::read(&text).unwrap_or_else(|problems| panic!("{problems:#?}")),
        ..Inputs::new(Profile::Production)
    };
    let objects = render(&inputs);
    let mesh = mesh_config(&objects);
    let injector = injector(&objects);
    for case in cases {
        let (found, expected) = match &case.rendered {
            Rendered::Object(kind, name, pointer, value) => (
                object(&objects, kind, name).pointer(pointer).cloned(),
                value.clone(),
            ),
            Rendered::Mesh(pointer, value) => (mesh.pointer(pointer).cloned(), value.clone()),
            Rendered::Injector(pointer, value) => {
                (injector.pointer(pointer).cloned(), value.clone())
            }
            Rendered::Env(name, value) => {
                let env = object(&objects, "Deployment", "istiod")
                    .pointer("/spec/template/spec/containers/0/env")
                    .cloned();
                let variables = env
                    .and_then(|env| env.as_array().cloned())
                    .unwrap_or_default();
                let variable = variables.iter().find(|variable| variable["name"] == *name);
                (
                    variable.map(|variable| variable["value"].clone()),
                    json!(value),
                )
            }
            Rendered::Extras => continue,
        };
        assert_eq!(
            found,
            Some(expected),
            "{} ({})",
            case.field,
            case.operator.0
        );
    }
}

#[test]
fn our_settings_are_rendered() {
    let inputs = Inputs {
        settings: Settings {
            injection: Injection::All,
            tracing: Tracing::Zipkin,
            port_31400: Some(true),
            ..Settings::default()
        },
        ..Inputs::new(Profile::Production)
    };
    let objects = render(&inputs);
    let mesh = mesh_config(&objects);
    assert_eq!(mesh["defaultProviders"]["tracing"], json!(["kyma-zipkin"]));
    let webhook = object(
        &objects,
        "MutatingWebhookConfiguration",
        "istio-sidecar-injector",
    );
    let names: Vec<&str> = webhook["webhooks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|hook| hook["name"].as_str())
        .collect();
    assert!(
        names.contains(&"auto.sidecar-injector.istio.io"),
        "{names:?}"
    );
    let plain = render(&Inputs::new(Profile::Production));
    let mesh = mesh_config(&plain);
    assert_eq!(
        mesh["defaultProviders"],
        json!({"metrics": ["prometheus"], "tracing": []})
    );
    assert_eq!(mesh["extensionProviders"][0]["opentelemetry"]["port"], 4317);
    assert_eq!(
        mesh["extensionProviders"][2]["envoyFileAccessLog"]["logFormat"]["labels"]
            .as_object()
            .unwrap()
            .len(),
        26
    );
    // Expected: `internal/istiooperator/istio-operator.yaml` of kyma-project/istio.
    let logs = &mesh["extensionProviders"][3]["envoyOtelAls"]["logFormat"]["labels"];
    assert_eq!(
        (
            &logs["network.protocol.name"],
            logs.as_object().unwrap().len()
        ),
        (&json!("%CEL(request.protocol)%"), 19)
    );
    let gateway = &object(&plain, "Deployment", "istio-ingressgateway")["spec"]["template"];
    assert_eq!(
        gateway["metadata"]["annotations"]["sidecar.istio.io/statsEvictionInterval"],
        "6h"
    );
    let webhook = object(
        &plain,
        "MutatingWebhookConfiguration",
        "istio-sidecar-injector",
    );
    assert!(
        !webhook.to_string().contains("auto.sidecar-injector"),
        "no namespace gets sidecars without its label"
    );
}

/// istioctl's own answer to the composed file.
fn generate(inputs: &Inputs) -> String {
    let istioctl = std::env::var("ISTIOCTL")
        .expect("ISTIOCTL must be the path of an istioctl: scripts/go-tools.sh builds one");
    let composed = compose(inputs).unwrap_or_else(|problems| panic!("{problems:#?}"));
    // The file is far smaller than a pipe, so nothing waits for the other side.
    let mut child = Command::new(istioctl)
        .args(["manifest", "generate", "-f", "-"])
        .env("KUBECONFIG", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("istioctl starts");
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(composed.operator.to_string().as_bytes())
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().expect("istioctl ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{:#}", composed.operator);
    assert_eq!(errors, "", "no warning either");
    String::from_utf8(output.stdout).unwrap()
}

fn render(inputs: &Inputs) -> Vec<Value> {
    let text = generate(inputs);
    let documents = text
        .split("\n---")
        .filter(|document| !document.contains("kind: CustomResourceDefinition"));
    documents
        .flat_map(|document| yaml::documents(document.trim_start_matches("---")).expect("YAML"))
        .map(|node| node.to_json())
        .collect()
}

fn object<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let found = objects
        .iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} was rendered"))
}

fn mesh_config(objects: &[Value]) -> Value {
    let text = object(objects, "ConfigMap", "istio")["data"]["mesh"]
        .as_str()
        .unwrap();
    yaml::documents(text).unwrap()[0].to_json()
}

fn injector(objects: &[Value]) -> Value {
    let text = object(objects, "ConfigMap", "istio-sidecar-injector")["data"]["values"]
        .as_str()
        .unwrap();
    serde_json::from_str(text).unwrap()
}

/// Objects are merged; of two lists, the same in every case, one stays.
fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name.clone()).or_insert(json!({})), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}
