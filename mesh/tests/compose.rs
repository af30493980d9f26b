//! Layers: which wins, who is named for it, and what they may not make together.

use mesh::compose::{
    AwsHints, AwsLoadBalancer, Composed, Images, Injection, Inputs, NodeCapacity, NodeInfo,
    Profile, Provider, Settings, Tracing, compose, extras,
};
use mesh::input::IstioCr;
use mesh::input::overlay::Overlay;
use mesh::input::set::Set;
use serde_json::{Value, json};

const INGRESS: &str = "components.ingressGateways[name:istio-ingressgateway]";

#[test]
fn production_begins_at_five_cpus_and_ten_gigabytes() {
    let node = |cpu, memory| NodeCapacity::parse(cpu, memory).unwrap();
    for (nodes, profile) in [
        (vec![], Profile::Evaluation),
        (vec![node("5", "10G")], Profile::Production),
        (vec![node("4999m", "10G")], Profile::Evaluation),
        (vec![node("5", "9999999999")], Profile::Evaluation),
        (vec![node("2", "5G"), node("3", "5G")], Profile::Production),
        (
            vec![node("4", "16393244Ki"), node("1", "1Ki")],
            Profile::Production,
        ),
    ] {
        assert_eq!(Profile::for_cluster(&nodes).0, profile, "{nodes:?}");
    }
    let (_, why) = Profile::for_cluster(&[node("3920m", "8Gi")]);
    assert_eq!(
        why,
        "1 node has 3.920 CPUs and 8.589 GB of memory; production begins at 5 CPUs and 10 GB"
    );
    assert_eq!(NodeCapacity::parse("four", "8Gi"), None);
    assert_eq!("production".parse(), Ok(Profile::Production));
    assert_eq!(
        "prodution".parse::<Profile>().unwrap_err().hint.as_deref(),
        Some("did you mean `production`?")
    );
}

#[test]
fn providers_are_recognised_by_their_nodes() {
    let node = |kubelet: &str, id: &str, os: &str| NodeInfo {
        kubelet_version: kubelet.to_owned(),
        provider_id: id.to_owned(),
        os_image: os.to_owned(),
    };
    let none = AwsHints::default();
    for (nodes, aws, provider) in [
        (vec![], none, Provider::Other),
        (
            vec![node("v1.33.1+k3s1", "k3s://a", "K3s")],
            none,
            Provider::K3d,
        ),
        (
            vec![node("v1.33.1-gke.1000", "gce://a", "COS")],
            none,
            Provider::Gke,
        ),
        (
            vec![node("v1.33.1", "gce://a", "Garden Linux 1")],
            none,
            Provider::Other,
        ),
        (
            vec![node(
                "v1.33.1",
                "kind://docker/kind/kind-control-plane",
                "Debian",
            )],
            none,
            Provider::Kind,
        ),
        (
            vec![node("v1.33.1", "azure:///a", "Ubuntu")],
            none,
            Provider::Azure,
        ),
        (
            vec![
                node("v1.33.1", "", ""),
                node("v1.33.1", "AWS:///eu/i-1", ""),
            ],
            none,
            Provider::Aws(AwsLoadBalancer::Nlb),
        ),
        (
            vec![node("v1.33.1", "openstack:///a", "Ubuntu")],
            none,
            Provider::OpenStack {
                garden_linux: false,
            },
        ),
        (
            vec![node("v1.33.1", "openstack:///a", "Garden Linux 1")],
            none,
            Provider::OpenStack { garden_linux: true },
        ),
        (
            vec![node("v1.33.1", "aws:///a", "")],
            AwsHints {
                elb_deprecated: true,
                ..none
            },
            Provider::Aws(AwsLoadBalancer::Elb),
        ),
        (
            vec![node("v1.33.1", "aws:///a", "")],
            AwsHints {
                elb_deprecated: true,
                gateway_has_nlb: true,
                dual_stack: false,
            },
            Provider::Aws(AwsLoadBalancer::Nlb),
        ),
        (
            vec![node("v1.33.1", "aws:///a", "")],
            AwsHints {
                dual_stack: true,
                ..none
            },
            Provider::Aws(AwsLoadBalancer::NlbDualStack),
        ),
    ] {
        assert_eq!(Provider::detect(&nodes, aws).0, provider, "{nodes:?}");
    }
    let (_, why) = Provider::detect(&[node("v1.33.1", "aws:///a", "")], none);
    assert_eq!(why, "provider id `aws:///a`");
}

#[test]
fn a_later_layer_wins_and_is_named() {
    let mut inputs = Inputs::new(Profile::Production);
    let path = "components.pilot.k8s.hpaSpec.maxReplicas";
    assert_eq!(
        leaf(&inputs, path),
        (json!(5), "profile production".to_owned())
    );
    inputs.cr =
        cr("spec:\n  components:\n    pilot:\n      k8s:\n        hpaSpec: {maxReplicas: 6}\n");
    assert_eq!(
        leaf(&inputs, path),
        (json!(6), "Istio CR, line 7".to_owned())
    );
    inputs.overlays.push(overlay(
        "one.yaml",
        "spec:\n  components:\n    pilot: {k8s: {hpaSpec: {maxReplicas: 7}}}\n",
    ));
    assert_eq!(
        leaf(&inputs, path),
        (json!(7), "one.yaml, line 5".to_owned())
    );
    inputs.overlays.push(overlay(
        "two.yaml",
        "spec:\n  components:\n    pilot: {k8s: {hpaSpec: {maxReplicas: 8}}}\n",
    ));
    assert_eq!(
        leaf(&inputs, path),
        (json!(8), "two.yaml, line 5".to_owned())
    );
    inputs
        .sets
        .push(set("components.pilot.k8s.hpaSpec.maxReplicas=9"));
    assert_eq!(leaf(&inputs, path), (json!(9), "--set".to_owned()));
    assert_eq!(
        leaf(&inputs, "components.pilot.k8s.hpaSpec.minReplicas"),
        (json!(2), "profile production".to_owned())
    );
    assert_eq!(
        leaf(&inputs, "meshConfig.trustDomain").1,
        "Kyma's settings of every mesh"
    );
    assert_eq!(leaf(&inputs, "tag").1, "images");
}

#[test]
fn every_leaf_has_one_origin_with_its_value() {
    let mut inputs = Inputs::new(Profile::Evaluation);
    inputs.provider = Provider::Aws(AwsLoadBalancer::Elb);
    inputs.sets.push(set(
        "components.ingressGateways[0].k8s.service.ports[1].nodePort=30080",
    ));
    let composed = composed(&inputs);
    assert!(composed.why.len() > 100, "{}", composed.why.len());
    let mut rebuilt = inputs.clone();
    rebuilt.sets = composed
        .why
        .iter()
        .map(|origin| Set {
            path: origin.path.clone(),
            value: origin.value.clone(),
        })
        .collect();
    assert_eq!(
        compose(&rebuilt).unwrap().operator,
        composed.operator,
        "the origins' values are the operator's"
    );
    let mut paths: Vec<String> = composed
        .why
        .iter()
        .map(|origin| origin.path.to_string())
        .collect();
    paths.dedup();
    assert_eq!(paths.len(), composed.why.len());
}

#[test]
fn gateways_and_variables_are_merged_by_name_other_lists_replaced() {
    let mut inputs = Inputs::new(Profile::Production);
    inputs.overlays.push(overlay(
        "o.yaml",
        "\
spec:
  meshConfig:
    extensionProviders:
    - name: mine
  components:
    pilot:
      k8s:
        env:
        - {name: PILOT_HTTP10, value: '0'}
        - {name: MINE, value: a}
    ingressGateways:
    - name: istio-ingressgateway
      k8s: {replicaCount: 4}
    - name: second
      enabled: true
",
    ));
    let spec = &composed(&inputs).operator["spec"];
    let env = spec["components"]["pilot"]["k8s"]["env"]
        .as_array()
        .unwrap();
    let names: Vec<&str> = env
        .iter()
        .filter_map(|variable| variable["name"].as_str())
        .collect();
    assert_eq!(names.first(), Some(&"PILOT_HTTP10"));
    assert_eq!(names.last(), Some(&"MINE"));
    assert_eq!(env[0]["value"], "0");
    let gateways = spec["components"]["ingressGateways"].as_array().unwrap();
    assert_eq!(gateways.len(), 2);
    assert_eq!(
        (
            &gateways[0]["k8s"]["replicaCount"],
            &gateways[0]["k8s"]["hpaSpec"]["maxReplicas"]
        ),
        (&json!(4), &json!(10))
    );
    assert_eq!(gateways[1], json!({"name": "second", "enabled": true}));
    assert_eq!(
        spec["meshConfig"]["extensionProviders"],
        json!([{"name": "mine"}])
    );
    assert_eq!(
        leaf(&inputs, "components.pilot.k8s.env[name:MINE].value").1,
        "o.yaml, line 12"
    );
}

#[test]
fn a_set_reaches_into_lists_by_number_and_by_name() {
    let mut inputs = Inputs::new(Profile::Production);
    for text in [
        "components.ingressGateways[0].k8s.replicaCount=4",
        "components.pilot.k8s.env.[name:PILOT_HTTP10].value=0",
        "components.pilot.k8s.env[name:NEW].value=x",
        r"components.pilot.k8s.podAnnotations.example\.com/a=b",
        "meshConfig.extensionProviders[name:envoy].envoyFileAccessLog.path=/dev/stderr",
        "unvalidatedValues.a.b[0].c=true",
    ] {
        inputs.sets.push(set(text));
    }
    let composed = composed(&inputs);
    let spec = &composed.operator["spec"];
    let pilot = &spec["components"]["pilot"]["k8s"];
    let value = |name: &str| {
        pilot["env"]
            .as_array()
            .unwrap()
            .iter()
            .find(|variable| variable["name"] == name)
            .map(|variable| variable["value"].clone())
    };
    assert_eq!(
        (value("PILOT_HTTP10"), value("NEW")),
        (Some(json!("0")), Some(json!("x")))
    );
    assert_eq!(pilot["podAnnotations"]["example.com/a"], "b");
    assert_eq!(
        spec["unvalidatedValues"],
        json!({"a": {"b": [{"c": true}]}})
    );
    assert_eq!(
        spec["meshConfig"]["extensionProviders"][1]["envoyFileAccessLog"]["path"],
        "/dev/stderr"
    );
    assert_eq!(
        leaf(&inputs, &format!("{INGRESS}.k8s.replicaCount")),
        (json!(4), "--set".to_owned())
    );
    for (text, found) in [
        (
            "components.ingressGateways[3].enabled=true",
            "item 3 of a list of 1",
        ),
        (
            "meshConfig.extensionProviders[name:nobody].name=a",
            "no item with name `nobody`",
        ),
        ("hub.a=b", "a value that has no field `a`"),
        ("meshConfig.trustDomain[0]=b", "a value that is no list"),
    ] {
        inputs.sets = vec![set(text)];
        let problems = compose(&inputs).expect_err(text);
        assert_eq!(problems[0].found, found, "{text}");
    }
}

#[test]
fn layers_that_contradict_each_other_are_refused_with_both_names() {
    let mut inputs = Inputs::new(Profile::Production);
    inputs.cr = cr("\
spec:
  components:
    pilot:
      k8s:
        hpaSpec: {minReplicas: 6}
        resources: {limits: {cpu: 50m}}
    ingressGateway:
      k8s:
        strategy: {rollingUpdate: {maxSurge: 0}}
    proxy:
      k8s:
        resources: {requests: {memory: 2Gi}}
");
    let problems: Vec<String> = compose(&inputs)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        problems,
        [
            "components.pilot.k8s.hpaSpec.minReplicas: found `6` from Istio CR, line 7, expected at most maxReplicas, `5` from profile production",
            "components.pilot.k8s.resources.requests.cpu: found `100m` from profile production, expected at most the limit of cpu, `50m` from Istio CR, line 8",
            "components.ingressGateways[name:istio-ingressgateway].k8s.strategy.rollingUpdate.maxSurge: \
             found zero from Istio CR, line 11, and maxUnavailable zero from Kyma's settings of every mesh, expected one of them above zero",
            "values.global.proxy.resources.requests.memory: found `2Gi` from Istio CR, line 14, expected at most the limit of memory, `1024Mi` from profile production",
        ]
    );
}

#[test]
fn the_defects_of_the_module_are_not_ours() {
    let mut inputs = Inputs::new(Profile::Production);
    inputs.cr = cr("\
spec:
  config:
    authorizers: [{name: a, service: a, port: 1, timeout: 500ms}]
  components:
    cni: {k8s: {resources: {limits: {cpu: 700m}}}}
");
    assert_eq!(
        leaf(
            &inputs,
            "meshConfig.extensionProviders[name:a].envoyExtAuthzHttp.timeout"
        )
        .0,
        "0.5s",
        "B4"
    );
    let spec = composed(&inputs).operator["spec"]["components"]["cni"]["k8s"].clone();
    assert_eq!(
        spec["resources"],
        json!({"limits": {"cpu": "700m", "memory": "1024Mi"}, "requests": {"cpu": "100m", "memory": "512Mi"}}),
        "B1"
    );
    assert!(
        spec["affinity"].is_object() && spec["overlays"].is_array(),
        "B1"
    );
}

#[test]
fn a_part_of_an_affinity_replaces_the_profiles() {
    let mut inputs = Inputs::new(Profile::Production);
    inputs.cr = cr("\
spec:
  components:
    cni:
      k8s:
        affinity:
          podAntiAffinity:
            requiredDuringSchedulingIgnoredDuringExecution:
            - {topologyKey: zone}
");
    let anti = &composed(&inputs).operator["spec"]["components"]["cni"]["k8s"]["affinity"]["podAntiAffinity"];
    let terms: Vec<&String> = anti.as_object().unwrap().keys().collect();
    assert_eq!(terms, ["requiredDuringSchedulingIgnoredDuringExecution"]);
}

#[test]
fn a_leaf_that_becomes_an_object_is_a_leaf_no_more() {
    let mut inputs = Inputs::new(Profile::Production);
    inputs
        .overlays
        .push(overlay("one.yaml", "spec: {unvalidatedValues: {a: 1}}\n"));
    inputs.overlays.push(overlay(
        "two.yaml",
        "spec: {unvalidatedValues: {a: {b: 2}}}\n",
    ));
    let why = composed(&inputs).why;
    let paths = why.iter().map(|origin| origin.path.to_string());
    let paths: Vec<String> = paths
        .filter(|path| path.starts_with("unvalidatedValues"))
        .collect();
    assert_eq!(paths, ["unvalidatedValues.a.b"]);
}

#[test]
fn images_settings_and_providers_change_only_what_they_are_for() {
    let plain = composed(&Inputs::new(Profile::Production));
    let changed = |inputs: &Inputs| -> Vec<String> {
        let after = composed(inputs);
        let new = after.why.iter().filter(|origin| {
            plain
                .why
                .iter()
                .all(|before| before.path != origin.path || before.value != origin.value)
        });
        new.map(|origin| origin.path.to_string()).collect()
    };
    let base = Inputs::new(Profile::Production);
    let with = |settings: Settings| Inputs {
        settings,
        ..base.clone()
    };
    assert_eq!(changed(&base), [""; 0]);
    let images = Images {
        hub: "example.com/istio".to_owned(),
        tag: "1.31.0".to_owned(),
        pull_secret: Some("secret".to_owned()),
    };
    assert_eq!(
        changed(&Inputs {
            images,
            ..base.clone()
        }),
        ["hub", "tag", "values.global.imagePullSecrets"]
    );
    let all = Settings {
        injection: Injection::All,
        ..Settings::default()
    };
    assert_eq!(
        changed(&with(all)),
        ["values.sidecarInjectorWebhook.enableNamespacesByDefault"]
    );
    let port = Settings {
        port_31400: Some(true),
        ..Settings::default()
    };
    assert_eq!(
        changed(&with(port)),
        [format!("{INGRESS}.k8s.service.ports")]
    );
    let zipkin = Settings {
        tracing: Tracing::Zipkin,
        ..Settings::default()
    };
    assert_eq!(
        changed(&with(zipkin)),
        [
            "meshConfig.defaultProviders.tracing",
            "meshConfig.enableTracing",
            "meshConfig.extensionProviders[name:kyma-zipkin].name",
            "meshConfig.extensionProviders[name:kyma-zipkin].zipkin.port",
            "meshConfig.extensionProviders[name:kyma-zipkin].zipkin.service",
        ]
    );
    let provider = |provider| {
        changed(&Inputs {
            provider,
            ..base.clone()
        })
    };
    assert_eq!(provider(Provider::Kind), [""; 0]);
    assert_eq!(
        provider(Provider::K3d),
        ["values.cni.cniBinDir", "values.cni.cniConfDir"]
    );
    assert_eq!(
        provider(Provider::Gke),
        ["values.cni.cniBinDir", "values.cni.resourceQuotas.enabled"]
    );
    let annotation = |name: &str| {
        format!(
            "{INGRESS}.k8s.serviceAnnotations.{}",
            name.replace('.', "\\.")
        )
    };
    assert_eq!(
        provider(Provider::OpenStack { garden_linux: true }),
        [annotation("loadbalancer.openstack.org/proxy-protocol")]
    );
    let aws = |name: &str| {
        annotation(&format!(
            "service.beta.kubernetes.io/aws-load-balancer-{name}"
        ))
    };
    assert_eq!(
        provider(Provider::Aws(AwsLoadBalancer::Elb)),
        [aws("connection-idle-timeout"), aws("proxy-protocol")]
    );
    assert_eq!(
        provider(Provider::Aws(AwsLoadBalancer::Nlb)),
        [aws("nlb-target-type"), aws("scheme"), aws("type")]
    );
}

#[test]
fn own_resources_are_marked_and_fit_the_provider() {
    let mut inputs = Inputs::new(Profile::Evaluation);
    let names = |inputs: &Inputs| -> Vec<String> {
        let name = |object: &Value| {
            format!(
                "{} {}",
                object["kind"].as_str().unwrap(),
                object["metadata"]["name"].as_str().unwrap()
            )
        };
        extras(inputs).iter().map(name).collect()
    };
    assert_eq!(
        names(&inputs),
        [
            "Namespace istio-system",
            "Namespace kyma-system",
            "PriorityClass istio-kyma-priority",
            "PeerAuthentication default",
            "ClusterRole kyma-istio-view",
            "ClusterRole kyma-istio-edit",
            "ClusterRole kyma-istio-resources-view",
            "ClusterRole kyma-istio-resources-edit",
        ]
    );
    let objects = extras(&inputs);
    for object in &objects {
        let labels = &object["metadata"]["labels"];
        assert_eq!(
            (
                &labels["kyma-project.io/module"],
                &labels["app.kubernetes.io/managed-by"]
            ),
            (&json!("istio"), &json!("kubectl-kyma-istio"))
        );
        assert!(object["metadata"]["annotations"]["istios.operator.kyma-project.io/managed-by-disclaimer"].is_string());
    }
    assert_eq!(
        objects[0]["metadata"]["labels"]["namespaces.warden.kyma-project.io/validate"],
        "enabled"
    );
    assert!(objects[0]["metadata"]["labels"]["istio-injection"].is_null());
    assert_eq!(
        objects[1]["metadata"]["labels"]["istio-injection"],
        "enabled"
    );
    assert_eq!(objects[2]["value"], 2_100_000);
    assert_eq!(objects[3]["spec"], json!({"mtls": {"mode": "STRICT"}}));
    inputs.settings.injection = Injection::All;
    assert_eq!(
        extras(&inputs)[0]["metadata"]["labels"]["istio-injection"],
        "disabled"
    );
    for (provider, wanted) in [
        (Provider::Aws(AwsLoadBalancer::Elb), true),
        (Provider::Aws(AwsLoadBalancer::NlbDualStack), true),
        (Provider::Aws(AwsLoadBalancer::Nlb), false),
        (
            Provider::OpenStack {
                garden_linux: false,
            },
            true,
        ),
        (Provider::Gke, false),
    ] {
        inputs.provider = provider;
        assert_eq!(
            names(&inputs).contains(&"EnvoyFilter proxy-protocol".to_owned()),
            wanted,
            "{provider}"
        );
    }
}

/// Expected: `config/rbac/istio_{viewer,editor}_role.yaml` and `istio_resources_{view,edit}.yaml` of kyma-project/istio.
#[test]
fn roles_are_those_of_the_module() {
    let objects = extras(&Inputs::new(Profile::Production));
    let role = |name: &str| {
        let mut found = objects
            .iter()
            .filter(|object| object["kind"] == "ClusterRole" && object["metadata"]["name"] == name);
        found.next().unwrap_or_else(|| panic!("no {name}"))
    };
    let groups = json!([
        "networking.istio.io",
        "authentication.istio.io",
        "config.istio.io",
        "extensions.istio.io",
        "install.istio.io",
        "security.istio.io",
        "telemetry.istio.io",
        "rbac.istio.io"
    ]);
    let read = json!(["get", "list", "watch"]);
    let all = json!([
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection"
    ]);
    let status = json!({"apiGroups": ["operator.kyma-project.io"], "resources": ["istios/status"], "verbs": ["get"]});
    let cr = |verbs: &Value| json!([{"apiGroups": ["operator.kyma-project.io"], "resources": ["istios"], "verbs": verbs}, status]);
    let istio = |verbs: &Value| json!([{"apiGroups": groups, "resources": ["*"], "verbs": verbs}]);
    for (name, of, other, rules) in [
        ("kyma-istio-view", "view", "edit", cr(&read)),
        ("kyma-istio-edit", "edit", "view", cr(&all)),
        ("kyma-istio-resources-view", "view", "edit", istio(&read)),
        ("kyma-istio-resources-edit", "edit", "view", istio(&all)),
    ] {
        let found = role(name);
        assert_eq!(found["rules"], rules, "{name}");
        let label = |of| {
            &found["metadata"]["labels"][format!("rbac.authorization.k8s.io/aggregate-to-{of}")]
        };
        assert_eq!((label(of), label(other)), (&json!("true"), &json!(null)));
    }
}

#[test]
fn network_policies_know_the_api_server_and_the_gateways_ports() {
    let mut inputs = Inputs::new(Profile::Evaluation);
    inputs.cr = cr("spec: {networkPoliciesEnabled: true}\n");
    inputs.settings.api_server_port = 6443;
    let objects = extras(&inputs);
    let policies: Vec<&Value> = objects
        .iter()
        .filter(|object| object["kind"] == "NetworkPolicy")
        .collect();
    assert_eq!(policies.len(), 7);
    let with_api = policies
        .iter()
        .filter(|policy| policy["spec"]["egress"].to_string().contains("6443"));
    assert_eq!(with_api.count(), 3, "istiod, CNI, the controller");
    for policy in &policies {
        let typed: k8s_openapi::api::networking::v1::NetworkPolicy =
            serde_json::from_value((*policy).clone()).unwrap();
        assert_eq!(
            serde_json::to_value(&typed).unwrap()["spec"],
            policy["spec"],
            "Kubernetes knows every field"
        );
        assert_eq!(
            policy["metadata"]["labels"]["kyma-project.io/managed-by"],
            "kubectl-kyma-istio"
        );
    }
    let gateway = policies
        .iter()
        .find(|policy| policy["metadata"]["name"] == "kyma-project.io--istio-ingressgateway")
        .unwrap();
    let ports: Vec<u64> = gateway["spec"]["ingress"][0]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|port| port["port"].as_u64())
        .collect();
    assert_eq!(ports, [15021, 8080, 8443, 31400]);
}

fn cr(spec: &str) -> IstioCr {
    let text = format!("apiVersion: operator.kyma-project.io/v1alpha2\nkind: Istio\n{spec}");
    IstioCr::read(&text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn overlay(name: &str, spec: &str) -> Overlay {
    let text = format!("apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\n{spec}");
    Overlay::read(name, &text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn set(text: &str) -> Set {
    Set::parse(text).unwrap_or_else(|problem| panic!("{problem}"))
}

fn composed(inputs: &Inputs) -> Composed {
    compose(inputs).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn leaf(inputs: &Inputs, path: &str) -> (Value, String) {
    let composed = composed(inputs);
    let origin = composed
        .why
        .iter()
        .find(|origin| origin.path.to_string() == path);
    let origin = origin.unwrap_or_else(|| panic!("no leaf {path}"));
    (origin.value.clone(), origin.source.to_string())
}
