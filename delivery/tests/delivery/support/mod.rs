//! What the tests share.
#![allow(dead_code, reason = "each of the two binaries uses its part")]

pub mod judge;
pub mod realm;
pub mod registry;

use std::path::{Path, PathBuf};

use delivery::{
    Credentials, Deliverable, Digest, Image, Layout, Options, Provenance, Pushed, Reference,
    Registry, RegistryError, Secret,
};
use lab::SelfSigned;
use lab::server::{Request, Response, Server};

pub use lab::registry::{PASSWORD, USER};

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

/// A server for faults that a real registry doesn't show.
pub fn fake(
    at: &str,
    tls: Option<&SelfSigned>,
    answer: impl FnMut(&Request) -> Response + Send + 'static,
) -> Server {
    Server::start(at, tls, answer).unwrap()
}

/// This machine's name, which isn't loopback by its text.
pub fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    name.trim().to_owned()
}
