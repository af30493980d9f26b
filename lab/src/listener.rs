//! What a listener is, as data. Turning it into Envoy's words is `render`.

use serde_json::Value;

use crate::Wasm;

/// Where in the mesh a listener stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// An ingress gateway: the direct peer is a client or a load balancer, and Envoy appends it to `x-forwarded-for`.
    Gateway,
    /// The sidecar in front of a workload: mTLS is required, `x-forwarded-for` is passed on as it came.
    SidecarInbound,
    /// The sidecar behind a workload that calls others: plaintext, `x-forwarded-for` is passed on as it came.
    SidecarOutbound,
}

/// What becomes of a request that no filter stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes to [`crate::Bootstrap::upstream`].
    Forward,
    /// Envoy answers it itself with this status.
    Answer(u16),
}

/// One listener of an Envoy. Start from [`Listener::gateway`] and its sisters and change what the test is about.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Unique within its Envoy; tests ask for the address by this name.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// `xff_num_trusted_hops` of the connection manager. Mind that without `use_remote_address` (at sidecars) Envoy takes
    /// the element after the one it takes with it.
    pub num_trusted_hops: u32,
    /// Trusted CIDRs of the original-IP-detection extension. Envoy refuses it together with `use_remote_address`,
    /// so never at a [`Position::Gateway`].
    pub xff_cidrs: Option<Vec<String>>,
    /// The wasm filter, the last before the router.
    pub wasm: Option<Wasm>,
    /// HTTP filters in front of the wasm filter, as Envoy's JSON.
    pub extra_filters_before: Vec<Value>,
    /// At a sidecar's inbound side: plaintext instead of mTLS, as `PERMISSIVE` lets it in.
    pub plaintext: bool,
    /// Istio's default (`BASE`) is true.
    pub normalize_path: bool,
    /// Istio's default (`BASE`) is false.
    pub merge_slashes: bool,
    /// Where requests go.
    pub action: Action,
    /// Whether requests are found by [`crate::Envoy::access`]. Off for measurements.
    pub access_log: bool,
    /// Laid over the connection manager's JSON, member by member, for what has no field here.
    pub connection_manager: Value,
}

impl Listener {
    /// A gateway that trusts no proxy in front of it.
    pub fn gateway(name: impl Into<String>) -> Self {
        Self::at(Position::Gateway, name)
    }

    /// The inbound side of a sidecar.
    pub fn sidecar_inbound(name: impl Into<String>) -> Self {
        Self::at(Position::SidecarInbound, name)
    }

    /// The outbound side of a sidecar.
    pub fn sidecar_outbound(name: impl Into<String>) -> Self {
        Self::at(Position::SidecarOutbound, name)
    }

    /// A listener with Istio's defaults.
    pub fn at(position: Position, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            position,
            num_trusted_hops: 0,
            xff_cidrs: None,
            wasm: None,
            extra_filters_before: Vec::new(),
            plaintext: false,
            normalize_path: true,
            merge_slashes: false,
            action: Action::Forward,
            access_log: true,
            connection_manager: Value::Null,
        }
    }

    /// With this wasm filter.
    pub fn wasm(self, wasm: Wasm) -> Self {
        Self {
            wasm: Some(wasm),
            ..self
        }
    }
}
