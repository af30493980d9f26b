//! YAML inside ConfigMaps: the mesh config, the injector's config.

use serde_json::Value;

use super::{ISTIO_SYSTEM, Observed};

impl Observed {
    /// Key `mesh` of ConfigMap `istio-system/istio`.
    #[must_use]
    pub fn mesh_config(&self) -> Option<Value> {
        self.yaml_in("istio", "mesh")
    }

    /// Key `config` of ConfigMap `istio-system/istio-sidecar-injector`.
    #[must_use]
    pub fn injector_config(&self) -> Option<Value> {
        self.yaml_in("istio-sidecar-injector", "config")
    }

    fn yaml_in(&self, name: &str, key: &str) -> Option<Value> {
        let map = self.config_maps.iter().find(|map| {
            map.metadata.name.as_deref() == Some(name)
                && map.metadata.namespace.as_deref() == Some(ISTIO_SYSTEM)
        })?;
        serde_saphyr::from_str(map.data.as_ref()?.get(key)?).ok()
    }
}
