//! What one Envoy process is started with.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::{Leaf, Listener};

/// Which kind of proxy Envoy takes itself for. Filters read it from the node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// A gateway.
    Router,
    /// A sidecar.
    Sidecar,
}

impl Node {
    /// The node id, spelled as Istio does.
    pub fn id(self) -> &'static str {
        match self {
            Node::Router => "router~10.0.0.1~gateway.istio-system~istio-system.svc.cluster.local",
            Node::Sidecar => "sidecar~10.0.0.2~workload.default~default.svc.cluster.local",
        }
    }

    /// The name of the service cluster.
    pub fn cluster(self) -> &'static str {
        match self {
            Node::Router => "istio-ingressgateway.istio-system",
            Node::Sidecar => "workload.default",
        }
    }
}

/// One Envoy process: its kind, its listeners and what stands behind them.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The kind of proxy.
    pub node: Node,
    /// The listeners, any number.
    pub listeners: Vec<Listener>,
    /// The HTTP/1.1 server behind all listeners that forward.
    pub upstream: Option<SocketAddr>,
    /// The server's own certificate where mTLS is required, with the CA that clients must be of.
    pub identity: Option<Leaf>,
    /// A version that tools/requirements.txt pins; else see [`crate::envoy_binary`].
    pub version: Option<String>,
    /// More clusters, as Envoy's JSON: key servers, authorization services.
    pub clusters: Vec<Value>,
    /// The `--log-level`, with `--component-log-level` parts behind a comma: `warning,wasm:info`.
    pub log_level: String,
}

impl Bootstrap {
    /// Nothing listens yet.
    pub fn new(node: Node) -> Self {
        Self {
            node,
            listeners: Vec::new(),
            upstream: None,
            identity: None,
            version: None,
            clusters: Vec::new(),
            log_level: "warning,wasm:info".into(),
        }
    }
}

/// The cluster of [`Bootstrap::upstream`].
pub(crate) fn upstream_cluster(address: SocketAddr) -> Value {
    json!({
        "name": UPSTREAM,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": UPSTREAM,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": { "socket_address": {
                "address": address.ip().to_string(), "port_value": address.port(),
            } } } }] }],
        },
    })
}

pub(crate) const UPSTREAM: &str = "upstream";
