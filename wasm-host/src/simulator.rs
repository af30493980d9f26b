//! The life of a plugin in a proxy: start, configure, requests, ticks, call-outs, replacement.

mod streams;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Pairs;
use crate::context::Root;
use crate::headers::Headers;
use crate::hostile::Hostile;
use crate::module::Module;
use crate::outcome::{Configured, Effects, Event, Metric, Outcome, StreamId, Trap};
use crate::request::{CalloutResponse, Request, Response};
use crate::settings::Settings;
use crate::status::Direction;
use crate::vm::{Returned, Vm};

/// One VM with one plugin, as one worker of a proxy has it.
pub struct Simulator {
    vm: Vm,
    last_context: u32,
    /// Made at the start; the first configuration uses it.
    fresh_root: Option<u32>,
    /// The root context of the last configuration that was accepted.
    active_root: Option<u32>,
    started: Effects,
}

/// Why a simulator can't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The guest did not survive its start.
    #[error("the guest stopped while starting: {0}")]
    Trapped(Trap),
    /// `proxy_on_vm_start` returned false.
    #[error("`proxy_on_vm_start` refused the VM configuration")]
    StartRefused(Box<Effects>),
    /// No call-out of that token is waiting.
    #[error("no call-out with token {0} is waiting for a response")]
    UnknownCallout(u32),
    /// No such stream, or it is finished.
    #[error("stream {0:?} is not open")]
    UnknownStream(StreamId),
}

impl Simulator {
    /// Makes an instance, runs `_initialize` or `_start`, creates the first root context and starts the VM in it.
    pub fn new(module: &Module, settings: Settings) -> Result<Simulator, HostError> {
        let vm = Vm::start(module, settings).map_err(HostError::Trapped)?;
        let mut simulator = Simulator {
            vm,
            last_context: 0,
            fresh_root: None,
            active_root: None,
            started: Effects::default(),
        };
        let (root, agreed) = simulator.create_root();
        simulator.fresh_root = Some(root);
        simulator.started = simulator.vm.take_effects();
        match (&simulator.started.trap, agreed) {
            (Some(trap), _) => Err(HostError::Trapped(trap.clone())),
            (None, false) => Err(HostError::StartRefused(Box::new(simulator.started))),
            (None, true) => Ok(simulator),
        }
    }

    /// What the guest did while it started.
    pub fn started(&self) -> &Effects {
        &self.started
    }

    /// Gives a configuration to a new root context in the running VM, as Envoy does with each update. If it is accepted
    /// it serves all later requests, and the one before goes away with its last stream; if not, nothing changes.
    pub fn configure(&mut self, configuration: &[u8]) -> Configured {
        let (root, started) = match self.fresh_root.take() {
            Some(root) => (root, true),
            None => self.create_root(),
        };
        let accepted = started && {
            self.vm.state_mut().plugin_configuration = Some(configuration.to_vec());
            let size = u32::try_from(configuration.len()).unwrap_or(u32::MAX);
            let returned = self.vm.call("proxy_on_configure", root, &[root, size]);
            self.vm.state_mut().plugin_configuration = None;
            returned.agreed()
        };
        if accepted && let Some(replaced) = self.active_root.replace(root) {
            self.change_root(replaced, |root| root.retired = true);
            self.sweep(replaced);
        }
        Configured {
            accepted,
            effects: self.vm.take_effects(),
        }
    }

    /// Takes up a replaced configuration that open requests kept alive, as Envoy does when the same bytes come again: nothing is configured.
    /// False where none is left.
    pub fn take_up_replaced(&mut self) -> bool {
        let retired = |(id, root): (&u32, &Root)| root.retired.then_some(*id);
        let Some(root) = self.vm.state().roots.iter().filter_map(retired).max() else {
            return false;
        };
        self.change_root(root, |root| root.retired = false);
        if let Some(replaced) = self.active_root.replace(root) {
            self.change_root(replaced, |root| root.retired = true);
            self.sweep(replaced);
        }
        true
    }

    /// Shows a request to the filter. If nothing is waited for afterwards the stream is finished at once; otherwise it
    /// stays until a call-out's response, a tick or [`Simulator::finish`] ends it.
    pub fn request(&mut self, request: Request) -> Outcome {
        self.begin(request, true)
    }

    /// Like [`Simulator::request`], but leaves the stream open, for [`Simulator::respond`] and [`Simulator::finish`].
    pub fn open(&mut self, request: Request) -> Outcome {
        self.begin(request, false)
    }

    /// Shows the response to the filter, on a stream from [`Simulator::open`].
    pub fn respond(&mut self, stream: StreamId, response: Response) -> Result<Outcome, HostError> {
        let open = self
            .vm
            .state_mut()
            .streams
            .get_mut(&stream.0)
            .ok_or(HostError::UnknownStream(stream))?;
        let body_end = u32::from(response.body_end);
        let lines = u32::try_from(response.headers.len()).unwrap_or(u32::MAX);
        open.respond(response);
        let returned = self.vm.call(
            "proxy_on_response_headers",
            stream.0,
            &[stream.0, lines, body_end],
        );
        Ok(self.settle(stream.0, Direction::Response, returned))
    }

    /// Shows the request's trailers to the filter, on a stream from [`Simulator::open`] whose headers went on. Envoy calls
    /// no filter for a request without trailers.
    pub fn trailers(&mut self, stream: StreamId, trailers: Pairs) -> Result<Outcome, HostError> {
        let open = self
            .vm
            .state_mut()
            .streams
            .get_mut(&stream.0)
            .ok_or(HostError::UnknownStream(stream))?;
        let lines = u32::try_from(trailers.len()).unwrap_or(u32::MAX);
        open.request_trailers = Some(Headers::new(trailers));
        let returned = self
            .vm
            .call("proxy_on_request_trailers", stream.0, &[stream.0, lines]);
        Ok(self.settle(stream.0, Direction::Request, returned))
    }

    /// Ends a stream, as when the client goes away: `proxy_on_log`, `proxy_on_done`, `proxy_on_delete`, in Envoy's order.
    pub fn finish(&mut self, stream: StreamId) -> Result<Outcome, HostError> {
        if !self.vm.state().streams.contains_key(&stream.0) {
            return Err(HostError::UnknownStream(stream));
        }
        self.end(stream.0).ok_or(HostError::UnknownStream(stream))
    }

    /// Moves the clock and calls `proxy_on_tick` for each root context that serves and asked for ticks, however long
    /// its period is. Replaced ones come last: in Envoy each has a timer of its own, and may write after the newest.
    pub fn tick(&mut self, now: Duration) -> Event {
        self.vm.state_mut().clock = now;
        let ticking = |(id, root): (&u32, &Root)| {
            (root.tick_period.is_some() && (Some(*id) == self.active_root || root.retired))
                .then_some(*id)
        };
        let mut roots: Vec<u32> = self.vm.state().roots.iter().filter_map(ticking).collect();
        roots.sort_by_key(|root| Some(*root) != self.active_root);
        for root in roots {
            self.vm.call("proxy_on_tick", root, &[root]);
        }
        self.event()
    }

    /// Answers a call-out: `proxy_on_http_call_response`.
    pub fn respond_to_callout(
        &mut self,
        token: u32,
        response: CalloutResponse,
    ) -> Result<Event, HostError> {
        let (root, _) = self
            .vm
            .state_mut()
            .pending
            .remove(&token)
            .ok_or(HostError::UnknownCallout(token))?;
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (headers, body, trailers) = match &response {
            CalloutResponse::Answered {
                headers,
                body,
                trailers,
            } => (
                length(headers.len()),
                length(body.len()),
                length(trailers.len()),
            ),
            CalloutResponse::Failed => (0, 0, 0),
        };
        self.vm.state_mut().callout_response = Some(response);
        // Envoy calls the root context; the SDK finds the context that asked by the token.
        self.vm.call(
            "proxy_on_http_call_response",
            root,
            &[root, token, headers, body, trailers],
        );
        self.vm.state_mut().callout_response = None;
        Ok(self.event())
    }

    /// The shortest tick period that a serving root context asked for.
    pub fn tick_period(&self) -> Option<Duration> {
        let roots = self.vm.state().roots.iter();
        roots
            .filter(|(id, _)| Some(**id) == self.active_root)
            .filter_map(|(_, root)| root.tick_period)
            .min()
    }

    /// Every metric that was ever defined, by name.
    pub fn metrics(&self) -> BTreeMap<String, Metric> {
        self.vm.state().metrics.by_name()
    }

    /// All shared data.
    pub fn shared_data(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.vm.state().settings.shared_data.snapshot()
    }

    /// The guest's linear memory; it never shrinks.
    pub fn memory_bytes(&mut self) -> usize {
        self.vm.memory_bytes()
    }

    /// Changes how the host misbehaves from now on; calls are counted from 1 again.
    pub fn set_hostile(&mut self, hostile: Hostile) {
        let state = self.vm.state_mut();
        state.settings.hostile = hostile;
        state.call_counts.clear();
    }

    fn next_context(&mut self) -> u32 {
        // Four thousand million contexts are not reached; 0 would be the VM's own.
        self.last_context = self.last_context.checked_add(1).unwrap_or(1);
        self.last_context
    }

    /// Each root context is created and started, also in a VM that runs already: Envoy does so.
    fn create_root(&mut self) -> (u32, bool) {
        let root = self.next_context();
        self.vm.state_mut().roots.insert(root, Root::default());
        if self.vm.call("proxy_on_context_create", root, &[root, 0]) == Returned::Trapped {
            return (root, false);
        }
        let size =
            u32::try_from(self.vm.state().settings.vm_configuration.len()).unwrap_or(u32::MAX);
        (
            root,
            self.vm
                .call("proxy_on_vm_start", root, &[root, size])
                .agreed(),
        )
    }

    /// Lets a replaced root context go once nothing needs it any more.
    fn sweep(&mut self, id: u32) {
        let state = self.vm.state();
        let Some(root) = state.roots.get(&id) else {
            return;
        };
        let in_use = state.streams.values().any(|stream| stream.root == id);
        if !root.retired || in_use || (root.waits_for_done && !root.done) {
            return;
        }
        if !root.waits_for_done {
            self.change_root(id, |root| root.waits_for_done = true);
            if !self.vm.call("proxy_on_done", id, &[id]).agreed() {
                return;
            }
        }
        self.vm.call("proxy_on_delete", id, &[id]);
        let state = self.vm.state_mut();
        state.roots.remove(&id);
        state.pending.retain(|_, (root, _)| *root != id);
    }

    fn change_root(&mut self, id: u32, change: impl FnOnce(&mut Root)) {
        if let Some(root) = self.vm.state_mut().roots.get_mut(&id) {
            change(root);
        }
    }
}
