//! One control plane for all tests of this file; each test has its own namespaces.

use std::path::Path;
use std::sync::OnceLock;

use cluster::connect::{Connection, Environment, Flags, connect};
use cluster::guard::Mode;
use lab::kubernetes::{ControlPlane, NodeSpec};
use mesh::object::{Id, Object};
use serde_json::{Value, json};

/// Ends with the test process.
pub fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceLock<ControlPlane> = OnceLock::new();
    SHARED.get_or_init(|| {
        ControlPlane::with_nodes(&[NodeSpec::new("node-1")]).expect("a control plane")
    })
}

pub async fn connected(kubeconfig: &Path, mode: Mode) -> Connection {
    let flags = Flags {
        kubeconfig: Some(kubeconfig.to_owned()),
        ..Flags::default()
    };
    connect(&flags, &Environment::default(), mode)
        .await
        .expect("a connection")
}

pub async fn administrator(mode: Mode) -> Connection {
    connected(control_plane().kubeconfig(), mode).await
}

/// A new namespace.
pub fn namespace(name: &str) {
    control_plane()
        .kubectl(&["create", "namespace", name])
        .expect("a namespace");
}

pub fn object(value: Value) -> Object {
    Object::new(value).expect("an object")
}

pub fn config_map(namespace: &str, name: &str, data: Value) -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": namespace }, "data": data,
    }))
}

pub fn id(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Id {
    Id {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

pub fn data(object: &Object) -> Value {
    object.pointer("/data").cloned().unwrap_or_default()
}
