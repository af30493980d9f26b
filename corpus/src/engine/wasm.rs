//! The real module under wasmtime. What it did is observed; only client, rule and trace come from what it says of itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::scenario::Scenario;
use policy::Position;
use serde_json::Value;
use wasm_host::{
    Behaviour, Hostile, Level, Lie, Properties, Request, Rule, Settings, Simulator, Status, When,
    host_call_names,
};

use super::{Engine, EngineError};
use crate::case::Outcome;
use crate::fault::HostFault;
use crate::observed::{Observed, text};
use crate::suite::Ready;

/// A compiled module: compile once, load many policies.
pub struct Module(wasm_host::Module);

/// The module with a policy loaded.
pub struct Wasm {
    simulator: Simulator,
    /// Whether the host was told to fail or lie.
    hostile: bool,
}

impl Module {
    /// Compiles the module.
    pub fn compile(bytes: &[u8]) -> Result<Self, EngineError> {
        wasm_host::Module::compile(bytes)
            .map(Self::new)
            .map_err(|error| EngineError::Module(error.to_string()))
    }

    /// One that is compiled already.
    pub fn new(module: wasm_host::Module) -> Self {
        Self(module)
    }

    /// Starts it and loads a policy.
    pub fn load(&self, policy: &[u8]) -> Result<Wasm, EngineError> {
        let mut settings = Settings::new("header-policy");
        // The decision is logged at this level, and below it not even computed.
        settings.log_level = Level::Trace;
        let mut simulator = Simulator::new(&self.0, settings)
            .map_err(|error| EngineError::Module(error.to_string()))?;
        let configured = simulator.configure(policy);
        if let Some(trap) = configured.effects.trap {
            return Err(EngineError::Trap(trap.to_string()));
        }
        if !configured.accepted {
            let problems = configured
                .effects
                .logs
                .into_iter()
                .filter(|(level, _)| *level >= Level::Warn)
                .map(|(_, line)| line);
            return Err(EngineError::PolicyRefused {
                problems: problems.collect(),
            });
        }
        Ok(Wasm {
            simulator,
            hostile: false,
        })
    }

    /// Loads a case's policy; from then on the host fails and lies as the case says.
    pub fn ready(&self, ready: &Ready) -> Result<Wasm, EngineError> {
        let mut wasm = self.load(&ready.policy)?;
        let mut hostile = Hostile::none();
        for (call, fault) in &ready.host_faults {
            if !host_call_names().contains(&call.as_str()) {
                return Err(EngineError::Request(format!("no host call `{call}`")));
            }
            hostile = hostile.and(Rule {
                call: call.clone(),
                when: When::Always,
                behaviour: behaviour(fault),
            });
        }
        wasm.hostile = !hostile.rules.is_empty();
        wasm.simulator.set_hostile(hostile);
        Ok(wasm)
    }
}

impl Engine for Wasm {
    fn judge(&mut self, scenario: &Scenario) -> Result<Observed, EngineError> {
        let request = request(scenario);
        let before = request.headers.clone();
        let outcome = self.simulator.request(request);

        if self.hostile && outcome.effects.hostile == 0 {
            return Err(EngineError::Request(
                "the filter made none of the calls under `hostFaults`".to_owned(),
            ));
        }
        if let Some(trap) = &outcome.effects.trap {
            return Err(EngineError::Trap(trap.to_string()));
        }
        let explanation = outcome
            .effects
            .logs
            .iter()
            .find_map(|(_, line)| line.strip_prefix("decision "));
        let explanation: Option<Value> =
            explanation.and_then(|json| serde_json::from_str(json).ok());
        if let Some(reply) = outcome.local_reply {
            let details = text(&reply.details);
            let reason = details
                .strip_prefix("kyma_istio_header_policy{")
                .and_then(|rest| rest.strip_suffix('}'));
            return Ok(Observed {
                outcome: Outcome::Deny,
                status: u16::try_from(reply.status).ok(),
                // Details in another form are shown whole: they will not compare equal to any reason.
                reason: Some(reason.map_or(details.clone(), str::to_owned)),
                explanation,
                before,
                after: outcome.headers_after,
                reply: reply
                    .headers
                    .iter()
                    .map(|(name, value)| (text(name), text(value)))
                    .collect(),
            });
        }
        if !outcome.reaches_upstream() {
            return Err(EngineError::Waiting);
        }
        let (status, reason, reply) = (None, None, Vec::new());
        Ok(Observed {
            outcome: Outcome::Allow,
            status,
            reason,
            explanation,
            before,
            after: outcome.headers_after,
            reply,
        })
    }
}

/// The request as it reaches the filter in a proxy of Istio's.
#[must_use]
pub fn request(scenario: &Scenario) -> Request {
    let headers = scenario.arrive().headers;
    Request {
        properties: properties(scenario, &headers),
        headers,
        body_end: true,
        now: scenario.now.map(Duration::from_secs_f64),
    }
}

/// What Envoy and Istio say of the stream.
fn properties(scenario: &Scenario, headers: &[(Vec<u8>, Vec<u8>)]) -> Properties {
    let mut properties = Properties::new();
    let place = scenario.position.map(|position| match position {
        Position::Gateway => ("router", 2),
        Position::SidecarInbound => ("sidecar", 1),
        Position::SidecarOutbound => ("sidecar", 2),
    });
    if let Some((role, direction)) = place {
        let node = format!("{role}~10.0.0.1~pod.namespace~namespace.svc.cluster.local");
        properties = properties
            .string("xds.node.id", &node)
            .integer("xds.listener_direction", direction);
    }
    if let Some(address) = source_address(scenario, headers) {
        properties = properties.string("source.address", &address.to_string());
    }
    if let Some(identity) = &scenario.peer_identity {
        properties = properties
            .string("connection.uri_san_peer_certificate", identity)
            .boolean("connection.mtls", true);
    }
    if scenario.tls || scenario.peer_identity.is_some() {
        properties = properties.string("connection.tls_version", "TLSv1.3");
    }
    properties
}

/// A sidecar takes the address from the chain's last element when it can read one; the port is then 0.
fn source_address(scenario: &Scenario, headers: &[(Vec<u8>, Vec<u8>)]) -> Option<SocketAddr> {
    if scenario.position != Some(Position::Gateway) {
        let chain = headers.iter().find(|(name, _)| name == b"x-forwarded-for");
        let last = chain.and_then(|(_, value)| value.rsplit(|byte| *byte == b',').next());
        let last: Option<IpAddr> =
            last.and_then(|last| std::str::from_utf8(last).ok()?.trim().parse().ok());
        if let Some(last) = last {
            return Some(SocketAddr::new(last, 0));
        }
    }
    scenario.peer.map(|peer| SocketAddr::new(peer, 40_000))
}

fn behaviour(fault: &HostFault) -> Behaviour {
    let status = |status| Behaviour::Refuse(status);
    match fault {
        HostFault::NotFound => status(Status::NotFound),
        HostFault::BadArgument => status(Status::BadArgument),
        HostFault::SerializationFailure => status(Status::SerializationFailure),
        HostFault::ParseFailure => status(Status::ParseFailure),
        HostFault::BadExpression => status(Status::BadExpression),
        HostFault::InvalidMemoryAccess => status(Status::InvalidMemoryAccess),
        HostFault::Empty => status(Status::Empty),
        HostFault::CasMismatch => status(Status::CasMismatch),
        HostFault::ResultMismatch => status(Status::ResultMismatch),
        HostFault::InternalFailure => status(Status::InternalFailure),
        HostFault::BrokenConnection => status(Status::BrokenConnection),
        HostFault::Unimplemented => status(Status::Unimplemented),
        HostFault::Status(number) => Behaviour::RefuseWith(*number),
        HostFault::Ignore => Behaviour::Ignore,
        HostFault::Truncate(keep) => Behaviour::Lie(Lie::Truncate(*keep)),
        HostFault::Nothing => Behaviour::Lie(Lie::Nothing),
        HostFault::EmptyMap => Behaviour::Lie(Lie::EmptyMap),
        HostFault::GarbageCount => Behaviour::Lie(Lie::GarbageCount),
        HostFault::GarbageLengths => Behaviour::Lie(Lie::GarbageLengths),
        HostFault::ReportSize(size) => Behaviour::Lie(Lie::ReportSize(*size)),
        HostFault::ReportPointer(pointer) => Behaviour::Lie(Lie::ReportPointer(*pointer)),
        HostFault::NotUtf8 => Behaviour::Lie(Lie::NotUtf8),
        HostFault::NamesNotUtf8 => Behaviour::Lie(Lie::NamesNotUtf8),
        HostFault::Bytes(told) => Behaviour::Lie(Lie::Bytes(told.bytes())),
        HostFault::Number(told) => Behaviour::Lie(Lie::Number(*told)),
    }
}
