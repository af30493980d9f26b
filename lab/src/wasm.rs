//! A wasm filter in Envoy's words.

use std::path::PathBuf;

use serde_json::{Value, json};

/// A wasm plugin, as Istio would write it for a WasmPlugin.
#[derive(Clone, Debug)]
pub struct Wasm {
    /// The module.
    pub path: PathBuf,
    /// The plugin's configuration, JSON text. It reaches the plugin byte by byte (as a `StringValue`, where Istio sends a
    /// `Struct` that re-spells it).
    pub configuration: String,
    /// The plugin's name; also its root id.
    pub name: String,
    /// Plugins of one module and one VM id share one VM per worker.
    pub vm_id: String,
    /// When set, the filter comes by discovery from this file; see [`crate::Ecds`].
    pub ecds: Option<PathBuf>,
}

impl Wasm {
    /// A plugin of this module with this configuration. All plugins made so share a VM, as they may in Istio.
    pub fn new(path: impl Into<PathBuf>, configuration: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            configuration: configuration.into(),
            name: "lab.plugin".into(),
            vm_id: "lab".into(),
            ecds: None,
        }
    }

    /// The entry of the connection manager's `http_filters`.
    pub fn http_filter(&self) -> Value {
        match &self.ecds {
            None => json!({ "name": self.name, "typed_config": self.typed_config() }),
            Some(file) => json!({
                "name": self.name,
                "config_discovery": {
                    "config_source": {
                        "path_config_source": { "path": file },
                        "resource_api_version": "V3",
                        // As Istio has it: wait for the first configuration as long as it takes.
                        "initial_fetch_timeout": "0s",
                    },
                    "type_urls": [TYPE_URL],
                },
            }),
        }
    }

    /// The filter's own configuration.
    pub(crate) fn typed_config(&self) -> Value {
        json!({
            "@type": TYPE_URL,
            "config": {
                "name": self.name,
                "root_id": self.name,
                "failure_policy": "FAIL_CLOSED",
                "vm_config": {
                    "vm_id": self.vm_id,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": self.path } },
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": self.configuration,
                },
            },
        })
    }
}

const TYPE_URL: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
