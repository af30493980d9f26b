//! What istio-agent takes an image as. Its rules, in its order; source: `pkg/wasm/imagefetcher.go` of Istio 1.30 to 1.31.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// istio-agent's `ISTIO_WASM_MAX_BINARY_SIZE_BYTES`, its default: 256 MiB. It ends a tar stream there and cuts a bare module off.
pub const LARGEST: u64 = 256 * 1024 * 1024;
/// More than any manifest; registries refuse larger ones.
pub(crate) const LARGEST_MANIFEST: u64 = 4 * 1024 * 1024;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
pub(crate) const WASM_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// The file that the agent looks for in a tar, whatever its folder.
pub(crate) const PLUGIN: &str = "plugin.wasm";

/// The way in which istio-agent reads an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TakenAs {
    /// A Docker manifest whose last layer is a Docker tar.gz with `plugin.wasm` in it.
    Docker,
    /// An OCI manifest whose last layer is a tar+gzip with `plugin.wasm` in it.
    Compat,
    /// Two layers, of which one is the bare module.
    Artifact,
}

impl std::fmt::Display for TakenAs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Docker => "Docker image",
            Self::Compat => "OCI image",
            Self::Artifact => "OCI artifact",
        })
    }
}

/// A blob of an image, or an image of an index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

/// A manifest, or an index of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    #[serde(default)]
    pub(crate) config: Option<Descriptor>,
    #[serde(default)]
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(default)]
    pub(crate) annotations: std::collections::BTreeMap<String, String>,
}

impl Manifest {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes)
            .map_err(|error| format!("the manifest is no JSON of an image: {error}"))
    }

    /// The image of an index that the agent takes, on every machine: the first for linux/amd64, which is also what an
    /// entry without a platform counts as. An error names what there is.
    pub(crate) fn image_of_index(&self) -> Result<Digest, String> {
        let wanted = |platform: &Option<Platform>| {
            platform
                .as_ref()
                .is_none_or(|platform| platform.os == "linux" && platform.architecture == "amd64")
        };
        match self.manifests.iter().find(|image| wanted(&image.platform)) {
            Some(image) => image
                .digest
                .parse()
                .map_err(|error| format!("in the index, {error}")),
            None => {
                let platforms = self
                    .manifests
                    .iter()
                    .filter_map(|image| image.platform.as_ref());
                let platforms: Vec<String> = platforms
                    .map(|found| format!("{}/{}", found.os, found.architecture))
                    .collect();
                Err(format!(
                    "the index has images for {}, expected one for linux/amd64",
                    platforms.join(", ")
                ))
            }
        }
    }
}

/// Whether a manifest with this `Content-Type` is an index of images.
pub(crate) fn is_index(media_type: &str) -> bool {
    [OCI_INDEX, DOCKER_LIST].contains(&media_type)
}

/// How the agent takes an image, with the module in it; or why not, a line for each way that it tries.
pub(crate) type Taken = Result<(TakenAs, Vec<u8>), Vec<String>>;

/// The module in an image, and how the agent comes to it; or why it doesn't, a line for each way that it tries.
/// `fetch` brings a layer; an error of it ends everything.
pub(crate) fn module_of<E>(
    manifest: &Manifest,
    mut fetch: impl FnMut(&Descriptor) -> Result<Vec<u8>, E>,
) -> Result<Taken, E> {
    let mut refusals = Vec::new();
    let ways: &[TakenAs] = match manifest.media_type.as_deref() {
        Some(DOCKER_MANIFEST) => &[TakenAs::Docker],
        _ => &[TakenAs::Compat, TakenAs::Artifact],
    };
    for way in ways {
        let found = match layer_for(*way, &manifest.layers) {
            Ok(layer) => unpack(*way, fetch(layer)?),
            Err(problem) => Err(problem),
        };
        match found {
            Ok(module) => return Ok(Ok((*way, module))),
            Err(problem) => refusals.push(format!("not as {way}: {problem}")),
        }
    }
    Ok(Err(refusals))
}

fn layer_for(way: TakenAs, layers: &[Descriptor]) -> Result<&Descriptor, String> {
    let last_of_type = |expected: &str| match layers.last() {
        None => Err("it has no layers, expected one".to_owned()),
        Some(last) if last.media_type != expected => Err(format!(
            "its last layer is `{}`, expected `{expected}`",
            last.media_type
        )),
        Some(last) => Ok(last),
    };
    let layer = match way {
        TakenAs::Docker => last_of_type(DOCKER_LAYER)?,
        TakenAs::Compat => last_of_type(OCI_LAYER)?,
        TakenAs::Artifact if layers.len() != 2 => {
            return Err(format!("found {} layers, expected 2", layers.len()));
        }
        TakenAs::Artifact => {
            let module = layers.iter().find(|layer| layer.media_type == WASM_LAYER);
            module.ok_or_else(|| format!("no layer is `{WASM_LAYER}`"))?
        }
    };
    match layer.size > LARGEST {
        true => Err(format!(
            "its layer has {} bytes, expected at most {LARGEST}",
            layer.size
        )),
        false => Ok(layer),
    }
}

fn unpack(way: TakenAs, layer: Vec<u8>) -> Result<Vec<u8>, String> {
    match way {
        TakenAs::Artifact => Ok(layer),
        TakenAs::Docker | TakenAs::Compat => untar(&layer),
    }
}

fn untar(layer: &[u8]) -> Result<Vec<u8>, String> {
    let broken = |error: io::Error| format!("its layer is no tar+gzip: {error}");
    // The agent's limit is on the whole stream: headers and what stands before the module count.
    let mut stream = tar::Archive::new(GzDecoder::new(layer).take(LARGEST));
    for entry in stream.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?;
        if path.file_name().is_none_or(|name| name != PLUGIN) {
            continue;
        }
        let size = entry.size();
        let end = entry.raw_file_position().saturating_add(size);
        if end > LARGEST {
            return Err(format!(
                "`{PLUGIN}` ends {end} bytes into its tar, expected at most {LARGEST}"
            ));
        }
        let mut module = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        entry
            .take(LARGEST)
            .read_to_end(&mut module)
            .map_err(broken)?;
        return match module.len() as u64 == size {
            true => Ok(module),
            false => Err(format!("its tar ends within `{PLUGIN}`")),
        };
    }
    Err(format!("there is no `{PLUGIN}` in its tar"))
}
