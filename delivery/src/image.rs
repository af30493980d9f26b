//! From a module to an image: the same bytes every time, so that the digest names the module.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use serde::Serialize;
use serde_json::json;

use crate::digest::Digest;
use crate::layout::{OCI_LAYER, OCI_MANIFEST, PLUGIN, WASM_LAYER};
use crate::module::Deliverable;

const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const WASM_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";

/// How a module is laid out. istio-agent takes both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Layout {
    /// An OCI image with one tar+gzip layer that holds `plugin.wasm`: every registry takes it.
    Compat,
    /// Two layers of media types of its own, the second the bare module: what `oras` makes.
    Artifact,
}

/// Where a module comes from: annotations of its image, and therefore part of its digest. Given by the caller; nothing looks at a clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// What people call it: `header-policy`.
    pub title: Option<String>,
    /// Of the filter: `0.1.0`.
    pub version: Option<String>,
    /// Of the source: a commit.
    pub revision: Option<String>,
    /// Where the source is, a URL.
    pub source: Option<String>,
}

/// An image, ready to be pushed.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    layout: Layout,
    config: Blob,
    layers: Vec<Blob>,
    manifest: Blob,
}

/// Bytes with their digest and their media type.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob {
    media_type: &'static str,
    digest: Digest,
    bytes: Vec<u8>,
}

impl Image {
    /// Lays a module out. Same module, layout and provenance: same bytes.
    #[must_use]
    pub fn build(deliverable: &Deliverable, layout: Layout, provenance: &Provenance) -> Self {
        let (config, layers) = match layout {
            Layout::Compat => compat(deliverable.bytes()),
            Layout::Artifact => artifact(deliverable.bytes()),
        };
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.descriptor(),
            "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
            "annotations": annotations(layout, provenance),
        });
        if layout == Layout::Artifact {
            // Registries show it, the agent doesn't look.
            manifest["artifactType"] = WASM_CONFIG.into();
        }
        Self {
            layout,
            config,
            layers,
            manifest: Blob::new(OCI_MANIFEST, manifest.to_string().into_bytes()),
        }
    }

    /// Of the manifest: what names the image, and what `spec.sha256` is compared with.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        self.manifest.digest()
    }

    /// How it is laid out.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The manifest itself.
    #[must_use]
    pub fn manifest(&self) -> &Blob {
        &self.manifest
    }

    /// What the manifest names, in the order in which it is pushed.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.layers.iter().chain([&self.config])
    }
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            media_type,
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    /// `application/…`.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// Of the bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What names the bytes in a manifest or an index.
    pub(crate) fn descriptor(&self) -> serde_json::Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Image({:?}, {})", self.layout, self.digest())
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Blob({}, {}, {} bytes)",
            self.media_type,
            self.digest,
            self.bytes.len()
        )
    }
}

fn compat(module: &[u8]) -> (Blob, Vec<Blob>) {
    let tar = tarball(module);
    // The platform that the agent asks for on every machine, should anyone put the image into an index.
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&tar)]},
    });
    let layer = Blob::new(OCI_LAYER, gzip(&tar));
    (
        Blob::new(OCI_CONFIG, config.to_string().into_bytes()),
        vec![layer],
    )
}

/// The agent counts layers: exactly two. The first says what the module is, for other readers.
fn artifact(module: &[u8]) -> (Blob, Vec<Blob>) {
    let config = json!({"type": "envoy_proxy", "abiVersions": ["v0-2-1"]})
        .to_string()
        .into_bytes();
    let layers = vec![
        Blob::new(WASM_CONFIG, config.clone()),
        Blob::new(WASM_LAYER, module.to_vec()),
    ];
    (Blob::new(WASM_CONFIG, config), layers)
}

fn tarball(module: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_size(module.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    let mut archive = tar::Builder::new(Vec::with_capacity(module.len() + 2048));
    in_memory(archive.append_data(&mut header, PLUGIN, module));
    in_memory(archive.into_inner())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    // No time, no name, and 255 for the operating system: it isn't said.
    let builder = GzBuilder::new().mtime(0).operating_system(255);
    let mut encoder = builder.write(Vec::new(), Compression::best());
    in_memory(encoder.write_all(bytes));
    in_memory(encoder.finish())
}

#[expect(
    clippy::expect_used,
    reason = "a vector takes everything, and the name fits a tar header"
)]
fn in_memory<T>(result: io::Result<T>) -> T {
    result.expect("writing to memory")
}

fn annotations(layout: Layout, provenance: &Provenance) -> BTreeMap<&'static str, &str> {
    let said = [
        ("org.opencontainers.image.title", &provenance.title),
        ("org.opencontainers.image.version", &provenance.version),
        ("org.opencontainers.image.revision", &provenance.revision),
        ("org.opencontainers.image.source", &provenance.source),
    ];
    let said = said
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let variant = (layout == Layout::Compat).then_some(("module.wasm.image/variant", "compat"));
    said.chain(variant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module() -> Deliverable {
        let text = r#"(module (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) i32.const 0))"#;
        Deliverable::check(wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn same_module_same_digest_and_other_provenance_another() {
        let provenance = Provenance {
            version: Some("1".into()),
            ..Provenance::default()
        };
        for layout in [Layout::Compat, Layout::Artifact] {
            let first = Image::build(&module(), layout, &provenance);
            assert_eq!(first, Image::build(&module(), layout, &provenance));
            assert_ne!(
                first.digest(),
                Image::build(&module(), layout, &Provenance::default()).digest()
            );
        }
    }

    /// A field of tar or gzip that follows a clock, a user or a version of a library would show here.
    #[test]
    fn headers_say_nothing_about_who_packed() {
        let tar = tarball(b"\0asm\x01\0\0\0");
        assert_eq!(&tar[..11], b"plugin.wasm");
        assert_eq!(&tar[100..107], b"0000644");
        assert!(
            [&tar[108..115], &tar[116..123], &tar[136..147]]
                .iter()
                .all(|field| field.iter().all(|byte| *byte == b'0'))
        );
        assert_eq!(tar.len(), 2048);
        assert_eq!(&gzip(&tar)[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }
}
