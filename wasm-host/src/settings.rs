//! What a simulator is started with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::hostile::Hostile;
use crate::property::Properties;
use crate::shared_data::SharedData;
use crate::signature::{BadKey, VerifySignature, verify_with_ring};
use crate::status::Level;

/// What a guest may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for each call into the guest, the calls that the guest's host calls make included.
    pub fuel_per_call: u64,
    /// The linear memory of the VM in bytes; growing beyond fails.
    pub memory_bytes: usize,
    /// Bytes that one call into the guest may make the host copy out of its memory.
    pub host_bytes_per_call: usize,
}

impl Limits {
    /// A thousand million instructions: far more than any request needs, about a second.
    pub const FUEL_PER_CALL: u64 = 1_000_000_000;
    /// 64 MiB. Envoy's own limit is 1 GiB; a filter that needs more than this has a bug.
    pub const MEMORY_BYTES: usize = 64 << 20;
    /// 64 MiB.
    pub const HOST_BYTES_PER_CALL: usize = 64 << 20;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            fuel_per_call: Limits::FUEL_PER_CALL,
            memory_bytes: Limits::MEMORY_BYTES,
            host_bytes_per_call: Limits::HOST_BYTES_PER_CALL,
        }
    }
}

/// Verifies a signature for the guest; the answer to a signature that does not fit is `Ok(false)`.
pub type Verifier = Arc<dyn Fn(&VerifySignature) -> Result<bool, BadKey> + Send + Sync>;

/// The foreign functions that exist. Any other name is answered with `NotFound`.
#[derive(Clone, Default)]
pub struct Foreign {
    /// `verify_signature`.
    pub verify_signature: Option<Verifier>,
    /// `clear_route_cache`.
    pub clear_route_cache: bool,
}

impl Foreign {
    /// No foreign function at all: some hosts are like that.
    pub fn none() -> Foreign {
        Foreign::default()
    }

    /// Those of Envoy that are modelled, signatures verified by [`verify_with_ring`].
    pub fn envoy() -> Foreign {
        Foreign {
            verify_signature: Some(Arc::new(verify_with_ring)),
            clear_route_cache: true,
        }
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Foreign")
            .field("verify_signature", &self.verify_signature.is_some())
            .field("clear_route_cache", &self.clear_route_cache)
            .finish()
    }
}

/// The clusters that `proxy_http_call` finds. A cluster that is not there is answered with `BadArgument`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clusters {
    /// Every name is a cluster.
    Any,
    /// Only these are.
    Only(BTreeSet<Vec<u8>>),
}

/// Everything that is decided before the guest starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The property `plugin_name`.
    pub plugin_name: String,
    /// The property `plugin_root_id`.
    pub root_id: String,
    /// The VM configuration.
    pub vm_configuration: Vec<u8>,
    /// Environment variables, seen through WASI.
    pub environment: BTreeMap<String, String>,
    /// What the guest may use.
    pub limits: Limits,
    /// Log lines below are dropped; the guest can ask for it.
    pub log_level: Level,
    /// The time since the epoch. It stands still until a request or a tick brings another.
    pub clock: Duration,
    /// Seeds `random_get`: same seed, same bytes.
    pub random_seed: u64,
    /// Properties of every context, such as `xds.node.id`; a request's own win.
    pub properties: Properties,
    /// Foreign functions.
    pub foreign: Foreign,
    /// Clusters for call-outs.
    pub clusters: Clusters,
    /// Shared data. Give several simulators the same handle and they are workers of one process.
    pub shared_data: SharedData,
    /// How the host misbehaves.
    pub hostile: Hostile,
}

impl Settings {
    /// An honest host like Envoy, at 2026-01-01T00:00:00Z, that logs from Info on.
    pub fn new(plugin_name: &str) -> Settings {
        Settings {
            plugin_name: plugin_name.to_owned(),
            root_id: String::new(),
            vm_configuration: Vec::new(),
            environment: BTreeMap::new(),
            limits: Limits::default(),
            log_level: Level::Info,
            clock: Duration::from_secs(1_767_225_600),
            random_seed: 0,
            properties: Properties::new(),
            foreign: Foreign::envoy(),
            clusters: Clusters::Any,
            shared_data: SharedData::default(),
            hostile: Hostile::none(),
        }
    }
}
