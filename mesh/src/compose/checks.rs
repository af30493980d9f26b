//! What the layers make together: a value of the CR can contradict one of the profile. Kubernetes would refuse the object.

use std::collections::BTreeSet;

use serde_json::Value;

use super::tree::Tree;
use crate::problem::Problem;
use crate::quantity::Quantity;

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for component in components(tree) {
        let at = |below: &str| format!("{component}.k8s.{below}");
        at_most(
            tree,
            &at("hpaSpec.minReplicas"),
            &at("hpaSpec.maxReplicas"),
            &mut problems,
        );
        resources(tree, &at("resources"), &mut problems);
        steps(tree, &at("strategy.rollingUpdate"), &mut problems);
    }
    resources(tree, "values.global.proxy.resources", &mut problems);
    providers(tree, &mut problems);
    problems
}

/// Paths of everything that runs pods.
fn components(tree: &Tree) -> Vec<String> {
    let mut found = vec!["components.pilot".to_owned(), "components.cni".to_owned()];
    for list in ["components.ingressGateways", "components.egressGateways"] {
        let gateways = tree
            .at(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let names = gateways.filter_map(|gateway| gateway["name"].as_str());
        found.extend(names.map(|name| format!("{list}[name:{name}]")));
    }
    found
}

fn resources(tree: &Tree, path: &str, problems: &mut Vec<Problem>) {
    for name in ["cpu", "memory"] {
        at_most(
            tree,
            &format!("{path}.requests.{name}"),
            &format!("{path}.limits.{name}"),
            problems,
        );
    }
}

/// Two numbers or quantities, the first of which may not be larger.
fn at_most(tree: &Tree, small: &str, large: &str, problems: &mut Vec<Problem>) {
    let (Some(less), Some(more)) = (tree.at(small), tree.at(large)) else {
        return;
    };
    let (Some(least), Some(most)) = (quantity(less), quantity(more)) else {
        return;
    };
    if least > most {
        let name = large.rsplit('.').next().unwrap_or_default();
        let above = if large.contains(".limits.") {
            format!("the limit of {name}")
        } else {
            name.to_owned()
        };
        let problem = Problem::new(
            small,
            format!("`{}` from {}", text(less), from(tree, small)),
            format!(
                "at most {above}, `{}` from {}",
                text(more),
                from(tree, large)
            ),
        );
        problems.push(problem.hint(format!("set both: `{large}` too")));
    }
}

/// A rolling update can't stand still: one of the two must be above zero.
fn steps(tree: &Tree, path: &str, problems: &mut Vec<Problem>) {
    let is_zero = |name: &str| {
        let value = tree.at(&format!("{path}.{name}")).map(text);
        value.is_some_and(|value| ["0", "0%"].contains(&value.as_str()))
    };
    if is_zero("maxSurge") && is_zero("maxUnavailable") {
        let (surge, unavailable) = (format!("{path}.maxSurge"), format!("{path}.maxUnavailable"));
        let found = format!(
            "zero from {}, and maxUnavailable zero from {}",
            from(tree, &surge),
            from(tree, &unavailable)
        );
        problems.push(Problem::new(surge, found, "one of them above zero"));
    }
}

/// istiod refuses a mesh configuration with two providers of one name.
fn providers(tree: &Tree, problems: &mut Vec<Problem>) {
    let path = "meshConfig.extensionProviders";
    let mut seen = BTreeSet::new();
    let providers = tree
        .at(path)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for name in providers.filter_map(|provider| provider["name"].as_str()) {
        if !seen.insert(name) {
            problems.push(Problem::new(
                path,
                format!("two providers `{name}`"),
                "a name of its own for each",
            ));
        }
    }
}

fn quantity(value: &Value) -> Option<Quantity> {
    Quantity::parse(&text(value))
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn from(tree: &Tree, path: &str) -> String {
    tree.source(path)
        .map_or_else(|| "an unknown layer".to_owned(), ToString::to_string)
}
