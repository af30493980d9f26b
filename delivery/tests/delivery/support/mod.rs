//! What the tests share.

pub mod certificate;
pub mod docker;
pub mod fake;
pub mod judge;
pub mod realm;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use delivery::{
    Credentials, Deliverable, Digest, Image, Layout, Options, Provenance, Pushed, Reference,
    Registry, RegistryError, Secret,
};

pub const USER: &str = "kyma";
pub const PASSWORD: &str = "correct horse";

pub fn repository_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The filter itself.
pub fn filter() -> Deliverable {
    let path = std::env::var_os("KYMA_ISTIO_WASM").map_or_else(
        || repository_root().join("out/header-policy.wasm"),
        PathBuf::from,
    );
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `make wasm`", path.display()));
    Deliverable::check(bytes).unwrap()
}

pub fn wasm(fields: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {fields} (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) i32.const 0))"#
    );
    wat::parse_str(text).unwrap()
}

pub fn module(fields: &str) -> Deliverable {
    Deliverable::check(wasm(fields)).unwrap()
}

pub fn image(deliverable: &Deliverable, layout: Layout) -> Image {
    Image::build(deliverable, layout, &Provenance::default())
}

pub fn user() -> Credentials {
    Credentials::Basic {
        username: USER.into(),
        password: Secret::new(PASSWORD),
    }
}

pub fn wrong_user() -> Credentials {
    Credentials::Basic {
        username: USER.into(),
        password: Secret::new("wrong battery"),
    }
}

pub fn dockerconfigjson(host: &str, user: &str, password: &str) -> Vec<u8> {
    use base64::Engine;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!(r#"{{"auths": {{"{host}": {{"auth": "{auth}"}}}}}}"#).into_bytes()
}

pub fn push(
    reference: &Reference,
    credentials: Credentials,
    options: &Options,
    image: &Image,
) -> Result<Pushed, RegistryError> {
    Registry::connect(reference, credentials, options)?.push(reference, image)
}

pub fn digest(bytes: &[u8]) -> Digest {
    Digest::of(bytes)
}

/// Until it is so.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "no {what} after 20 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}
