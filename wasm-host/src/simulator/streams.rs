//! The course of a stream inside a simulator: shown, settled, woken, ended.

use super::Simulator;
use crate::context::Stream;
use crate::outcome::{Effects, Event, Outcome, StreamId, Trap, TrapKind};
use crate::request::Request;
use crate::status::{Action, Direction};
use crate::vm::Returned;

impl Simulator {
    pub(super) fn begin(&mut self, request: Request, ends_by_itself: bool) -> Outcome {
        if let Some(now) = request.now {
            self.vm.state_mut().clock = now;
        }
        let id = self.next_context();
        let stream = StreamId(id);
        let body_end = u32::from(request.body_end);
        let Some(root) = self.active_root else {
            let message = "no configuration was accepted".to_owned();
            let trap = Trap {
                kind: TrapKind::NotConfigured,
                during: "proxy_on_request_headers",
                message,
            };
            let effects = Effects {
                trap: Some(trap),
                ..Effects::default()
            };
            return Stream::new(0, request, true).outcome(stream, true, effects);
        };
        let opened = Stream::new(root, request, ends_by_itself);
        let lines = u32::try_from(opened.request.pairs().len()).unwrap_or(u32::MAX);
        self.vm.state_mut().streams.insert(id, opened);
        let returned = match self.vm.call("proxy_on_context_create", id, &[id, root]) {
            Returned::Trapped => Returned::Trapped,
            _ => self
                .vm
                .call("proxy_on_request_headers", id, &[id, lines, body_end]),
        };
        self.settle(id, Direction::Request, returned)
    }

    /// Takes a callback's return into account, ends the stream if it is over, and tells.
    pub(super) fn settle(&mut self, id: u32, direction: Direction, returned: Returned) -> Outcome {
        let action = match returned {
            Returned::NotExported | Returned::Value(None) => Some(Action::Continue),
            Returned::Value(Some(code)) => Some(Action::from_code(code)),
            Returned::Trapped => None,
        };
        let trapped = action.is_none();
        let over = self
            .vm
            .state_mut()
            .streams
            .get_mut(&id)
            .is_some_and(|stream| {
                stream.settle(direction, action);
                stream.changed = false;
                stream.ends_by_itself && (stream.is_over() || trapped)
            });
        let mut effects = self.vm.take_effects();
        let ended = if over { self.end(id) } else { None };
        let mut outcome = ended.unwrap_or_else(|| self.outcome(id, Effects::default()));
        effects.append(std::mem::take(&mut outcome.effects));
        outcome.effects = effects;
        outcome
    }

    /// What an event did, and the streams that it changed; those that are over and end by themselves are ended.
    pub(super) fn event(&mut self) -> Event {
        let effects = self.vm.take_effects();
        let changed: Vec<u32> = self
            .vm
            .state()
            .streams
            .iter()
            .filter(|(_, stream)| stream.changed)
            .map(|(id, _)| *id)
            .collect();
        let mut streams = Vec::with_capacity(changed.len());
        for id in changed {
            let ends = self
                .vm
                .state_mut()
                .streams
                .get_mut(&id)
                .is_some_and(|stream| {
                    stream.changed = false;
                    stream.ends_by_itself && stream.is_over()
                });
            let ended = if ends { self.end(id) } else { None };
            streams.push(ended.unwrap_or_else(|| self.outcome(id, Effects::default())));
        }
        let roots: Vec<u32> = self.vm.state().roots.keys().copied().collect();
        roots.into_iter().for_each(|root| self.sweep(root));
        let mut effects = effects;
        effects.append(self.vm.take_effects());
        Event { effects, streams }
    }

    fn outcome(&self, id: u32, effects: Effects) -> Outcome {
        match self.vm.state().streams.get(&id) {
            Some(stream) => stream.outcome(StreamId(id), false, effects),
            None => {
                Stream::new(0, Request::new("", "", ""), true).outcome(StreamId(id), true, effects)
            }
        }
    }

    pub(super) fn end(&mut self, id: u32) -> Option<Outcome> {
        self.change_stream(id, |stream| stream.logging = true);
        self.vm.call("proxy_on_log", id, &[id]);
        self.change_stream(id, |stream| stream.logging = false);
        self.vm.call("proxy_on_done", id, &[id]);
        self.vm.call("proxy_on_delete", id, &[id]);
        let stream = self.vm.state_mut().streams.remove(&id)?;
        self.sweep(stream.root);
        let effects = self.vm.take_effects();
        Some(stream.outcome(StreamId(id), true, effects))
    }

    fn change_stream(&mut self, id: u32, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.vm.state_mut().streams.get_mut(&id) {
            change(stream);
        }
    }
}
