//! Whose a custom resource is: the filter's, Kyma's, or somebody's who would miss it.

use super::super::marks;
use crate::object::Object;
use crate::observed::{ISTIO_SYSTEM, is_proved_ours};

/// Custom resources by whose they are.
pub(super) struct Sorted {
    /// Header policies: WasmPlugins and the like that we deployed.
    pub filter: Vec<Object>,
    /// What an installation brought.
    pub ours: Vec<Object>,
    /// All others.
    pub blockers: Vec<Object>,
}

/// What Kyma's module has brought over the years without its label: kind, name in `istio-system`, and whether two numbers
/// follow (`stats-filter-1.17`).
const KNOWN: [(&str, &str, bool); 6] = [
    ("EnvoyFilter", "stats-filter-", true),
    ("EnvoyFilter", "tcp-stats-filter-", true),
    ("EnvoyFilter", "kyma-referer", false),
    ("EnvoyFilter", "proxy-protocol", false),
    ("PeerAuthentication", "default", false),
    ("VirtualService", "istio-healthz", false),
];

pub(super) fn sort(all: &[Object]) -> Sorted {
    let mut sorted = Sorted {
        filter: Vec::new(),
        ours: Vec::new(),
        blockers: Vec::new(),
    };
    for object in all {
        let place = match (is_ours(object), object.group()) {
            (true, "extensions.istio.io") => &mut sorted.filter,
            (true, _) => &mut sorted.ours,
            (false, _) => &mut sorted.blockers,
        };
        place.push(object.clone());
    }
    sorted.blockers.sort_by_key(Object::id);
    sorted
}

fn is_ours(object: &Object) -> bool {
    is_proved_ours(object) || object.label(marks::MODULE_LABEL) == Some("istio") || is_known(object)
}

fn is_known(object: &Object) -> bool {
    object.namespace() == Some(ISTIO_SYSTEM)
        && KNOWN.iter().any(|(kind, name, numbered)| {
            object.kind() == *kind
                && match object.name().strip_prefix(name) {
                    Some(rest) if *numbered => is_minor(rest),
                    Some(rest) => rest.is_empty(),
                    None => false,
                }
        })
}

/// `1.17`.
fn is_minor(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(major, minor)| number(major) && number(minor))
}
