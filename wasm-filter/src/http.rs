//! One request: read → decide → apply.

use std::rc::Rc;
use std::time::Duration;

use policy::{Decision, Edit, Headers, Outcome, Peer, Position, Reason, Reply, Request};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::abi::{self, Map, Status};
use crate::istio;
use crate::root::{Running, level};

/// The context of one request. Without a policy it refuses.
pub(crate) struct Http {
    running: Option<Rc<Running>>,
    /// Whether the request was left alone; then its trailers are too.
    passed: bool,
}

impl Http {
    pub fn new(running: Option<Rc<Running>>) -> Self {
        Self {
            running,
            passed: false,
        }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        let Some(running) = &self.running else {
            return refuse(Reason::RequestUnreadable, &UNCONFIGURED);
        };
        // What the host does not hand over can't be judged, and what can't be carried out did not happen: both refuse.
        let done = running.read_and_decide().and_then(|decision| {
            self.passed = decision.trace.passed;
            running.apply(&decision)
        });
        done.unwrap_or_else(|status| running.unreadable(status))
    }

    /// The host calls this only for a request with trailers. After a refusal Envoy answers the client if no answer has begun, resets the stream otherwise, and resets the upstream's request.
    fn on_http_request_trailers(&mut self, trailers: usize) -> Action {
        let Some(running) = &self.running else {
            return refuse(Reason::RequestUnreadable, &UNCONFIGURED);
        };
        if trailers == 0 || self.passed {
            return Action::Continue;
        }
        match running.strip_trailers() {
            Ok(()) => Action::Continue,
            Err(status) => running.unreadable(status),
        }
    }
}

impl Running {
    fn read_and_decide(&self) -> Result<Decision, Status> {
        let position = if self.needs.position {
            self.position()?
        } else {
            None
        };
        // One thread, and no call from here comes back.
        let mut known = self.known.try_borrow_mut().map_err(|_| Status::BUSY)?;
        let mut decide =
            |request: &Request<'_>| self.policy.decide(request, &mut known, &self.signatures);
        let bare = Request {
            headers: Headers::default(),
            peer: Peer::default(),
            position,
            tls: false,
            now: Duration::ZERO,
        };
        if self.policy.passes(position) {
            return Ok(decide(&bare));
        }
        let buffer = abi::map(Map::RequestHeaders)?;
        let read = |needed: bool, path: &str| {
            if needed {
                abi::property(path)
            } else {
                Ok(None)
            }
        };
        let identity = read(self.needs.identity, "connection\0uri_san_peer_certificate")?;
        let source = read(self.needs.address, "source\0address")?;
        let tls = read(self.needs.tls, "connection\0tls_version")?;
        Ok(decide(&Request {
            headers: Headers::new(&abi::pairs(&buffer)?),
            peer: Peer {
                address: source.as_deref().and_then(istio::peer_address),
                identity: identity.as_deref().filter(|identity| !identity.is_empty()),
            },
            tls: tls.is_some_and(|version| !version.is_empty()),
            now: if self.needs.time {
                abi::now()?
            } else {
                Duration::ZERO
            },
            ..bare
        }))
    }

    #[cold]
    fn strip_trailers(&self) -> Result<(), Status> {
        let buffer = abi::map(Map::RequestTrailers)?;
        for (name, _) in abi::pairs(&buffer)? {
            if self.policy.strips_trailer(name) {
                abi::remove(Map::RequestTrailers, name)?;
            }
        }
        Ok(())
    }

    /// Refuses what the host did not hand over, or did not carry out.
    #[cold]
    fn unreadable(&self, status: Status) -> Action {
        self.report(status);
        self.metrics.deny(Reason::RequestUnreadable);
        refuse(
            Reason::RequestUnreadable,
            &self.policy.reply(Reason::RequestUnreadable),
        )
    }

    /// Says once per tick that the host failed; refusals for it are counted.
    fn report(&self, status: Status) {
        if !self.warned.replace(true) {
            abi::warn("a host call failed, the request is refused", status);
        }
    }

    /// Where this stream's listener stands, from Istio's node id and the listener's direction.
    fn position(&self) -> Result<Option<Position>, Status> {
        let node = match self.node.get() {
            Some(node) => node,
            None => {
                let id = abi::property("xds\0node\0id")?.unwrap_or_default();
                // What tells nothing is not kept: the next stream may learn more.
                if !istio::is_known(&id) {
                    return Ok(None);
                }
                self.node.get_or_init(|| id)
            }
        };
        if let Some(position) = istio::position(node, None) {
            return Ok(Some(position));
        }
        let direction = abi::property("xds\0listener_direction")?;
        let direction = direction
            .and_then(|bytes| bytes.try_into().ok())
            .map(i64::from_le_bytes);
        Ok(istio::position(node, direction))
    }

    /// The one place where a decision becomes calls into the host.
    fn apply(&self, decision: &Decision) -> Result<Action, Status> {
        for edit in &decision.edits {
            match edit {
                Edit::Remove(name) => abi::remove(Map::RequestHeaders, name.as_bytes())?,
                Edit::Set(name, value) => abi::set_header(name, value)?,
            }
        }
        if self.tracing.get() {
            self.trace(decision);
        }
        if let Some(reason) = decision.shadow {
            self.metrics.shadow(reason);
        }
        match &decision.verdict {
            Outcome::Allow => {
                if decision.trace.passed {
                    self.metrics.pass();
                } else {
                    self.metrics.allow();
                }
                Ok(Action::Continue)
            }
            Outcome::Deny(reason, reply) => {
                self.metrics.deny(*reason);
                Ok(refuse(*reason, reply))
            }
        }
    }

    /// The decision in words, for whoever raised the log level. It holds no token.
    fn trace(&self, decision: &Decision) {
        if let Ok(words) = serde_json::to_string(&decision.explain(&self.policy)) {
            abi::log(level::TRACE, &format!("decision {words}"));
        }
    }
}

/// Answers the request and stops it. Should the answer fail, the request still goes nowhere.
fn refuse(reason: Reason, reply: &Reply) -> Action {
    let _ = abi::reply(reply, reason.details());
    Action::Pause
}

/// The answer of a filter that was never configured. Envoy makes no such stream; another host might.
const UNCONFIGURED: Reply = Reply {
    status: 403,
    grpc_status: 7,
    headers: Vec::new(),
    body: "",
};
