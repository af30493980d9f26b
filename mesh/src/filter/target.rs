//! `spec.target` of a HeaderPolicy: which proxies, and where in their chain of filters.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::observed::ISTIO_SYSTEM;

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
    /// Every problem, each with its path.
    pub fn read(policy: &Value) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let none = Map::new();
        let target = match policy.pointer("/spec/target") {
            None | Some(Value::Null) => &none,
            Some(Value::Object(target)) => target,
            Some(_) => {
                problems.push("spec.target: found no object, expected the proxies".to_owned());
                &none
            }
        };
        for field in target
            .keys()
            .filter(|field| !FIELDS.contains(&field.as_str()))
        {
            problems.push(format!(
                "spec.target.{field}: found an unknown field, expected one of {}",
                FIELDS.join(", ")
            ));
        }
        let text = |pointer: &str| policy.pointer(pointer).and_then(Value::as_str);
        let position = text("/spec/position").unwrap_or("Detect");
        let is_shadow = text("/spec/mode") == Some("Shadow");
        let name = text("/metadata/name").unwrap_or_default();
        if !is_name(name) {
            problems.push(format!(
                "metadata.name: found `{name}`, expected a name of lower-case letters, digits, `-` and `.`, at most 63"
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
        match problems.is_empty() {
            true => Ok(found),
            false => Err(problems),
        }
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

fn namespace(policy: &Value, target: &Map<String, Value>, problems: &mut Vec<String>) -> String {
    let own = policy
        .pointer("/metadata/namespace")
        .and_then(Value::as_str);
    let named = target.get("namespace").and_then(Value::as_str);
    match (named, own) {
        (Some(named), Some(own)) if named != own => problems.push(format!(
            "spec.target.namespace: found `{named}`, expected `{own}` as in metadata.namespace, or only one of them"
        )),
        (None, _) if target.contains_key("namespace") => {
            problems.push("spec.target.namespace: found no text, expected a namespace".to_owned());
        }
        _ => {}
    }
    named.or(own).unwrap_or(ISTIO_SYSTEM).to_owned()
}

fn select(target: &Map<String, Value>, position: &str, problems: &mut Vec<String>) -> Select {
    let ways = ["gateway", "selector", "targetRefs"];
    let named: Vec<&str> = ways
        .into_iter()
        .filter(|way| target.contains_key(*way))
        .collect();
    if named.len() > 1 {
        problems.push(format!(
            "spec.target: found {}, expected one of them",
            named.join(" and ")
        ));
    }
    let gateway =
        |name: &str| Select::Labels(BTreeMap::from([("istio".to_owned(), name.to_owned())]));
    match named.first() {
        None if position == "Gateway" => gateway("ingressgateway"),
        None => {
            problems.push(
                "spec.target: found no proxies, expected `gateway`, `selector` (an empty one selects the whole namespace) or `targetRefs`"
                    .to_owned(),
            );
            Select::Labels(BTreeMap::new())
        }
        Some(&"gateway") => match target.get("gateway").and_then(Value::as_str) {
            Some(name) => gateway(name),
            None => {
                problems.push("spec.target.gateway: found no text, expected the value of the label `istio` of a gateway's pods, such as ingressgateway".to_owned());
                gateway("")
            }
        },
        Some(&"selector") => Select::Labels(labels(target.get("selector"), problems)),
        Some(_) => Select::Gateways(gateways(target.get("targetRefs"), problems)),
    }
}

fn labels(selector: Option<&Value>, problems: &mut Vec<String>) -> BTreeMap<String, String> {
    let selector = selector.and_then(Value::as_object);
    // Both spellings are at hand: Kubernetes' own, and the labels alone.
    let selector = match selector.and_then(|all| all.get("matchLabels")) {
        Some(labels) => labels.as_object(),
        None => selector,
    };
    let Some(selector) = selector else {
        problems.push("spec.target.selector: found no object, expected labels".to_owned());
        return BTreeMap::new();
    };
    let mut labels = BTreeMap::new();
    for (key, value) in selector {
        match value.as_str() {
            Some(value) => drop(labels.insert(key.clone(), value.to_owned())),
            None => problems.push(format!(
                "spec.target.selector.{key}: found no text, expected a label's value"
            )),
        }
    }
    labels
}

fn gateways(references: Option<&Value>, problems: &mut Vec<String>) -> Vec<String> {
    let Some(list) = references
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
    else {
        problems.push(
            "spec.target.targetRefs: found no list, expected references to Gateways".to_owned(),
        );
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
            (kind, group, _) => problems.push(format!(
                "spec.target.targetRefs[{index}]: found kind `{kind}` of group `{group}`, expected a Gateway of gateway.networking.k8s.io with its name (policies for waypoints are not supported)"
            )),
        }
    }
    names
}

/// Headers that the policy strips or writes are to be seen by Istio's own checks, so it goes before them.
fn phase(target: &Map<String, Value>, problems: &mut Vec<String>) -> Phase {
    match target
        .get("phase")
        .map(|phase| phase.as_str().unwrap_or_default())
    {
        None | Some("Authn") => Phase::Authn,
        Some("Authz") => Phase::Authz,
        Some("Stats") => Phase::Stats,
        Some(other) => {
            problems.push(format!(
                "spec.target.phase: found `{other}`, expected Authn, Authz or Stats"
            ));
            Phase::Authn
        }
    }
}

/// Before plugins that say nothing about it, which have 0. A shadow goes before the policy that enforces, so that both
/// judge the same request: what that one strips and rewrites comes after.
fn priority(target: &Map<String, Value>, is_shadow: bool, problems: &mut Vec<String>) -> i64 {
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
        problems.push(format!(
            "spec.target.priority: found {found}, expected a whole number of 32 bits"
        ));
        usual
    })
}

/// A shadow only counts: no request should fail for want of it.
fn fail(target: &Map<String, Value>, is_shadow: bool, problems: &mut Vec<String>) -> FailStrategy {
    match target
        .get("failStrategy")
        .map(|strategy| strategy.as_str().unwrap_or_default())
    {
        None if is_shadow => FailStrategy::Open,
        None | Some("Close") => FailStrategy::Close,
        Some("Open") => FailStrategy::Open,
        Some(other) => {
            problems.push(format!(
                "spec.target.failStrategy: found `{other}`, expected Close or Open"
            ));
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
