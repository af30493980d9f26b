//! Inputs are read offline: all problems at once, each with its line, its path and what helps.

use mesh::compose::{Inputs, Origin, Profile, Source, compose};
use mesh::input::installation::Installation;
use mesh::input::overlay::Overlay;
use mesh::input::set::Set;
use mesh::input::{IstioCr, schema};
use mesh::problem::Problem;
use mesh::versions::{Minor, Version, versions};

#[test]
fn versions_are_what_the_file_says() {
    let versions = versions();
    let istio = &versions.istio;
    // Kyma's module 1.33.0 has Istio 1.31.1, its 1.31.0 has 1.30.4.
    assert_eq!(istio.default.to_string(), "1.31.1");
    assert_eq!(istio.tag(istio.default), "1.31.1-distroless");
    assert_eq!(istio.older.to_string(), "1.30.4");
    let text = |minors: &[Minor]| -> Vec<String> { minors.iter().map(Minor::to_string).collect() };
    assert_eq!(text(&istio.supported), ["1.30", "1.31"]);
    assert_eq!(text(&istio.rendered), ["1.29", "1.30", "1.31", "1.32"]);
    let supports = |text| istio.supports(version(text).minor());
    assert!(supports("1.30.0") && supports("v1.31.4-distroless"));
    assert!(!supports("1.29.9") && !supports("1.32.0") && !supports("2.31.0"));
    let renders = |text| istio.renders(version(text).minor());
    assert!(renders("1.29.0") && renders("1.32.9-distroless"));
    assert!(!renders("1.28.9") && !renders("1.33.0") && !renders("2.30.0"));
    for minor in &istio.supported {
        assert!(
            istio.renders(*minor) && istio.unsupported(*minor).is_none(),
            "{minor}"
        );
    }
    let release = |text| istio.release_of(version(text).minor());
    assert_eq!(
        (release("1.31.7"), release("1.30.0"), release("1.29.0")),
        (
            "1.31.1".to_owned(),
            "1.30.4".to_owned(),
            "1.29.PATCH".to_owned()
        )
    );
    let hubs: Vec<&str> = istio.hubs.iter().map(|hub| hub.name.as_str()).collect();
    assert_eq!(hubs, ["kyma", "istio"]);
    assert_eq!(istio.hub(), istio.hubs[0].hub);
    assert!(
        istio
            .hubs
            .iter()
            .all(|hub| hub.hub.contains('/') && !hub.hub.ends_with('/'))
    );
    assert_eq!(versions.kubernetes.minimum.to_string(), "1.32");
    assert!(
        versions.envoy.contains(version("1.36.2")) && versions.envoy.contains(version("1.40.0"))
    );
    assert!(
        !versions.envoy.contains(version("1.35.9")) && !versions.envoy.contains(version("1.41.0"))
    );
    let platforms: Vec<&str> = versions.istioctl.platforms().collect();
    assert_eq!(
        platforms,
        [
            "linux-amd64",
            "linux-arm64",
            "linux-armv7",
            "osx-amd64",
            "osx-arm64",
            "win-amd64"
        ]
    );
    let archive = versions
        .istioctl
        .archive(istio.default, "linux-arm64")
        .unwrap();
    assert!(
        archive
            .url
            .ends_with("/1.31.1/istioctl-1.31.1-linux-arm64.tar.gz"),
        "{}",
        archive.url
    );
    assert_eq!(versions.istioctl.archive(istio.default, "plan9-mips"), None);
}

#[test]
fn checksums_are_read_from_their_table() {
    let sum = "ab".repeat(32);
    let file = include_str!("../../versions.toml");
    let filled = format!("{file}\n[istioctl.sha256.\"1.30.2\"]\nlinux-amd64 = \"{sum}\"\n");
    let versions: mesh::versions::Versions = toml::from_str(&filled).unwrap();
    let checksum = |platform| {
        versions
            .istioctl
            .archive(version("1.30.2"), platform)
            .unwrap()
            .sha256
    };
    assert_eq!(checksum("linux-amd64").unwrap().as_str(), sum);
    assert_eq!(checksum("osx-arm64"), None);
    let short = filled.replace(&sum, "ab");
    assert!(toml::from_str::<mesh::versions::Versions>(&short).is_err());
}

#[test]
fn versions_that_are_none_are_refused() {
    for text in ["", "1.30", "1.30.x", "1.30.2.1", "1..2", "+1.2.3"] {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
    assert!(version("1.30.10") > version("1.30.9"));
}

#[test]
fn an_empty_cr_is_the_profile_alone() {
    for spec in [
        "",
        "spec:\n",
        "spec: {}\n",
        "spec: {config: {numTrustedProxies: null}}\n",
        "status: {state: Ready}\n",
        "spec: {experimental: null}\n",
    ] {
        let cr = IstioCr::read(&format!("{HEAD}{spec}"))
            .unwrap_or_else(|problems| panic!("{spec}: {problems:?}"));
        assert_eq!(
            (cr.name.as_str(), &cr.spec),
            ("default", &IstioCr::default().spec),
            "{spec}"
        );
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let text = "\
apiVersion: operator.kyma-project.io/v1alpha2
kind: Istio
metadata:
  name: Default
  namespace: istio-system
spec:
  numTrustedProxies: 1
  config:
    numTrustedProxies: -1
    trustDomian: a
    enableDNSProxying: \"true\"
    gatewayExternalTrafficPolicy: local
    authorizers:
    - name: a
      port: 70000
    proxyStatsMatcher:
      inclusionRegexps: [\"ok\", \"(\"]
  experimental:
    enableAmbient: true
  components:
    pilot: {}
    proxy:
      k8s:
        resources:
          limits: {cpu: 1, memory: 1GB}
";
    assert_eq!(
        told(text),
        [
            "4:9: metadata.name: found `Default`, expected a name of lower-case letters, digits, `-` and `.`",
            "5:14: metadata.namespace: found `istio-system`, expected `kyma-system` | the module reads its CR in no other namespace",
            "7:3: spec.numTrustedProxies: found an unknown field, expected one of `compatibilityMode`, `components`, `config`, `networkPoliciesEnabled` \
             | did you mean `spec.config.numTrustedProxies`?",
            "9:24: spec.config.numTrustedProxies: found `-1`, expected a whole number from 0 to 4294967295",
            "10:5: spec.config.trustDomian: found an unknown field, expected one of `authorizers`, `enableDNSProxying`, `forwardClientCertDetails`, \
             `gatewayExternalTrafficPolicy`, `numTrustedProxies`, `proxyStatsMatcher`, `telemetry`, `trustDomain` | did you mean `trustDomain`?",
            "11:24: spec.config.enableDNSProxying: found `true`, expected `true` or `false` | write it without quotes",
            "12:35: spec.config.gatewayExternalTrafficPolicy: found `local`, expected one of `Local`, `Cluster` | did you mean `Local`?",
            "14:7: spec.config.authorizers[0].service: found nothing, expected a service, `[namespace/]hostname`",
            "15:13: spec.config.authorizers[0].port: found `70000`, expected a whole number from 1 to 65535",
            "17:32: spec.config.proxyStatsMatcher.inclusionRegexps[1]: found `(` (unclosed group), expected a regular expression in RE2 syntax",
            "18:3: spec.experimental: found experimental features, expected none \
             | only the `-experimental` flavour of the module takes them; the regular one puts the CR in state Error",
            "21:12: spec.components.pilot.k8s: found nothing, expected the component's Kubernetes settings",
            "25:25: spec.components.proxy.k8s.resources.limits.cpu: found `1`, expected a quantity of CPU such as `500m` or `0.5` | write it as a text: \"1\"",
            "25:36: spec.components.proxy.k8s.resources.limits.memory: found `1GB`, expected a quantity of memory such as `128Mi`",
        ]
    );
}

#[test]
fn what_fields_mean_together_is_checked_too() {
    let spec = "\
spec:
  config:
    authorizers:
    - {name: a, service: a, port: 1, timeout: 0s}
    - {name: b, service: a, port: 1, pathPrefix: check}
";
    assert_eq!(
        told(&format!("{HEAD}{spec}")),
        [
            "6:47: spec.config.authorizers[0].timeout: found `0s`, expected a duration above zero, such as `500ms` or `1m30s`",
            "7:50: spec.config.authorizers[1].pathPrefix: found `check`, expected a path that begins with `/`",
        ]
    );
    let spec = "\
spec:
  config:
    authorizers:
    - {name: a, service: a, port: 1}
    - {name: kyma-logs, service: a, port: 1}
    - {name: a, service: b, port: 1}
  components:
    ingressGateway:
      k8s:
        hpaSpec: {minReplicas: 5, maxReplicas: 3}
        resources:
          requests: {cpu: 0.5, memory: 1Gi}
          limits: {memory: 512Mi}
";
    let spec = spec.replace("cpu: 0.5", "cpu: '0.5'");
    assert_eq!(
        told(&format!("{HEAD}{spec}")),
        [
            "7:8: spec.config.authorizers[1].name: found `kyma-logs`, expected a name other than `prometheus`, `kyma-traces`, `kyma-zipkin`, `envoy`, \
             `stdout-json`, `kyma-logs`, which the mesh has already",
            "8:8: spec.config.authorizers[2].name: found `a`, expected a name of its own: authorizers[0] has it",
            "12:19: spec.components.ingressGateway.k8s.hpaSpec.minReplicas: found `5`, expected at most maxReplicas, `3`",
            "14:34: spec.components.ingressGateway.k8s.resources.requests.memory: found `1Gi`, expected at most the limit, `512Mi`",
        ]
    );
}

#[test]
fn the_document_must_be_the_one_istio_cr() {
    for (text, expected) in [
        (
            "",
            "found an empty text, expected a document of kind `Istio`, apiVersion `operator.kyma-project.io/v1alpha2`",
        ),
        (
            "- a",
            "1:1: found a list, expected a document of kind `Istio`, apiVersion `operator.kyma-project.io/v1alpha2`",
        ),
        (
            "kind: istio",
            "1:1: kind: found `istio`, expected `Istio` | did you mean `Istio`?",
        ),
        (
            "apiVersion: v1\nkind: Secret",
            "2:1: kind: found `Secret`, expected `Istio`",
        ),
        (
            "kind: Istio",
            "1:1: apiVersion: found nothing, expected `operator.kyma-project.io/v1alpha2`",
        ),
        (
            "apiVersion: operator.kyma-project.io/v1alpha1\nkind: Istio",
            "1:13: apiVersion: found `operator.kyma-project.io/v1alpha1`, expected `operator.kyma-project.io/v1alpha2` \
             | v1alpha1 left the CRD with release 1.10.0 of the module; its fields are the same here",
        ),
        (
            "apiVersion: sailoperator.io/v1\nkind: Istio",
            "1:13: apiVersion: found `sailoperator.io/v1`, expected `operator.kyma-project.io/v1alpha2` | an `Istio` of another operator is not read",
        ),
        (
            "kind: A\n---\nkind: B",
            "found documents of the kinds `A`, `B`, expected a document of kind `Istio`, apiVersion `operator.kyma-project.io/v1alpha2`",
        ),
        ("a: [", "1:4: found text that is no YAML"),
        (
            "kind: Istio\nkind: Istio",
            "2:1: found text that is no YAML",
        ),
    ] {
        let told = told(text);
        assert!(
            told.len() == 1 && told[0].starts_with(expected),
            "{text:?}: {told:#?}"
        );
    }
    let two = format!("{HEAD}---\n{HEAD}");
    assert_eq!(
        told(&two),
        [
            "4:1: found a second `Istio` document, expected one | the module follows the oldest CR of `kyma-system` only"
        ]
    );
    let among_others = format!(
        "kind: Secret\n---\n{HEAD}spec: {{compatibilityMode: true}}\n---\nkind: ConfigMap\n"
    );
    assert!(
        IstioCr::read(&among_others)
            .unwrap()
            .spec
            .compatibility_mode
    );
}

#[test]
fn a_cr_may_be_json_and_knows_where_its_values_stood() {
    let text = "{\"apiVersion\": \"operator.kyma-project.io/v1alpha2\", \"kind\": \"Istio\",\n\"spec\": {\n\"config\": {\n\"trustDomain\": \"a.b\"}}}";
    let cr = IstioCr::read(text).unwrap();
    assert_eq!(cr.spec.config.trust_domain.as_deref(), Some("a.b"));
    assert_eq!(cr.place("spec.config.trustDomain").line, 4);
    assert_eq!(
        cr.place("spec.config.authorizers[3].name").line,
        3,
        "the closest thing around it"
    );
}

#[test]
fn a_cr_that_is_written_back_is_the_same() {
    let text = format!(
        "{HEAD}spec:\n  config: {{enableDNSProxying: false, forwardClientCertDetails: SANITIZE_SET}}\n  components: {{cni: {{k8s: {{affinity: {{}}}}}}}}\n"
    );
    let cr = IstioCr::read(&text).unwrap();
    let again = serde_json::from_value(serde_json::to_value(&cr.spec).unwrap()).unwrap();
    assert_eq!(cr.spec, again);
}

#[test]
fn an_affinity_that_kubernetes_would_drop_is_refused() {
    let text = format!(
        "{HEAD}spec:\n  components:\n    cni:\n      k8s:\n        affinity:\n          podAffinity:\n            required: []\n"
    );
    assert_eq!(
        told(&text),
        [
            "9:13: spec.components.cni.k8s.affinity.podAffinity.required: found a field that Kubernetes does not know, expected no such field"
        ]
    );
}

#[test]
fn the_schema_is_closed_and_its_patterns_compile() {
    let mut patterns = 0;
    walk(schema(), &mut |schema| {
        if let Some(pattern) = schema["pattern"].as_str() {
            regex::Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"));
            patterns += 1;
        }
        if schema["properties"].is_object() {
            assert_eq!(schema["additionalProperties"], false, "{schema:#}");
        }
        for word in ["$ref", "oneOf", "default"] {
            assert!(schema.get(word).is_none(), "{word} in {schema:#}");
        }
    });
    assert!(patterns > 10, "{patterns}");
}

#[test]
fn an_installation_says_what_of_istio_it_wants() {
    for (install, patch) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut text = "apiVersion: installer.kyma-project.io/v1alpha1\nkind: Installation\nspec:\n  components:\n  - {name: core, namespace: kyma-system}\n".to_owned();
        if install {
            text += "  - {name: istio, namespace: istio-system}\n";
        }
        if patch {
            text += "  - {name: istio-kyma-patch, namespace: istio-system}\n";
        }
        assert_eq!(
            Installation::read(&text),
            Ok(Installation { install, patch }),
            "{text}"
        );
    }
}

#[test]
fn a_malformed_installation_is_told() {
    let text = "\
apiVersion: v1
kind: Installation
spec:
  components:
  - {name: istio}
  - {name: istio, namespace: default}
  - {name: istio-kyma-pach, namespace: istio-system}
  - namespace: x
  - core
";
    let problems: Vec<String> = Installation::read(text)
        .unwrap_err()
        .iter()
        .map(line)
        .collect();
    assert_eq!(
        problems,
        [
            "1:13: apiVersion: found `v1`, expected a version of `installer.kyma-project.io`",
            "5:5: spec.components[0].namespace: found nothing, expected a name",
            "6:5: spec.components[1].name: found `istio` a second time, expected it once",
            "6:5: spec.components[1].namespace: found `default`, expected `istio-system`",
            "7:5: spec.components[2].name: found `istio-kyma-pach`, expected a component of Kyma | did you mean `istio-kyma-patch`?",
            "8:5: spec.components[3].name: found nothing, expected a name",
            "9:5: spec.components[4].name: found nothing, expected a name",
        ]
    );
    for text in [
        "kind: Installation",
        "kind: Istio",
        "",
        "apiVersion: installer.kyma-project.io/v1alpha1\nkind: Installation\nspec: {components: {}}",
    ] {
        assert!(Installation::read(text).is_err(), "{text:?}");
    }
}

#[test]
fn an_overlay_is_an_istio_operator_with_nothing_but_a_spec() {
    let text = "\
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {namespace: elsewhere}
spec:
  meshConfg: {}
  components:
    pilot:
      k8s:
        hpaspec: {}
    ingressGateways:
    - enabled: true
status: {}
";
    let problems = Overlay::read("o.yaml", text).unwrap_err();
    let found: Vec<(u64, &str, Option<&str>)> = problems
        .iter()
        .map(|p| (p.place.unwrap().line, p.path.as_str(), p.hint.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            (3, "metadata.namespace", None),
            (5, "meshConfg", Some("did you mean `meshConfig`?")),
            (
                9,
                "components.pilot.k8s.hpaspec",
                Some("did you mean `components.pilot.k8s.hpaSpec`?")
            ),
            (
                11,
                "components.ingressGateways[0]",
                Some("entries of this list are merged by their names")
            ),
            (12, "status", None),
        ]
    );
    for text in [
        "",
        "[]",
        "kind: IstioOperator",
        "apiVersion: install.istio.io/v1alpha1\nkind: Istio",
    ] {
        assert!(Overlay::read("o.yaml", text).is_err(), "{text:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in "[ -~\n]{0,80}", inner in "[-a-zA-Z0-9.:,\"'{}\\[\\] \n&*!|>%]{0,60}") {
        for text in [text.clone(), format!("{HEAD}spec: {inner}"), format!("{HEAD}spec:\n  config: {{{inner}}}")] {
            let _ = IstioCr::read(&text);
            let _ = Overlay::read("o", &text);
            let _ = Installation::read(&text);
        }
        let _ = Set::parse(&text);
    }

    #[test]
    fn a_set_is_done_or_refused(steps in proptest::collection::vec("[a-c]|\\[[0-2]\\]|\\[name:[a-c]\\]", 1..5), value in "[a-z0-9.]{0,5}") {
        let path = steps.join(".");
        if let Ok(set) = Set::parse(&format!("unvalidatedValues.{path}={value}")) {
            let mut inputs = Inputs::new(Profile::Evaluation);
            inputs.sets = vec![set.clone(), set.clone()];
            if let Ok(composed) = compose(&inputs) {
                let set_by_user = |origin: &&Origin| origin.source == Source::Set;
                proptest::prop_assert_eq!(composed.why.iter().filter(set_by_user).count(), 1);
            }
        }
    }
}

const HEAD: &str = "apiVersion: operator.kyma-project.io/v1alpha2\nkind: Istio\n";

fn told(text: &str) -> Vec<String> {
    IstioCr::read(text)
        .expect_err(text)
        .iter()
        .map(line)
        .collect()
}

fn line(problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{problem} | {hint}"),
        None => problem.to_string(),
    }
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn walk(schema: &serde_json::Value, see: &mut dyn FnMut(&serde_json::Value)) {
    see(schema);
    let below = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.values());
    for schema in below.chain(schema.get("items")) {
        walk(schema, see);
    }
}
