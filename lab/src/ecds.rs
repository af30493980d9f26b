//! A filter that Envoy discovers from a file, as istiod's discovery service would hand it out.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::json;
use tempfile::TempDir;

use crate::{Envoy, Result, Wasm, error::Doing, wait};

/// The file, and the plugin whose configuration it carries.
pub struct Ecds {
    folder: TempDir,
    wasm: Wasm,
    version: u64,
}

/// What Envoy made of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The main thread took it and has handed it to the worker; a request sent right now may still meet the old one.
    Applied,
    /// It was refused; what ran goes on running.
    Rejected,
}

impl Ecds {
    /// Writes the plugin's first configuration. Its name must be unique among the discovered ones of an Envoy.
    pub fn new(wasm: Wasm) -> Result<Self> {
        let folder = TempDir::with_prefix("lab-ecds-").doing(|| "making a folder".into())?;
        let first = wasm.configuration.clone();
        let mut ecds = Self {
            folder,
            wasm,
            version: 0,
        };
        ecds.write(&first)?;
        Ok(ecds)
    }

    /// The plugin as a [`crate::Listener`] wants it: discovered from this file.
    pub fn wasm(&self) -> Wasm {
        Wasm {
            ecds: Some(self.file()),
            ..self.wasm.clone()
        }
    }

    /// Replaces the configuration, by a rename: Envoy never sees half a file.
    pub fn write(&mut self, configuration: &str) -> Result<()> {
        self.version += 1;
        self.wasm.configuration = configuration.to_owned();
        let response = json!({
            "version_info": self.version.to_string(),
            "resources": [{
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": self.wasm.name,
                "typed_config": self.wasm.typed_config(),
            }],
        });
        let next = self.folder.path().join("next.json");
        fs::write(&next, response.to_string())
            .and_then(|()| fs::rename(&next, self.file()))
            .doing(|| "writing the discovery file".into())
    }

    /// Replaces the configuration and waits for Envoy's answer.
    pub fn update(&mut self, envoy: &Envoy, configuration: &str) -> Result<Update> {
        let before = self.counts(envoy)?;
        self.write(configuration)?;
        wait::until("an answer to the update", PATIENCE, || {
            let now = self.counts(envoy)?;
            Ok(if now.rejected > before.rejected {
                Some(Update::Rejected)
            } else if now.applied > before.applied {
                Some(Update::Applied)
            } else {
                None
            })
        })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ecds.json")
    }

    fn counts(&self, envoy: &Envoy) -> Result<Counts> {
        let name = |counter: &str| {
            format!(
                "extension_config_discovery.http_filter.{}.{counter}",
                self.wasm.name
            )
        };
        let count = |counter: &str| -> Result<u64> { Ok(envoy.stat(&name(counter))?.unwrap_or(0)) };
        // Not `config_reload`: it counts refused configurations, too.
        Ok(Counts {
            applied: count("update_success")?,
            rejected: count("update_rejected")?,
        })
    }
}

struct Counts {
    applied: u64,
    rejected: u64,
}

const PATIENCE: Duration = Duration::from_secs(30);
