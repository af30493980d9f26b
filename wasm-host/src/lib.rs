//! A proxy-wasm ABI 0.2.1 host on wasmtime: runs the real module, results as data.
//!
//! ```no_run
//! use wasm_host::{Module, Properties, Request, Settings, Simulator};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let module = Module::compile(&std::fs::read("filter.wasm")?)?;
//! let mut simulator = Simulator::new(&module, Settings::new("header-policy"))?;
//!
//! let configured = simulator.configure(br#"{"apiVersion": "policy.kyma-istio.dev/v1alpha1"}"#);
//! assert!(configured.accepted, "{:?}", configured.effects.logs);
//!
//! let request = Request::new("GET", "shop.example", "/orders")
//!     .header("x-forwarded-for", "198.51.100.7, 10.0.0.1")
//!     .with(Properties::new().string("source.address", "10.0.0.1:4711").integer("xds.listener_direction", 2));
//! let outcome = simulator.request(request);
//! assert!(outcome.reaches_upstream(), "{:?}", outcome.local_reply);
//! println!("{} units of fuel, {} host calls", outcome.effects.fuel, outcome.effects.host_call_count());
//! # Ok(())
//! # }
//! ```
//!
//! # Like Envoy
//! - The single-value getter gives the first line of a repeated header only; the map gives all, bytes unchanged.
//! - Header maps can be changed only while their message is held: not after Continue, not after `proxy_continue_stream`.
//!   The plugin configuration can be read only in `proxy_on_configure`.
//! - The first local reply stops the stream; what upstream would have got is frozen at that moment.
//! - An update is a new root context in the same VM. A refused one changes nothing; a replaced one gets `proxy_on_done`
//!   and `proxy_on_delete` after its last stream. A trap kills the VM.
//!
//! # Not modelled
//! - gRPC calls (they fail), shared queues (there are none), bodies and trailers of requests and responses, network
//!   filters, `proxy_on_foreign_function`.
//! - That a local reply passes the response callbacks of the same filter.
//! - That Envoy joins repeated lines of the headers it knows ([`Request::join_repeated`] does it where wanted), refuses
//!   some header names and values, and sanitises requests before any filter.
//! - CEL attributes beyond the simple `request.*` ones: give them as [`Properties`].
//! - Tick periods: [`Simulator::tick`] is the timer. Call-out timeouts: answer with [`CalloutResponse::Failed`].
//! - Root contexts that refused their configuration stay in the VM, unticked, as they do in Envoy's main thread.
//!
//! State lives in the store of each instance; there are no statics. Every trap is a value; nothing here panics.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::string_slice
    )
)]

mod abi;
mod context;
mod headers;
mod hostile;
mod kept;
mod memory;
mod metrics;
mod module;
mod outcome;
mod pairs;
mod property;
mod request;
mod settings;
mod shared_data;
mod signature;
mod simulator;
mod spki;
mod state;
mod status;
mod vm;

pub use abi::host_call_names;
pub use hostile::{Behaviour, Hostile, Lie, Rule, When};
pub use kept::Kept;
pub use module::{LoadError, Module};
pub use outcome::{
    Callout, Configured, Effects, Event, LocalReply, Metric, MetricKind, Outcome, Pairs, StreamId,
    Trap, TrapKind,
};
pub use property::{Properties, decode_map, encode_map};
pub use request::{CalloutResponse, Request, Response};
pub use settings::{Clusters, Foreign, Limits, Settings, Verifier};
pub use shared_data::SharedData;
pub use signature::{BadKey, Hash, VerifySignature, verify_with_ring};
pub use simulator::{HostError, Simulator};
pub use status::{AbiVersion, Action, Direction, Level, Status};
