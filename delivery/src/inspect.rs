//! What a file or an image is: which layout istio-agent takes it as, or why not, and whether Envoy loads what is in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::credentials::Credentials;
use crate::digest::Digest;
use crate::error::Class;
use crate::layout::{Manifest, TakenAs, module_of};
use crate::module::{Module, ModuleError, read_file};
use crate::reference::Reference;
use crate::registry::{Options, Registry, RegistryError, Verb, image_of};

/// What was found. It works in a proxy if [`Self::works`] says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The image, if it is one.
    pub image: Option<ImageFacts>,
    /// How istio-agent takes the image; none for a file, or if it doesn't.
    pub taken_as: Option<TakenAs>,
    /// Why istio-agent doesn't take the image, a line for each way that it tries; or why the wasm in it is no module.
    pub refusals: Vec<String>,
    /// The module, with what Envoy has against it.
    pub module: Option<Module>,
}

/// What an image says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    /// Pinned to the image that the agent takes.
    pub reference: Reference,
    /// Of that image's manifest: what `spec.sha256` is compared with.
    pub digest: Digest,
    /// The digest of the index that the reference names, if it names one. Pinning that one doesn't work.
    pub index: Option<Digest>,
    /// Of the manifest.
    pub media_type: String,
    /// Of the configuration; the agent doesn't look.
    pub config_media_type: Option<String>,
    /// In their order.
    pub layers: Vec<LayerFacts>,
    /// Version, revision and source are among them, if we pushed it.
    pub annotations: BTreeMap<String, String>,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerFacts {
    /// What it says it is.
    pub media_type: String,
    /// As written.
    pub digest: String,
    /// Bytes, compressed.
    pub size: u64,
}

/// Why nothing could be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl InspectError {
    /// Who must act.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Module(error) => error.class(),
            Self::Registry(error) => error.class(),
        }
    }

    /// What helps, where something does.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Module(error) => error.hint(),
            Self::Registry(error) => error.hint(),
        }
    }
}

impl Inspection {
    /// Whether a proxy would run it: the agent takes it (a file has no agent), Envoy has nothing against it.
    #[must_use]
    pub fn works(&self) -> bool {
        self.refusals.is_empty()
            && self
                .module
                .as_ref()
                .is_some_and(|module| module.problems.is_empty())
    }
}

/// Inspects a wasm file.
///
/// # Errors
/// It can't be read, or it is larger than the agent takes. What it is otherwise is the answer.
pub fn inspect_file(path: &Path) -> Result<Inspection, ModuleError> {
    let bytes = read_file(path)?;
    Ok(inspection(None, Ok((None, bytes))))
}

/// Inspects an image, pulling what the agent would.
///
/// # Errors
/// The registry can't be reached, refuses or fails, or what it has is corrupt. What the image is otherwise is the answer.
pub fn inspect_image(
    reference: &Reference,
    credentials: Credentials,
    options: &Options,
) -> Result<Inspection, InspectError> {
    let registry = Registry::connect(reference, credentials, options)?;
    let session = registry.session(Verb::Pull, reference.repository())?;
    let found = match image_of(&session, reference.asked())? {
        Ok(found) => found,
        Err(problem) => return Ok(inspection(None, Err(vec![problem]))),
    };
    let facts = facts(reference, &found);
    let module = module_of(&found.manifest, |layer| session.blob(layer))?;
    Ok(inspection(
        Some(facts),
        module.map(|(way, bytes)| (Some(way), bytes)),
    ))
}

pub(crate) fn facts(reference: &Reference, found: &crate::registry::ImageFound) -> ImageFacts {
    let manifest: &Manifest = &found.manifest;
    ImageFacts {
        reference: reference.pinned(&found.fetched.digest),
        digest: found.fetched.digest.clone(),
        index: found.index.clone(),
        media_type: found.fetched.media_type.clone(),
        config_media_type: manifest
            .config
            .as_ref()
            .map(|config| config.media_type.clone()),
        layers: manifest
            .layers
            .iter()
            .map(|layer| LayerFacts {
                media_type: layer.media_type.clone(),
                digest: layer.digest.clone(),
                size: layer.size,
            })
            .collect(),
        annotations: manifest.annotations.clone(),
    }
}

fn inspection(
    image: Option<ImageFacts>,
    found: Result<(Option<TakenAs>, Vec<u8>), Vec<String>>,
) -> Inspection {
    let (taken_as, module) = match found {
        Ok((way, bytes)) => (way, Module::read(&bytes)),
        Err(refusals) => {
            return Inspection {
                image,
                taken_as: None,
                refusals,
                module: None,
            };
        }
    };
    let refusals = module
        .as_ref()
        .err()
        .map(ToString::to_string)
        .into_iter()
        .collect();
    Inspection {
        image,
        taken_as,
        refusals,
        module: module.ok(),
    }
}
