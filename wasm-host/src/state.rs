//! All state of one VM, held by its wasmtime store. No statics anywhere: two simulators never meet.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmtime::{Memory, ResourceLimiter, TypedFunc};

use crate::context::{Root, Stream};
use crate::hostile::Behaviour;
use crate::metrics::Metrics;
use crate::outcome::{Effects, StreamId};
use crate::request::CalloutResponse;
use crate::settings::Settings;
use crate::status::AbiVersion;

pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) abi: AbiVersion,
    pub(crate) clock: Duration,
    pub(crate) random: u64,
    /// Found on first use: a host call may come while the module is still being instantiated.
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,

    pub(crate) roots: BTreeMap<u32, Root>,
    pub(crate) streams: BTreeMap<u32, Stream>,
    /// The context whose callback runs.
    pub(crate) current: u32,
    /// The context that the guest asked to act for; 0 means the current one.
    pub(crate) effective: u32,

    pub(crate) metrics: Metrics,
    pub(crate) last_token: u32,
    /// Dispatched calls without an answer yet: the root context, and the stream if there was one.
    pub(crate) pending: BTreeMap<u32, (u32, Option<StreamId>)>,
    /// The answer that is being shown.
    pub(crate) callout_response: Option<CalloutResponse>,
    /// The plugin configuration is readable only while it is being configured, as in Envoy.
    pub(crate) plugin_configuration: Option<Vec<u8>>,

    /// What happened since it was last taken.
    pub(crate) effects: Effects,
    pub(crate) call_counts: BTreeMap<&'static str, u64>,
    pub(crate) growth_refused: bool,
    pub(crate) host_bytes: usize,
    pub(crate) log_bytes: usize,
}

impl State {
    pub(crate) fn new(settings: Settings, abi: AbiVersion) -> State {
        State {
            clock: settings.clock,
            random: settings.random_seed,
            settings,
            abi,
            memory: None,
            allocate: None,
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            current: 0,
            effective: 0,
            metrics: Metrics::default(),
            last_token: 0,
            pending: BTreeMap::new(),
            callout_response: None,
            plugin_configuration: None,
            effects: Effects::default(),
            call_counts: BTreeMap::new(),
            growth_refused: false,
            host_bytes: 0,
            log_bytes: 0,
        }
    }

    /// Forgets what belongs to the last call into the guest.
    pub(crate) fn begin_call(&mut self, context: u32) {
        self.current = context;
        self.effective = 0;
        self.growth_refused = false;
        self.host_bytes = 0;
        self.log_bytes = 0;
    }

    /// Counts a host call and says how it misbehaves.
    pub(crate) fn arrive(&mut self, call: &'static str) -> Option<Behaviour> {
        let total = self.effects.host_calls.entry(call).or_default();
        *total = total.saturating_add(1);
        let nth = self.call_counts.entry(call).or_default();
        *nth = nth.saturating_add(1);
        let behaviour = self.settings.hostile.behaviour(call, *nth).cloned();
        if behaviour.is_some() {
            self.effects.hostile = self.effects.hostile.saturating_add(1);
        }
        behaviour
    }

    /// The context that host calls act on: the one asked for, if it still exists, else the current one.
    pub(crate) fn context(&self) -> u32 {
        if self.effective != 0 && self.has_context(self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    pub(crate) fn has_context(&self, id: u32) -> bool {
        self.roots.contains_key(&id) || self.streams.contains_key(&id)
    }

    pub(crate) fn stream(&self) -> Option<&Stream> {
        self.streams.get(&self.context())
    }

    pub(crate) fn stream_mut(&mut self) -> Option<&mut Stream> {
        let id = self.context();
        self.streams.get_mut(&id)
    }

    /// The root context of the context that host calls act on.
    pub(crate) fn root(&self) -> u32 {
        self.stream()
            .map_or_else(|| self.context(), |stream| stream.root)
    }

    /// SplitMix64: the same seed gives the same bytes on every machine.
    pub(crate) fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Elements of a table: a filter's vtables and closures are a few hundred.
const TABLE_ELEMENTS: usize = 100_000;

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        _now: usize,
        wanted: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = wanted <= self.settings.limits.memory_bytes;
        self.growth_refused |= !allowed;
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _now: usize,
        wanted: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(wanted <= TABLE_ELEMENTS)
    }
}
