//! `spec.target` of a HeaderPolicy: which proxies, and where in their chain of filters.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::observed::ISTIO_SYSTEM;
use crate::problem::{Problem, list, nearest};

/// Where a policy goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `metadata.name`: the name of the plugin too.
    pub name: String,
    /// Where the plugin stands. In the root namespace it reaches the pods of all namespaces.
    pub namespace: String,
    /// Which proxies there.
    pub select: Select,
    /// Where among the other filters.
    pub phase: Phase,
    /// Higher goes first within a phase.
    pub priority: i64,
    /// What a proxy does that can't fetch the module.
    pub fail: FailStrategy,
}

/// Which proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// Those whose pods have these labels; none: all of the namespace.
    Labels(BTreeMap<String, String>),
    /// Those of these Gateways of the Gateway API, by name, in the plugin's own namespace.
    Gateways(Vec<String>),
}

/// `spec.phase` of a WasmPlugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Phase {
    /// Before Istio's own authentication and authorization: what the policy strips and writes is what these see.
    Authn,
    /// Behind authentication, before authorization.
    Authz,
    /// Behind authorization.
    Stats,
}

/// `spec.failStrategy` of a WasmPlugin: what happens when the module can't be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum FailStrategy {
    /// Every request is answered 403.
    Close,
    /// Every request passes, unjudged.
    Open,
}

/// How many problems are told one by one.
const MOST_PROBLEMS: usize = 50;

/// How the proxies are named; one of them is.
const WAYS: [&str; 3] = ["gateway", "selector", "targetRefs"];

const FIELDS: [&str; 7] = [
    "gateway",
    "namespace",
    "selector",
    "targetRefs",
    "phase",
    "priority",
    "failStrategy",
];

impl Target {
    /// Reads where a policy goes. What it leaves open follows from its `position` and `mode`.
    ///
    /// # Errors
    /// Every problem, each with its path; beyond 50 they are counted.
    pub fn read(policy: &Value) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let none = Map::new();
        let target = match policy.pointer("/spec/target") {
            None | Some(Value::Null) => &none,
            Some(Value::Object(target)) => target,
            Some(_) => {
                problems.push(Problem::new("spec.target", "no object", "the proxies"));
                &none
            }
        };
        unknown(target, &mut problems);
        let text = |pointer: &str| policy.pointer(pointer).and_then(Value::as_str);
        let position = text("/spec/position").unwrap_or("Detect");
        let is_shadow = text("/spec/mode") == Some("Shadow");
        let name = text("/metadata/name").unwrap_or_default();
        if !is_name(name) {
            problems.push(Problem::new(
                "metadata.name",
                format!("`{name}`"),
                "a name of lower-case letters, digits, `-` and `.`, at most 63",
            ));
        }
        let namespace = namespace(policy, target, &mut problems);
        let found = Self {
            name: name.to_owned(),
            namespace,
            select: select(target, position, &mut problems),
            phase: phase(target, &mut problems),
            priority: priority(target, is_shadow, &mut problems),
            fail: fail(target, is_shadow, &mut problems),
        };
        if problems.is_empty() {
            return Ok(found);
        }
        let more = problems.split_off(MOST_PROBLEMS.min(problems.len())).len();
        if more > 0 {
            problems.push(Problem::new("", format!("{more} more problems"), "none"));
        }
        Err(problems)
    }
}

fn unknown(target: &Map<String, Value>, problems: &mut Vec<Problem>) {
    for field in target.keys() {
        if !FIELDS.contains(&field.as_str()) {
            let path = format!("spec.target.{field}");
            let expected = format!("one of {}", list(&FIELDS));
            problems.push(near(
                Problem::new(path, "an unknown field", expected),
                field,
                &FIELDS,
            ));
        }
    }
}

fn is_slip_of(field: &str, names: &[&str]) -> bool {
    !FIELDS.contains(&field) && nearest(field, &FIELDS).is_some_and(|near| names.contains(&near))
}

/// A value that is none of a field's names.
fn misspelt(field: &str, found: &str, names: &[&str]) -> Problem {
    let problem = Problem::new(
        format!("spec.target.{field}"),
        format!("`{found}`"),
        format!("one of {}", list(names)),
    );
    near(problem, found, names)
}

fn near(problem: Problem, name: &str, names: &[&str]) -> Problem {
    match nearest(name, names) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}

impl Phase {
    /// As Istio spells it.
    #[must_use]
    pub fn istio(self) -> &'static str {
        match self {
            Self::Authn => "AUTHN",
            Self::Authz => "AUTHZ",
            Self::Stats => "STATS",
        }
    }
}

impl FailStrategy {
    /// As Istio spells it.
    #[must_use]
    pub fn istio(self) -> &'static str {
        match self {
            Self::Close => "FAIL_CLOSE",
            Self::Open => "FAIL_OPEN",
        }
    }
}

fn namespace(policy: &Value, target: &Map<String, Value>, problems: &mut Vec<Problem>) -> String {
    let own = policy
        .pointer("/metadata/namespace")
        .and_then(Value::as_str);
    let named = target.get("namespace").and_then(Value::as_str);
    match (named, own) {
        (Some(named), Some(own)) if named != own => problems.push(Problem::new(
            "spec.target.namespace",
            format!("`{named}`"),
            format!("`{own}` as in metadata.namespace, or only one of them"),
        )),
        (None, _) if target.contains_key("namespace") => {
            problems.push(Problem::new(
                "spec.target.namespace",
                "no text",
                "a namespace",
            ));
        }
        _ => {}
    }
    named.or(own).unwrap_or(ISTIO_SYSTEM).to_owned()
}

fn select(target: &Map<String, Value>, position: &str, problems: &mut Vec<Problem>) -> Select {
    let named: Vec<&str> = WAYS
        .into_iter()
        .filter(|way| target.contains_key(*way))
        .collect();
    if named.len() > 1 {
        let found = named.join(" and ");
        problems.push(Problem::new("spec.target", found, "one of them"));
    }
    let gateway =
        |name: &str| Select::Labels(BTreeMap::from([("istio".to_owned(), name.to_owned())]));
    match named.first() {
        None if position == "Gateway" => gateway("ingressgateway"),
        None => {
            // One of them misspelt is one problem.
            if !target.keys().any(|field| is_slip_of(field, &WAYS)) {
                problems.push(Problem::new(
                    "spec.target",
                    "no proxies",
                    "`gateway`, `selector` (an empty one selects the whole namespace) or `targetRefs`",
                ));
            }
            Select::Labels(BTreeMap::new())
        }
        Some(&"gateway") => match target.get("gateway").and_then(Value::as_str) {
            Some(name) => gateway(name),
            None => {
                problems.push(Problem::new(
                    "spec.target.gateway",
                    "no text",
                    "the value of the label `istio` of a gateway's pods, such as ingressgateway",
                ));
                gateway("")
            }
        },
        Some(&"selector") => Select::Labels(labels(target.get("selector"), problems)),
        Some(_) => Select::Gateways(gateways(target.get("targetRefs"), problems)),
    }
}

fn labels(selector: Option<&Value>, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let selector = selector.and_then(Value::as_object);
    // Both spellings are at hand: Kubernetes' own, and the labels alone.
    let selector = match selector.and_then(|all| all.get("matchLabels")) {
        Some(labels) => labels.as_object(),
        None => selector,
    };
    let Some(selector) = selector else {
        problems.push(Problem::new("spec.target.selector", "no object", "labels"));
        return BTreeMap::new();
    };
    let mut labels = BTreeMap::new();
    for (key, value) in selector {
        match value.as_str() {
            Some(value) => drop(labels.insert(key.clone(), value.to_owned())),
            None => problems.push(Problem::new(
                format!("spec.target.selector.{key}"),
                "no text",
                "a label's value",
            )),
        }
    }
    labels
}

fn gateways(references: Option<&Value>, problems: &mut Vec<Problem>) -> Vec<String> {
    let Some(list) = references
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
    else {
        problems.push(Problem::new(
            "spec.target.targetRefs",
            "no list",
            "references to Gateways",
        ));
        return Vec::new();
    };
    let mut names = Vec::new();
    for (index, reference) in list.iter().enumerate() {
        let text = |field: &str| {
            reference
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        match (text("kind"), text("group"), text("name")) {
            ("Gateway", "gateway.networking.k8s.io" | "", name) if !name.is_empty() => {
                names.push(name.to_owned());
            }
            (kind, group, _) => problems.push(Problem::new(
                format!("spec.target.targetRefs[{index}]"),
                format!("kind `{kind}` of group `{group}`"),
                "a Gateway of gateway.networking.k8s.io with its name (policies for waypoints are not supported)",
            )),
        }
    }
    names
}

/// Headers that the policy strips or writes are to be seen by Istio's own checks, so it goes before them.
fn phase(target: &Map<String, Value>, problems: &mut Vec<Problem>) -> Phase {
    match target
        .get("phase")
        .map(|phase| phase.as_str().unwrap_or_default())
    {
        None | Some("Authn") => Phase::Authn,
        Some("Authz") => Phase::Authz,
        Some("Stats") => Phase::Stats,
        Some(other) => {
            problems.push(misspelt("phase", other, &["Authn", "Authz", "Stats"]));
            Phase::Authn
        }
    }
}

/// Before plugins that say nothing about it, which have 0. A shadow goes before the policy that enforces, so that both
/// judge the same request: what that one strips and rewrites comes after.
fn priority(target: &Map<String, Value>, is_shadow: bool, problems: &mut Vec<Problem>) -> i64 {
    const ENFORCING: i64 = 10;
    const SHADOW: i64 = 20;
    let usual = if is_shadow { SHADOW } else { ENFORCING };
    let Some(found) = target.get("priority") else {
        return usual;
    };
    let number = found
        .as_i64()
        .filter(|number| i32::try_from(*number).is_ok());
    number.unwrap_or_else(|| {
        let found = found.to_string();
        problems.push(Problem::new(
            "spec.target.priority",
            found,
            "a whole number of 32 bits",
        ));
        usual
    })
}

/// A shadow only counts: no request should fail for want of it.
fn fail(target: &Map<String, Value>, is_shadow: bool, problems: &mut Vec<Problem>) -> FailStrategy {
    match target
        .get("failStrategy")
        .map(|strategy| strategy.as_str().unwrap_or_default())
    {
        None if is_shadow => FailStrategy::Open,
        None | Some("Close") => FailStrategy::Close,
        Some("Open") => FailStrategy::Open,
        Some(other) => {
            problems.push(misspelt("failStrategy", other, &["Close", "Open"]));
            FailStrategy::Close
        }
    }
}

/// A DNS subdomain, short enough for a label's value too.
fn is_name(name: &str) -> bool {
    let inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let outer = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.len() <= 63
        && name.bytes().all(inner)
        && outer(name.bytes().next())
        && outer(name.bytes().last())
}

#[cfg(test)]
mod tests;
