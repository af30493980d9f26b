//! Images as people make them, each pushed for real: what we say of it is what istio-agent does with it.

use std::io::Write;

use delivery::{Credentials, Inspection, Options, Rehearsal, TakenAs, inspect_image, rehearse};
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use lab::registry::Access;

use crate::support::judge::judge;
use crate::support::registry::Store;
use crate::support::{digest, wasm};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const WASM_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
const WASM_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";

/// Name, manifest type, layers, how it is taken, and a part of the reason why not.
type Row<'a> = (
    &'a str,
    &'a str,
    Vec<(&'a str, Vec<u8>)>,
    Option<TakenAs>,
    &'a str,
);

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Pushes blobs and gives the manifest.
fn manifest(registry: &Store, media_type: &str, layers: &[(&str, Vec<u8>)]) -> Value {
    let blob = |media_type: &str, bytes: &[u8]| {
        registry.put_blob("team/filter", bytes);
        json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
    };
    let config = blob("application/vnd.oci.image.config.v1+json", b"{}");
    let layers: Vec<Value> = layers
        .iter()
        .map(|(media_type, bytes)| blob(media_type, bytes))
        .collect();
    json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers})
}

/// Both answers for an image; they agree, and where there is a module it is the same.
fn agreed(registry: &Store, reference: &str) -> Inspection {
    let reference = registry.reference(reference);
    let ours = inspect_image(&reference, Credentials::Anonymous, &Options::default()).unwrap();
    let Some(agent) = judge(&reference.to_string(), None, None) else {
        return ours;
    };
    assert_eq!(
        agent.error.is_none(),
        ours.taken_as.is_some(),
        "agent: {agent:?}\nours: {ours:?}"
    );
    if let Some(module) = &ours.module {
        assert_eq!(agent.sha256.as_ref(), Some(&module.sha256));
        assert_eq!(
            agent.digest.as_deref(),
            Some(ours.image.as_ref().unwrap().digest.hex())
        );
    }
    ours
}

#[test]
fn istio_agent_and_we_agree_on_every_layout() {
    let registry = Store::start(&Access::Everybody);
    let module = wasm("");
    let plugin = tar(&[("plugin.wasm", &module)]);
    let rows: Vec<Row<'_>> = vec![
        (
            "docker build",
            DOCKER,
            vec![(DOCKER_LAYER, plugin.clone())],
            Some(TakenAs::Docker),
            "",
        ),
        (
            "buildah",
            OCI,
            vec![
                (OCI_LAYER, tar(&[("etc/x", b"x")])),
                (OCI_LAYER, tar(&[("./deep/plugin.wasm", &module)])),
            ],
            Some(TakenAs::Compat),
            "",
        ),
        (
            "oras, two layers",
            OCI,
            vec![(WASM_CONFIG, b"{}".to_vec()), (WASM_LAYER, module.clone())],
            Some(TakenAs::Artifact),
            "",
        ),
        (
            "two layers, the other order",
            OCI,
            vec![(WASM_LAYER, module.clone()), (WASM_CONFIG, b"{}".to_vec())],
            Some(TakenAs::Artifact),
            "",
        ),
        (
            "artifact behind a tar without a plugin",
            OCI,
            vec![
                (WASM_LAYER, module.clone()),
                (OCI_LAYER, tar(&[("x", b"x")])),
            ],
            Some(TakenAs::Artifact),
            "",
        ),
        (
            "oras, one layer",
            OCI,
            vec![(WASM_LAYER, module.clone())],
            None,
            "found 1 layers, expected 2",
        ),
        (
            "wkg",
            OCI,
            vec![("application/wasm", module.clone())],
            None,
            "`application/wasm`, expected",
        ),
        (
            "wasm-to-oci",
            OCI,
            vec![("application/vnd.wasm.content.layer.v1+wasm", module.clone())],
            None,
            "found 1 layers",
        ),
        (
            "plugin in the first layer",
            OCI,
            vec![
                (OCI_LAYER, plugin.clone()),
                (OCI_LAYER, tar(&[("x", b"x")])),
            ],
            None,
            "no `plugin.wasm`",
        ),
        (
            "another file name",
            OCI,
            vec![(OCI_LAYER, tar(&[("filter.wasm", &module)]))],
            None,
            "no `plugin.wasm`",
        ),
        (
            "not compressed",
            OCI,
            vec![("application/vnd.oci.image.layer.v1.tar", plugin.clone())],
            None,
            "expected `application/vnd.oci",
        ),
        (
            "compressed twice over nothing",
            OCI,
            vec![(OCI_LAYER, module.clone())],
            None,
            "no tar+gzip",
        ),
        (
            "Docker's manifest, OCI's layer",
            DOCKER,
            vec![(OCI_LAYER, plugin.clone())],
            None,
            "its last layer is",
        ),
        ("no layers", OCI, vec![], None, "it has no layers"),
    ];
    for (number, (name, media_type, layers, taken_as, why)) in rows.into_iter().enumerate() {
        let image = manifest(&registry, media_type, &layers);
        registry.put_manifest("team/filter", &format!("row{number}"), media_type, &image);
        let found = agreed(&registry, &format!("team/filter:row{number}"));
        assert_eq!(found.taken_as, taken_as, "{name}: {found:?}");
        let refusals = found.refusals.join("; ");
        assert!(
            refusals.contains(why) && refusals.is_empty() == why.is_empty(),
            "{name}: {refusals}"
        );
    }
}

/// The agent takes both by their first bytes; Envoy takes neither.
#[test]
fn what_only_the_magic_number_passes_does_not_work() {
    let registry = Store::start(&Access::Everybody);
    let component = wat::parse_str("(component)").unwrap();
    let unknown = wasm(r#"(import "env" "proxy_teleport" (func))"#);
    for (tag, module, said) in [
        ("component", component, "component"),
        ("unknown", unknown, "proxy_teleport"),
    ] {
        let image = manifest(
            &registry,
            OCI,
            &[(OCI_LAYER, tar(&[("plugin.wasm", &module)]))],
        );
        registry.put_manifest("team/filter", tag, OCI, &image);
        let reference = registry.reference(&format!("team/filter:{tag}"));
        if let Some(verdict) = judge(&reference.to_string(), None, None) {
            assert_eq!(verdict.error, None);
        }
        let found = inspect_image(&reference, Credentials::Anonymous, &Options::default()).unwrap();
        assert_eq!(found.taken_as, Some(TakenAs::Compat));
        assert!(!found.works());
        let checked = rehearse(
            &Rehearsal {
                url: &reference.to_string(),
                sha256: None,
                secret: None,
                insecure: false,
            },
            &Options::default(),
        );
        assert!(
            checked.failure().unwrap().found.contains(said),
            "{checked:?}"
        );
    }
}

#[test]
fn an_index_leads_to_amd64_and_its_own_digest_can_not_be_pinned() {
    let registry = Store::start(&Access::Everybody);
    let image = manifest(
        &registry,
        OCI,
        &[(OCI_LAYER, tar(&[("plugin.wasm", &wasm(""))]))],
    );
    registry.put_manifest("team/filter", "image", OCI, &image);
    let bytes = image.to_string();
    let index = |platform: Value| {
        let entry = json!({"mediaType": OCI, "digest": digest(bytes.as_bytes()), "size": bytes.len(), "platform": platform});
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
    };
    let good = index(json!({"os": "linux", "architecture": "amd64"}));
    registry.put_manifest("team/filter", "good", INDEX, &good);
    registry.put_manifest(
        "team/filter",
        "wasi",
        INDEX,
        &index(json!({"os": "wasip1", "architecture": "wasm"})),
    );
    let good_digest = digest(good.to_string().as_bytes());

    let found = agreed(&registry, "team/filter:good");
    assert_eq!(found.image.unwrap().index, Some(good_digest.clone()));

    let reference = registry.reference("team/filter:wasi").to_string();
    if let Some(verdict) = judge(&reference, None, None) {
        assert!(verdict.error.is_some());
    }
    let checked = |url: &str| {
        rehearse(
            &Rehearsal {
                url,
                sha256: None,
                secret: None,
                insecure: false,
            },
            &Options::default(),
        )
    };
    assert!(
        checked(&reference)
            .failure()
            .unwrap()
            .found
            .contains("wasip1/wasm")
    );

    let pinned = registry
        .reference("team/filter:good")
        .pinned(&good_digest)
        .to_string();
    if let Some(verdict) = judge(&pinned, None, None) {
        let error = verdict.error.unwrap_or_default();
        assert!(error.contains("does not match"), "{error}");
    }
    assert!(
        checked(&pinned)
            .failure()
            .unwrap()
            .hint
            .as_ref()
            .unwrap()
            .contains("takes the index for its image")
    );
}

#[test]
fn the_digest_of_the_wasm_file_is_not_the_one_to_name() {
    let registry = Store::start(&Access::Everybody);
    let module = wasm("");
    let image = manifest(
        &registry,
        OCI,
        &[(OCI_LAYER, tar(&[("plugin.wasm", &module)]))],
    );
    registry.put_manifest("team/filter", "1", OCI, &image);
    let url = registry.reference("team/filter:1").to_string();
    for (sha256, right) in [
        (digest(image.to_string().as_bytes()), true),
        (digest(&module), false),
    ] {
        if let Some(verdict) = judge(&url, None, Some(sha256.hex())) {
            assert_eq!(verdict.error.is_none(), right);
        }
        let checked = rehearse(
            &Rehearsal {
                url: &url,
                sha256: Some(sha256.hex()),
                secret: None,
                insecure: false,
            },
            &Options::default(),
        );
        assert_eq!(checked.works(), right, "{checked:?}");
    }
}

/// 300 KB on the wire, 300 MB unpacked.
#[test]
fn a_layer_that_unpacks_to_300_mb_is_refused_by_both() {
    let registry = Store::start(&Access::Everybody);
    let size = 300 << 20;
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut header = tar::Header::new_ustar();
    header.set_path("plugin.wasm").unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    gzip.write_all(header.as_bytes()).unwrap();
    std::io::copy(
        &mut std::io::Read::take(std::io::repeat(0), size + 1024),
        &mut gzip,
    )
    .unwrap();
    let image = manifest(&registry, OCI, &[(OCI_LAYER, gzip.finish().unwrap())]);
    registry.put_manifest("team/filter", "large", OCI, &image);
    let found = agreed(&registry, "team/filter:large");
    assert!(
        found.refusals[0].contains("expected at most 268435456"),
        "{found:?}"
    );
}

/// A manifest may promise any size: it is believed before anything is fetched.
#[test]
fn a_layer_that_says_300_mb_is_not_fetched() {
    let registry = Store::start(&Access::Everybody);
    let mut image = manifest(
        &registry,
        OCI,
        &[(OCI_LAYER, tar(&[("plugin.wasm", &wasm(""))]))],
    );
    image["layers"][0]["size"] = (300_u64 << 20).into();
    registry.put_manifest("team/filter", "large", OCI, &image);
    let found = inspect_image(
        &registry.reference("team/filter:large"),
        Credentials::Anonymous,
        &Options::default(),
    )
    .unwrap();
    assert!(
        found.refusals[0].contains("its layer has 314572800 bytes"),
        "{found:?}"
    );
}
