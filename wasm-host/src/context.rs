//! The two kinds of contexts: roots (one per configuration) and streams (one per request).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Pairs;
use crate::headers::Headers;
use crate::outcome::{Effects, LocalReply, Outcome, StreamId};
use crate::property::Properties;
use crate::request::{Request, Response};
use crate::status::{Action, Direction};

/// A root context.
#[derive(Debug, Default)]
pub(crate) struct Root {
    pub(crate) tick_period: Option<Duration>,
    /// It was replaced and goes away with its last stream.
    pub(crate) retired: bool,
    /// It said that it isn't done yet; `proxy_done` ends that.
    pub(crate) waits_for_done: bool,
    pub(crate) done: bool,
}

/// A stream context.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) root: u32,
    pub(crate) request: Headers,
    /// The guest may read and change the request headers: from their callback until they have gone on.
    pub(crate) request_attached: bool,
    pub(crate) request_trailers: Option<Headers>,
    pub(crate) request_body: Option<Vec<u8>>,
    pub(crate) response: Option<Headers>,
    pub(crate) response_attached: bool,
    pub(crate) response_body: Option<Vec<u8>>,
    /// While the access log is written all headers are readable again.
    pub(crate) logging: bool,
    pub(crate) properties: Properties,
    pub(crate) filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) local_reply: Option<LocalReply>,
    /// The request headers at the moment of the local reply: later changes don't count.
    pub(crate) frozen: Option<Pairs>,
    pub(crate) continued: Vec<Direction>,
    pub(crate) reset: Option<Direction>,
    pub(crate) action: Action,
    pub(crate) returned: Option<Action>,
    /// Ends by itself as soon as nothing is waited for.
    pub(crate) ends_by_itself: bool,
    /// Something happened to it that the caller was not told yet.
    pub(crate) changed: bool,
}

impl Stream {
    pub(crate) fn new(root: u32, request: Request, ends_by_itself: bool) -> Stream {
        Stream {
            root,
            request: Headers::new(request.headers),
            request_attached: true,
            request_trailers: None,
            request_body: None,
            response: None,
            response_attached: false,
            response_body: None,
            logging: false,
            properties: request.properties,
            filter_state: BTreeMap::new(),
            local_reply: None,
            frozen: None,
            continued: Vec::new(),
            reset: None,
            action: Action::Pause,
            returned: None,
            ends_by_itself,
            changed: false,
        }
    }

    pub(crate) fn respond(&mut self, response: Response) {
        self.response = Some(Headers::new(response.headers));
        self.response_attached = true;
    }

    /// The first local reply counts; it also stops the stream, whatever the callback returns.
    pub(crate) fn reply(&mut self, reply: LocalReply) {
        if self.local_reply.is_none() {
            self.frozen = Some(self.request.pairs().clone());
            self.local_reply = Some(reply);
            self.action = Action::Pause;
            self.changed = true;
        }
    }

    /// The message goes on. Envoy takes the request's headers away from the guest at once.
    pub(crate) fn continue_stream(&mut self, direction: Direction) {
        self.continued.push(direction);
        self.request_attached = false;
        self.request_trailers = None;
        self.request_body = None;
        self.changed = true;
        if self.local_reply.is_none() && self.reset.is_none() {
            self.action = Action::Continue;
        }
    }

    pub(crate) fn reset(&mut self, direction: Direction) {
        self.reset.get_or_insert(direction);
        self.action = Action::Pause;
        self.changed = true;
    }

    /// A callback came back with this action.
    pub(crate) fn settle(&mut self, direction: Direction, returned: Option<Action>) {
        self.returned = returned;
        let stopped = self.local_reply.is_some() || self.reset.is_some();
        let went_on = self.continued.contains(&direction);
        self.action = match returned {
            Some(action) if !stopped && !went_on => action,
            Some(_) if !stopped => Action::Continue,
            _ => Action::Pause,
        };
        if self.action == Action::Continue {
            match direction {
                Direction::Response => self.response_attached = false,
                _ => self.request_attached = false,
            }
        }
    }

    /// Nothing will happen to it any more without a new message.
    pub(crate) fn is_over(&self) -> bool {
        self.action == Action::Continue || self.local_reply.is_some() || self.reset.is_some()
    }

    pub(crate) fn outcome(&self, stream: StreamId, finished: bool, effects: Effects) -> Outcome {
        Outcome {
            stream,
            action: self.action,
            returned: self.returned,
            headers_after: self
                .frozen
                .as_ref()
                .unwrap_or_else(|| self.request.pairs())
                .clone(),
            trailers_after: self
                .request_trailers
                .as_ref()
                .map(|trailers| trailers.pairs().clone()),
            response_headers_after: self
                .response
                .as_ref()
                .map(|headers| headers.pairs().clone()),
            local_reply: self.local_reply.clone(),
            continued: self.continued.clone(),
            reset: self.reset,
            properties_set: self.filter_state.clone(),
            finished,
            effects,
        }
    }
}
