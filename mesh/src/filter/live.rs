//! A WasmPlugin on the cluster, as far as it concerns us.

use std::collections::BTreeMap;

use serde_json::Value;

use super::target::Select;
use super::{CANARY_OF, FINGERPRINT, PREVIOUS};
use crate::object::Object;
use crate::observed::{MANAGED_BY, MANAGED_BY_LABEL};

/// A WasmPlugin.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugin {
    /// Where it stands.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which proxies it selects.
    pub select: Select,
    /// The object.
    pub object: Object,
}

impl Plugin {
    /// Reads one.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        let references = object.pointer("/spec/targetRefs").and_then(Value::as_array);
        let single = object.pointer("/spec/targetRef");
        let names: Vec<String> = references
            .into_iter()
            .flatten()
            .chain(single)
            .filter_map(|reference| reference.get("name")?.as_str().map(str::to_owned))
            .collect();
        let labels = object
            .pointer("/spec/selector/matchLabels")
            .and_then(Value::as_object);
        let labels: BTreeMap<String, String> = labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        Self {
            namespace: object.namespace().unwrap_or_default().to_owned(),
            name: object.name().to_owned(),
            select: match names.is_empty() {
                true => Select::Labels(labels),
                false => Select::Gateways(names),
            },
            object: object.clone(),
        }
    }

    /// True when we made it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.object.label(MANAGED_BY_LABEL) == Some(MANAGED_BY)
            && self.object.annotation(FINGERPRINT).is_some()
    }

    /// The plugin that it may replace, if it is a canary.
    #[must_use]
    pub fn canary_of(&self) -> Option<&str> {
        self.object.label(CANARY_OF)
    }

    /// `oci://…@sha256:…`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.object.string("/spec/url").unwrap_or_default()
    }

    /// `sha256:…`, from the URL or the field beside it.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        let in_url = self
            .url()
            .split_once('@')
            .map(|(_, digest)| digest.to_owned());
        let beside = self
            .object
            .string("/spec/sha256")
            .filter(|text| !text.is_empty());
        in_url.or_else(|| beside.map(|hex| format!("sha256:{hex}")))
    }

    /// What the filter is given.
    #[must_use]
    pub fn config(&self) -> Option<&Value> {
        self.object.pointer("/spec/pluginConfig")
    }

    /// True when a proxy that can't fetch the module lets everything pass.
    #[must_use]
    pub fn fails_open(&self) -> bool {
        self.object.string("/spec/failStrategy") == Some("FAIL_OPEN")
    }

    /// The `spec` before the last roll-out.
    #[must_use]
    pub fn previous(&self) -> Option<Value> {
        serde_json::from_str(self.object.annotation(PREVIOUS)?).ok()
    }

    /// What istiod calls it in what it sends to proxies: since Istio 1.30, and before.
    #[must_use]
    pub fn resources(&self) -> [String; 2] {
        let Self {
            namespace, name, ..
        } = self;
        [
            format!(
                "extensions.istio.io/trafficextension/{namespace}.{name}~istio-translated-wasmplugin"
            ),
            format!("extensions.istio.io/wasmplugin/{namespace}.{name}"),
        ]
    }

    /// True when a line of a proxy's log is about it: the agent names a filter by its resource, by the plugin's own name, or
    /// by the URL of its module.
    #[must_use]
    pub fn is_named_in(&self, line: &str) -> bool {
        let own = format!("{}.{}", self.namespace, self.name);
        let by_name = line.split([' ', ':', '\'', '"', '/']).any(|word| {
            word.strip_prefix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest == "~istio-translated-wasmplugin")
        });
        by_name || (!self.url().is_empty() && line.contains(self.url()))
    }

    /// The beginnings of the names of its metrics in a proxy: since Istio 1.30, and before.
    #[must_use]
    pub fn metrics(&self) -> [String; 2] {
        let plugin = format!("{}.{}", self.namespace, self.name);
        [format!("{plugin}~istio-translated-wasmplugin"), plugin]
            .map(|name| format!("wasmcustom.{}.", policy::metrics_prefix(name.as_bytes())))
    }
}

impl std::fmt::Display for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
