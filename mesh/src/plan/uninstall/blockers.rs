//! Whose a custom resource is: the filter's, Kyma's, or somebody's who would miss it.

use serde_json::Value;

use super::super::marks;
use super::crds::Crds;
use crate::object::Object;
use crate::observed::{ISTIO_SYSTEM, ISTIOCTL_MANAGER, is_proved_ours};

/// Custom resources by whose they are.
pub(super) struct Sorted {
    /// Header policies: WasmPlugins and the like that we deployed.
    pub filter: Vec<Object>,
    /// What an installation brought.
    pub ours: Vec<Object>,
    /// All others.
    pub blockers: Vec<Object>,
    /// Others' too, which stay with the CRDs that others applied.
    pub staying: Vec<Object>,
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

/// What stays with the CRDs of others blocks nothing.
pub(super) fn sort(all: &[Object], crds: &Crds<'_>) -> Sorted {
    let mut sorted = Sorted {
        filter: Vec::new(),
        ours: Vec::new(),
        blockers: Vec::new(),
        staying: Vec::new(),
    };
    for object in all {
        let place = match (is_ours(object), object.group()) {
            (true, "extensions.istio.io") => &mut sorted.filter,
            (true, _) => &mut sorted.ours,
            (false, _) if !crds.takes(object) => &mut sorted.staying,
            (false, _) => &mut sorted.blockers,
        };
        place.push(object.clone());
    }
    sorted.blockers.sort_by_key(Object::id);
    sorted
}

/// Kyma's module leaves no proof as strong as ours: its label, or a name that it has used, and its field manager are taken together. Either alone is somebody's copy.
fn is_ours(object: &Object) -> bool {
    let says_so = object.label(marks::MODULE_LABEL) == Some("istio") || is_known(object);
    is_proved_ours(object) || (says_so && is_written_by_module(object))
}

/// By the code of istioctl that the module calls, or by its controller, which has the default name of its library.
fn is_written_by_module(object: &Object) -> bool {
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    let mut managers = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("manager")?.as_str());
    managers.any(|manager| ["manager", ISTIOCTL_MANAGER].contains(&manager))
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
