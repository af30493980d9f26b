//! YAML inside ConfigMaps: the mesh config, the injector's config.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

use super::{ISTIO_SYSTEM, Observed, SETTINGS};

impl Observed {
    /// Key `mesh` of ConfigMap `istio-system/istio`.
    #[must_use]
    pub fn mesh_config(&self) -> Option<Value> {
        self.yaml_in("istio", "mesh")
    }

    /// The namespace whose policies without a selector hold for the whole mesh: `rootNamespace` of the mesh config.
    #[must_use]
    pub fn root_namespace(&self) -> String {
        let named = self
            .mesh_config()
            .and_then(|mesh| mesh.get("rootNamespace")?.as_str().map(str::to_owned));
        named
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| ISTIO_SYSTEM.to_owned())
    }

    /// Key `config` of ConfigMap `istio-system/istio-sidecar-injector`.
    #[must_use]
    pub fn injector_config(&self) -> Option<Value> {
        self.yaml_in("istio-sidecar-injector", "config")
    }

    /// What the last installation was asked for: a value of [`SETTINGS`].
    #[must_use]
    pub fn remembered(&self, key: &str) -> Option<&str> {
        let map = self.config_map(SETTINGS)?;
        map.data.as_ref()?.get(key).map(String::as_str)
    }

    fn config_map(&self, name: &str) -> Option<&ConfigMap> {
        self.config_maps.iter().find(|map| {
            map.metadata.name.as_deref() == Some(name)
                && map.metadata.namespace.as_deref() == Some(ISTIO_SYSTEM)
        })
    }

    fn yaml_in(&self, name: &str, key: &str) -> Option<Value> {
        let map = self.config_map(name)?;
        serde_saphyr::from_str(map.data.as_ref()?.get(key)?).ok()
    }
}
