//! Every field of the `Istio` CR does something: a field without a case fails, and so does a case without an effect.

mod field_cases;

use std::collections::BTreeSet;

use mesh::compose::{Composed, Inputs, Profile, Source, compose, extras};
use mesh::input::{IstioCr, fields};
use serde_json::{Value, json};

#[test]
fn every_field_has_a_case_and_every_case_a_field() {
    let known: BTreeSet<String> = fields().into_iter().collect();
    let tested: BTreeSet<String> = field_cases::all()
        .into_iter()
        .map(|case| case.field)
        .collect();
    assert!(
        known.len() > 40,
        "the list of fields is {} long: {known:?}",
        known.len()
    );
    assert_eq!(known, tested);
}

#[test]
fn every_field_appears_in_the_operator_and_says_its_line() {
    let plain = composed(&json!({}));
    for case in field_cases::all() {
        let (path, value) = &case.operator;
        if path.is_empty() {
            continue;
        }
        let before = leaf(&plain, path).map(|(value, _)| value);
        assert_ne!(
            before.as_ref(),
            Some(value),
            "{}: the case sets what is there already",
            case.field
        );
        let after = composed(&case.spec);
        let (found, source) = leaf(&after, path)
            .unwrap_or_else(|| panic!("{}: no leaf {path} in {:#?}", case.field, after.operator));
        assert_eq!(&found, value, "{}", case.field);
        // The CR below is pretty-printed JSON: below the first four lines everything is `spec`.
        assert!(
            matches!(source, Source::Cr { line } if line > 3),
            "{}: {source}",
            case.field
        );
    }
}

#[test]
fn network_policies_come_and_go_with_their_field() {
    let policies = |spec: &Value| -> Vec<String> {
        let all = extras(&inputs(spec));
        let policies = all
            .iter()
            .filter(|object| object["kind"] == "NetworkPolicy");
        policies
            .map(|policy| policy["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(policies(&json!({})), [""; 0]);
    assert_eq!(
        policies(&json!({"networkPoliciesEnabled": true})),
        [
            "kyma-project.io--istio-pilot",
            "kyma-project.io--istio-pilot-jwks",
            "kyma-project.io--istio-ingressgateway",
            "kyma-project.io--istio-ingressgateway-egress",
            "kyma-project.io--istio-egressgateway",
            "kyma-project.io--istio-cni-node",
            "kyma-project.io--allow-istio-controller-manager",
        ]
    );
}

fn inputs(spec: &Value) -> Inputs {
    let text = serde_json::to_string_pretty(
        &json!({"apiVersion": "operator.kyma-project.io/v1alpha2", "kind": "Istio", "spec": spec}),
    )
    .unwrap();
    let cr = IstioCr::read(&text).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"));
    Inputs {
        cr,
        ..Inputs::new(Profile::Production)
    }
}

fn composed(spec: &Value) -> Composed {
    compose(&inputs(spec)).unwrap_or_else(|problems| panic!("{spec}\n{problems:#?}"))
}

fn leaf(composed: &Composed, path: &str) -> Option<(Value, Source)> {
    let origin = composed
        .why
        .iter()
        .find(|origin| origin.path.to_string() == path)?;
    Some((origin.value.clone(), origin.source.clone()))
}
