use serde_json::json;

use super::*;

fn read(metadata: Value, spec: Value) -> Result<Target, Vec<Problem>> {
    Target::read(&json!({"metadata": metadata, "spec": spec}))
}

#[test]
fn a_gateway_policy_needs_no_target() {
    let found = read(json!({"name": "shop"}), json!({"position": "Gateway"})).unwrap();
    assert_eq!(
        (found.namespace.as_str(), found.phase, found.fail),
        ("istio-system", Phase::Authn, FailStrategy::Close)
    );
    let labels = BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())]);
    assert_eq!(found.select, Select::Labels(labels));
}

#[test]
fn a_sidecar_policy_must_say_where_and_the_whole_namespace_is_said_too() {
    let problems = read(json!({"name": "a"}), json!({"position": "SidecarInbound"})).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0]
            .to_string()
            .starts_with("spec.target: found no proxies"),
        "{problems:?}"
    );
    let whole =
        json!({"position": "SidecarInbound", "target": {"namespace": "shop", "selector": {}}});
    let found = read(json!({"name": "a"}), whole).unwrap();
    assert_eq!(found.select, Select::Labels(BTreeMap::new()));
    assert_eq!(found.namespace, "shop");
}

#[test]
fn every_problem_at_once() {
    let target = json!({"gateway": "a", "selector": {"a": 1}, "phase": "AUTHN", "priority": 1.5, "failStrategy": "no", "namespace": "x", "more": 1});
    let problems = read(
        json!({"name": "Shop_1", "namespace": "y"}),
        json!({"target": target}),
    )
    .unwrap_err();
    let paths: Vec<&str> = problems
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "spec.target.more",
            "metadata.name",
            "spec.target.namespace",
            "spec.target",
            "spec.target.phase",
            "spec.target.priority",
            "spec.target.failStrategy"
        ]
    );
}

#[test]
fn a_waypoint_or_a_service_is_no_target() {
    let target = json!({"targetRefs": [{"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "g"}, {"kind": "Service", "group": "", "name": "s"}]});
    let problems = read(json!({"name": "a"}), json!({"target": target})).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].path.ends_with("targetRefs[1]") && problems[0].expected.contains("waypoints")
    );
}

#[test]
fn a_shadow_fails_open_and_goes_first() {
    let found = read(
        json!({"name": "a"}),
        json!({"position": "Gateway", "mode": "Shadow"}),
    )
    .unwrap();
    assert_eq!((found.fail, found.priority), (FailStrategy::Open, 20));
    let enforcing = read(json!({"name": "a"}), json!({"position": "Gateway"})).unwrap();
    assert!(enforcing.priority < found.priority);
}

/// Of the three ways to name proxies a misspelt one is one problem; every other field gets the same hint.
#[test]
fn a_misspelt_field_or_name_gets_a_hint() {
    for field in FIELDS {
        let (start, end) = field.split_at(field.len() / 2);
        for slip in [
            format!("{start}{}", &end[1..]),
            format!("{field}s"),
            field.to_uppercase(),
        ] {
            let problems = read(json!({"name": "a"}), json!({"target": {&slip: {}}})).unwrap_err();
            let about: Vec<&Problem> = problems
                .iter()
                .filter(|problem| problem.path == format!("spec.target.{slip}"))
                .collect();
            assert_eq!(about.len(), 1, "{problems:?}");
            assert_eq!(
                about[0].hint,
                Some(format!("did you mean `{field}`?")),
                "{slip}"
            );
            let others = usize::from(!WAYS.contains(&field));
            assert_eq!(problems.len(), 1 + others, "{problems:?}");
        }
    }
    let target = json!({"gateway": "a", "phase": "AUTHN", "failStrategy": "FAIL_CLOSE"});
    let problems = read(json!({"name": "a"}), json!({"target": target})).unwrap_err();
    assert_eq!(problems[0].hint.as_deref(), Some("did you mean `Authn`?"));
    assert_eq!(problems[1].hint, None);
}

#[test]
fn beyond_fifty_problems_are_counted() {
    let fields: Map<String, Value> = (0..70)
        .map(|number| (format!("field{number}"), json!(1)))
        .collect();
    let spec = |fields| json!({"position": "Gateway", "target": fields});
    let problems = read(json!({"name": "a"}), spec(fields)).unwrap_err();
    assert_eq!(problems.len(), 51);
    assert_eq!(
        problems[50].to_string(),
        "found 20 more problems, expected none"
    );
    let selector: Map<String, Value> = (0..50)
        .map(|number| (format!("label{number}"), json!(1)))
        .collect();
    let target = json!({"target": {"selector": selector}});
    assert_eq!(read(json!({"name": "a"}), target).unwrap_err().len(), 50);
}
