//! What clusters write by themselves: never a difference. A table, so that each entry says why it is there.

use serde_json::Value;

use super::Change;
use crate::object::Object;

/// One kind of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noise {
    /// The kind that it belongs to; None: every kind.
    pub kind: Option<&'static str>,
    /// The path, and everything below it. `[*]` is any element.
    pub path: &'static str,
    /// Only a change from this value to that one is noise; None: every change.
    pub only: Option<(&'static str, &'static str)>,
    /// Why it says nothing.
    pub reason: &'static str,
}

/// Every kind of noise.
pub const NOISE: [Noise; 17] = [
    noise(
        None,
        "metadata.managedFields",
        "who owns which field, kept by the API server",
    ),
    noise(None, "metadata.resourceVersion", "changes with every write"),
    noise(None, "metadata.generation", "counts changes of the spec"),
    noise(None, "metadata.uid", "given by the API server"),
    noise(
        None,
        "metadata.creationTimestamp",
        "given by the API server",
    ),
    noise(None, "metadata.selfLink", "given by old API servers"),
    noise(None, "status", "written by controllers"),
    noise(
        None,
        "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]",
        "kubectl's copy of the object, Secrets included",
    ),
    noise(
        Some("Deployment"),
        "metadata.annotations[deployment.kubernetes.io/revision]",
        "counts rollouts",
    ),
    noise(
        Some("DaemonSet"),
        "metadata.annotations[deprecated.daemonset.template.generation]",
        "counts rollouts",
    ),
    noise(
        Some("MutatingWebhookConfiguration"),
        "webhooks[*].clientConfig.caBundle",
        "istiod writes its own CA there",
    ),
    noise(
        Some("ValidatingWebhookConfiguration"),
        "webhooks[*].clientConfig.caBundle",
        "istiod writes its own CA there",
    ),
    Noise {
        kind: Some("ValidatingWebhookConfiguration"),
        path: "webhooks[*].failurePolicy",
        only: Some(("Fail", "Ignore")),
        reason: "istiod sets Fail once it serves; the chart starts with Ignore",
    },
    noise(Some("Service"), "spec.clusterIP", "given by the API server"),
    noise(
        Some("Service"),
        "spec.clusterIPs",
        "given by the API server",
    ),
    noise(
        Some("Service"),
        "spec.ports[*].nodePort",
        "given by the API server",
    ),
    noise(
        Some("Service"),
        "spec.healthCheckNodePort",
        "given by the API server",
    ),
];

/// The object without what the API server and controllers write about it.
pub(super) fn cleaned(object: &Object) -> Value {
    let mut value = object.value().clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for entry in NOISE.iter().filter(|entry| entry.kind.is_none()) {
            if let Some(field) = entry.path.strip_prefix("metadata.") {
                metadata.remove(field);
            }
        }
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    value
}

/// True when the table says so.
pub(super) fn is_noise(change: &Change, kind: &str) -> bool {
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    NOISE.iter().any(|entry| {
        entry.kind.is_none_or(|only| only == kind)
            && is_below(&change.path, entry.path)
            && entry.only.is_none_or(|(from, to)| {
                text(&change.from).as_deref() == Some(from)
                    && text(&change.to).as_deref() == Some(to)
            })
    })
}

/// True when `path` is `pattern` or below it.
pub(super) fn is_below(path: &str, pattern: &str) -> bool {
    let mut rest = path;
    let mut pieces = pattern.split("[*]").peekable();
    while let Some(piece) = pieces.next() {
        let Some(after) = rest.strip_prefix(piece) else {
            return false;
        };
        rest = after;
        if pieces.peek().is_some() {
            let Some((_, after)) = rest
                .strip_prefix('[')
                .and_then(|inner| inner.split_once(']'))
            else {
                return false;
            };
            rest = after;
        }
    }
    rest.is_empty() || rest.starts_with(['.', '['])
}

const fn noise(kind: Option<&'static str>, path: &'static str, reason: &'static str) -> Noise {
    Noise {
        kind,
        path,
        only: None,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn a_pattern_covers_what_is_below_it_and_nothing_beside_it() {
        assert!(is_below("status", "status"));
        assert!(is_below(
            "spec.ports[http2].nodePort",
            "spec.ports[*].nodePort"
        ));
        assert!(is_below(
            "metadata.managedFields[0].time",
            "metadata.managedFields"
        ));
        assert!(!is_below("statusPort", "status"));
        assert!(!is_below(
            "spec.ports[http2].port",
            "spec.ports[*].nodePort"
        ));
        assert!(!is_below("spec.ports.nodePort", "spec.ports[*].nodePort"));
    }
}
