//! From a policy to the WasmPlugin that brings it.

use serde_json::{Map, Value, json};

use super::target::{Select, Target};
use super::{CANARY_OF, FINGERPRINT, PREVIOUS};
use crate::object::{ManifestError, Object};
use crate::observed::{MANAGED_BY, MANAGED_BY_LABEL};

/// Annotations of an object may have 256 KiB together; a longer record of the past is left out.
pub const LONGEST_RECORD: usize = 200 * 1024;

/// Which listeners of the selected proxies get the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// All: gateways have one kind only.
    All,
    /// Those for what comes to a workload. Without it a sidecar's own outbound requests would be judged too.
    Server,
    /// Those for what a workload sends.
    Client,
}

/// What is to stand on the cluster.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Where.
    pub target: &'a Target,
    /// Which listeners.
    pub side: Side,
    /// `oci://…@sha256:…`: the digest makes the roll-out one thing, whatever becomes of the tag.
    pub url: String,
    /// The pull secret, in the plugin's namespace.
    pub pull_secret: Option<String>,
    /// What [`config`] made.
    pub config: Value,
    /// Of the config.
    pub fingerprint: String,
    /// The plugin that this one may replace, if it is a canary.
    pub canary_of: Option<String>,
    /// The `spec` that stands there now, to go back to.
    pub previous: Option<&'a Value>,
}

/// The filter's configuration: `apiVersion` and `spec` without `target`. `revision` is new with each roll-out: Envoy skips
/// bytes that it has seen, and no two roll-outs are to carry the same.
#[must_use]
pub fn config(policy: &Value, revision: &str) -> Value {
    let mut spec = policy
        .get("spec")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    spec.remove("target");
    spec.insert("revision".to_owned(), revision.into());
    json!({"apiVersion": policy.get("apiVersion"), "spec": spec})
}

/// The policy with its position said, where it leaves that to be found for each stream.
#[must_use]
pub fn with_position(policy: &Value, position: &str) -> Option<Value> {
    let said = policy.pointer("/spec/position").and_then(Value::as_str);
    if !matches!(said, None | Some("Detect")) {
        return None;
    }
    let mut policy = policy.clone();
    policy
        .get_mut("spec")?
        .as_object_mut()?
        .insert("position".to_owned(), position.into());
    Some(policy)
}

impl Wanted<'_> {
    /// The WasmPlugin.
    ///
    /// # Errors
    /// The target has no name.
    pub fn plugin(&self) -> Result<Object, ManifestError> {
        let target = self.target;
        let mut spec = json!({
            "url": self.url,
            "imagePullPolicy": "IfNotPresent",
            "phase": target.phase.istio(),
            "priority": target.priority,
            "failStrategy": target.fail.istio(),
            "pluginConfig": self.config,
        });
        match &target.select {
            Select::Labels(labels) if labels.is_empty() => {}
            Select::Labels(labels) => spec["selector"] = json!({"matchLabels": labels}),
            Select::Gateways(names) => {
                let references = names.iter().map(|name| {
                    json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name})
                });
                spec["targetRefs"] = references.collect();
            }
        }
        match self.side {
            Side::All => {}
            Side::Server => spec["match"] = json!([{"mode": "SERVER"}]),
            Side::Client => spec["match"] = json!([{"mode": "CLIENT"}]),
        }
        if let Some(secret) = &self.pull_secret {
            spec["imagePullSecret"] = json!(secret);
        }
        let mut annotations = Map::new();
        annotations.insert(FINGERPRINT.to_owned(), json!(self.fingerprint));
        let previous = self.previous.map(Value::to_string);
        if let Some(previous) = previous.filter(|text| text.len() <= LONGEST_RECORD) {
            annotations.insert(PREVIOUS.to_owned(), json!(previous));
        }
        let mut labels = Map::new();
        labels.insert(MANAGED_BY_LABEL.to_owned(), json!(MANAGED_BY));
        if let Some(name) = &self.canary_of {
            labels.insert(CANARY_OF.to_owned(), json!(name));
        }
        Object::new(json!({
            "apiVersion": "extensions.istio.io/v1alpha1",
            "kind": "WasmPlugin",
            "metadata": {
                "name": target.name, "namespace": target.namespace,
                "labels": labels, "annotations": annotations,
            },
            "spec": spec,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_filter_gets_has_no_target_and_a_revision() {
        let policy = json!({"apiVersion": "v", "kind": "k", "metadata": {"name": "a"}, "spec": {"target": {"gateway": "g"}, "forwarded": {}}});
        assert_eq!(
            config(&policy, "7"),
            json!({"apiVersion": "v", "spec": {"forwarded": {}, "revision": "7"}})
        );
    }

    #[test]
    fn a_position_that_is_said_stays() {
        let said = json!({"spec": {"position": "SidecarInbound"}});
        assert_eq!(with_position(&said, "Gateway"), None);
        let left_open = json!({"spec": {"position": "Detect"}});
        assert_eq!(
            with_position(&left_open, "Gateway"),
            Some(json!({"spec": {"position": "Gateway"}}))
        );
    }

    #[test]
    fn a_record_that_no_annotation_takes_is_left_out() {
        let policy = json!({"metadata": {"name": "a"}, "spec": {"position": "Gateway"}});
        let target = Target::read(&policy).unwrap();
        let large = json!({"pluginConfig": "x".repeat(LONGEST_RECORD)});
        let wanted = Wanted {
            target: &target,
            side: Side::Server,
            url: "oci://h/r@sha256:0".to_owned(),
            pull_secret: Some("s".to_owned()),
            config: json!({}),
            fingerprint: "f".to_owned(),
            canary_of: None,
            previous: Some(&large),
        };
        let plugin = wanted.plugin().unwrap();
        assert_eq!(plugin.annotation(PREVIOUS), None);
        assert_eq!(plugin.pointer("/spec/match/0/mode"), Some(&json!("SERVER")));
        assert_eq!(plugin.string("/spec/imagePullSecret"), Some("s"));
        assert_eq!(plugin.string("/spec/failStrategy"), Some("FAIL_CLOSE"));
    }
}
