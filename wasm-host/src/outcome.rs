//! What a run did, as plain data. No behaviour beyond a question or two.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::status::{Action, Direction, Level};

/// Header lines in order: names and values are bytes, repeated names are repeated lines.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Names one stream of one simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) u32);

/// What became of one stream, and what was done on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The stream.
    pub stream: StreamId,
    /// What the proxy does with the message that was shown last. A local reply, a reset and a trap pause;
    /// `proxy_continue_stream` continues.
    pub action: Action,
    /// What the callback itself returned; `None` if it was not called or did not return.
    pub returned: Option<Action>,
    /// The request headers as upstream would get them; frozen at the local reply.
    pub headers_after: Pairs,
    /// The request trailers after the filter, once there were some.
    pub trailers_after: Option<Pairs>,
    /// The response headers after the filter, once there was a response.
    pub response_headers_after: Option<Pairs>,
    /// The first answer that the filter gave itself; later ones don't count.
    pub local_reply: Option<LocalReply>,
    /// Each `proxy_continue_stream`, in order.
    pub continued: Vec<Direction>,
    /// The direction that `proxy_close_stream` reset.
    pub reset: Option<Direction>,
    /// What `proxy_set_property` stored on the stream: filter state, by path.
    pub properties_set: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether the stream is finished: its last callbacks ran and the guest forgot it.
    pub finished: bool,
    /// What the guest did in these callbacks.
    pub effects: Effects,
}

impl Outcome {
    /// Whether the request goes on to the next filter: the only way to be allowed.
    pub fn reaches_upstream(&self) -> bool {
        self.action == Action::Continue && self.local_reply.is_none() && self.reset.is_none()
    }

    /// Whether the request still waits for something, such as a call-out.
    pub fn waits(&self) -> bool {
        self.action == Action::Pause
            && self.local_reply.is_none()
            && self.reset.is_none()
            && self.effects.trap.is_none()
            && !self.finished
    }
}

/// What the guest did outside of its stream, and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Log lines at or above the log level, in order; bytes that are no UTF-8 are replaced.
    pub logs: Vec<(Level, String)>,
    /// Units of fuel: about one per wasm instruction.
    pub fuel: u64,
    /// How often each host call was made.
    pub host_calls: BTreeMap<&'static str, u64>,
    /// HTTP calls that were dispatched.
    pub callouts: Vec<Callout>,
    /// Shared data that was written: key and new value.
    pub shared_data: Vec<(Vec<u8>, Vec<u8>)>,
    /// How often the route cache was cleared explicitly.
    pub route_cache_cleared: u64,
    /// How often a hostile rule changed an answer.
    pub hostile: u64,
    /// Why the guest did not come to an end, the first reason if there are more.
    pub trap: Option<Trap>,
}

impl Effects {
    /// All host calls together.
    pub fn host_call_count(&self) -> u64 {
        self.host_calls.values().sum()
    }

    pub(crate) fn append(&mut self, later: Effects) {
        self.logs.extend(later.logs);
        self.fuel = self.fuel.saturating_add(later.fuel);
        for (name, count) in later.host_calls {
            let total = self.host_calls.entry(name).or_default();
            *total = total.saturating_add(count);
        }
        self.callouts.extend(later.callouts);
        self.shared_data.extend(later.shared_data);
        self.route_cache_cleared = self
            .route_cache_cleared
            .saturating_add(later.route_cache_cleared);
        self.hostile = self.hostile.saturating_add(later.hostile);
        self.trap = self.trap.take().or(later.trap);
    }
}

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// `proxy_on_configure` returned true; new requests go to this configuration.
    pub accepted: bool,
    /// What the guest did.
    pub effects: Effects,
}

/// What a tick or a call-out response did: the guest's work, and each stream that is no longer as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What the guest did in the event itself.
    pub effects: Effects,
    /// Streams that went on, were answered or were reset; their effects are those of their last callbacks.
    pub streams: Vec<Outcome>,
}

/// An answer that the filter gave in the place of upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// The HTTP status.
    pub status: u32,
    /// The response code details, for access logs.
    pub details: Vec<u8>,
    /// Additional headers, names in lower case.
    pub headers: Pairs,
    /// The body.
    pub body: Vec<u8>,
    /// The gRPC status; negative on the wire means none.
    pub grpc_status: Option<u32>,
}

/// An HTTP call that the guest dispatched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callout {
    /// Names the call in [`crate::Simulator::respond_to_callout`].
    pub token: u32,
    /// The stream for which it was dispatched; `None` for the root context.
    pub stream: Option<StreamId>,
    /// The cluster.
    pub cluster: Vec<u8>,
    /// Headers with pseudo headers.
    pub headers: Pairs,
    /// The body.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Pairs,
    /// The timeout; zero means none.
    pub timeout: Duration,
}

/// A metric and its present value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The kind.
    pub kind: MetricKind,
    /// The count, the level, or the last sample of a histogram.
    pub value: u64,
    /// All samples of a histogram.
    pub samples: Vec<u64>,
}

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Collects samples.
    Histogram,
}

/// Why a guest did not come to an end. After a trap the VM is dead, as in Envoy: see [`TrapKind::VmFailed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The reason.
    pub kind: TrapKind,
    /// The export that was running.
    pub during: &'static str,
    /// What wasmtime says about it.
    pub message: String,
}

impl fmt::Display for Trap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:?} in `{}`: {}",
            self.kind, self.during, self.message
        )
    }
}

/// The reasons of a [`Trap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapKind {
    /// It used up [`crate::Limits::fuel_per_call`].
    OutOfFuel,
    /// It ran against a wall after growing its memory was refused.
    MemoryLimit,
    /// It made the host copy more than [`crate::Limits::host_bytes_per_call`].
    HostBytesLimit,
    /// It recursed too deep.
    StackOverflow,
    /// It called `proc_exit` with this code.
    Exit(i32),
    /// It executed `unreachable`, read outside its memory or the like: a Rust panic is this.
    Guest,
    /// The export has another type than the ABI says.
    BadExport,
    /// An earlier trap killed the VM. Envoy answers 503 when the plugin fails closed.
    VmFailed,
    /// No configuration was ever accepted. Envoy answers 500.
    NotConfigured,
}
