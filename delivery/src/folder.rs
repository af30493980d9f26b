//! An image as files: the OCI image layout, which registries' tools copy from.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

use crate::image::{Blob, Image};

/// The version of the image layout specification.
const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Image {
    /// Writes the image to a folder, which is made: `oci-layout`, `index.json` and a file for each blob, named by its digest. The manifest has the digest that a push gives.
    ///
    /// # Errors
    ///
    /// A file can't be written.
    pub fn write(&self, folder: &Path, tag: &str) -> io::Result<()> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        for blob in self.blobs().chain([self.manifest()]) {
            fs::write(blobs.join(blob.digest().hex()), blob.bytes())?;
        }
        let mut manifest = Blob::descriptor(self.manifest());
        manifest["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]});
        fs::write(folder.join("index.json"), index.to_string())?;
        fs::write(folder.join("oci-layout"), LAYOUT)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::Value;

    use super::*;
    use crate::{Deliverable, Digest, Layout, Provenance};

    /// By the specification's own words: the index names the manifest, the manifest its blobs, each file is named by the digest of its content and has the size that was said.
    #[test]
    fn every_descriptor_of_the_layout_leads_to_a_file_of_its_digest_and_size() {
        let text = r#"(module (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) i32.const 0))"#;
        let module = Deliverable::check(wat::parse_str(text).unwrap()).unwrap();
        for layout in [Layout::Compat, Layout::Artifact] {
            let image = Image::build(&module, layout, &Provenance::default());
            let folder = tempfile::tempdir().unwrap();
            image.write(folder.path(), "1.0").unwrap();
            let json = |path: PathBuf| -> Value {
                serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
            };
            let follow = |descriptor: &Value| {
                let digest = descriptor["digest"].as_str().unwrap();
                let hex = digest.strip_prefix("sha256:").unwrap();
                let path = folder.path().join("blobs/sha256").join(hex);
                let content = fs::read(&path).unwrap();
                assert_eq!(Digest::of(&content).as_str(), digest);
                assert_eq!(descriptor["size"], content.len());
                path
            };
            let layout_file = json(folder.path().join("oci-layout"));
            assert_eq!(layout_file["imageLayoutVersion"], "1.0.0");
            let index = json(folder.path().join("index.json"));
            let named = &index["manifests"][0];
            assert_eq!(named["digest"], image.digest().as_str());
            assert_eq!(
                named["annotations"]["org.opencontainers.image.ref.name"],
                "1.0"
            );
            let manifest = json(follow(named));
            assert_eq!(manifest["mediaType"], named["mediaType"]);
            follow(&manifest["config"]);
            let layers = manifest["layers"].as_array().unwrap();
            assert!(!layers.is_empty());
            layers.iter().for_each(|layer| {
                follow(layer);
            });
        }
    }
}
