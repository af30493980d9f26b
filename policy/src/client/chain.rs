//! Who is the client? The forwarded chain, read from the right.
//!
//! Every proxy appends its peer to `x-forwarded-for`, so the rightmost element was written by the nearest proxy and everything left of the last trusted one by strangers.
//! INVARIANT: right-to-left: what stands left of a client that was found never changes who the client is, and nothing but its length can get the request refused.

use std::net::IpAddr;

use super::cidr::{CidrMap, is_private};
use super::elements::{from_right, lenient, strict, trim};
use super::envoy::Emulated;
use super::walk::ChainWalk;
use super::{Anomaly, Client, Finding, Unknown, rfc7239};
use crate::request::{Position, Request};
use crate::spec::{Action, ChainMode, Forwarded, GatewaySends, Hops, Limits};

/// What to do about a finding.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolved {
    Reject(Anomaly),
    Strip(Client),
    Go(Client),
}

/// `spec.forwarded`, compiled: who is trusted and what follows.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    trust: Trust,
    lenient: bool,
    pub(super) canonical: bool,
    /// Whether a trusted peer's `forwarded` header goes on, so that it must name the same chain.
    compares: bool,
    pub(super) limits: Limits,
    actions: [Action; Anomaly::ALL.len()],
}

#[derive(Clone, Debug)]
enum Trust {
    Emulated(Emulated),
    Judged {
        hops: Option<Hops>,
        cidrs: Option<CidrMap>,
        identities: Vec<String>,
    },
}

impl Chain {
    pub fn compile(wire: &Forwarded) -> Self {
        let cidrs = (!wire.cidrs.is_empty())
            .then(|| CidrMap::new(wire.cidrs.iter().map(|block| (*block, true))));
        let trust = match (wire.mode, cidrs) {
            (ChainMode::Envoy, Some(cidrs)) => Trust::Emulated(Emulated::Cidrs(cidrs)),
            (ChainMode::Envoy, None) => {
                // One of the two is there.
                let hops = wire.hops.map(|hops| hops.min);
                Trust::Emulated(Emulated::Hops(hops.unwrap_or_default()))
            }
            (_, cidrs) => Trust::Judged {
                hops: wire.hops,
                cidrs,
                identities: wire.identities.clone(),
            },
        };
        let actions = Anomaly::ALL.map(|anomaly| {
            let named = wire.anomalies.iter().find(|(name, _)| *name == anomaly);
            named.map_or(anomaly.default_action(), |(_, action)| *action)
        });
        Self {
            trust,
            lenient: wire.mode == ChainMode::Lenient,
            canonical: wire.gateway_sends == Some(GatewaySends::Canonical),
            compares: wire.companions.keeps("forwarded"),
            limits: wire.limits.unwrap_or(Limits::DEFAULT),
            actions,
        }
    }

    /// Whether this is Envoy's own reading, which has no anomalies.
    pub fn emulates_envoy(&self) -> bool {
        matches!(self.trust, Trust::Emulated(_))
    }

    /// Whether a gateway can meet a peer that it does not trust.
    pub fn may_distrust_peer(&self) -> bool {
        match &self.trust {
            Trust::Emulated(Emulated::Hops(hops)) => *hops == 0,
            Trust::Emulated(Emulated::Cidrs(_)) => true,
            Trust::Judged {
                hops,
                cidrs,
                identities,
            } => cidrs.is_some() || !identities.is_empty() || hops.is_none_or(|hops| hops.min == 0),
        }
    }

    /// Whether a chain that ends the walk before its peer was judged can go on.
    pub fn may_leave_peer_unjudged(&self) -> bool {
        // Without any chain, as on a Unix socket, there are too few hops and no peer.
        [Anomaly::TooLong, Anomaly::Malformed, Anomaly::TooFewHops]
            .into_iter()
            .any(|anomaly| self.action(anomaly) == Action::Allow)
    }

    /// Whether a chain can be dropped whole.
    pub fn may_strip(&self) -> bool {
        let strips = |anomaly: Anomaly| self.action(anomaly) == Action::Strip;
        !self.emulates_envoy()
            && Anomaly::ALL.into_iter().any(|anomaly| {
                strips(anomaly) && (anomaly != Anomaly::UntrustedPeer || self.may_distrust_peer())
            })
    }

    fn action(&self, anomaly: Anomaly) -> Action {
        self.actions
            .get(anomaly as usize)
            .copied()
            .unwrap_or(Action::Reject)
    }

    /// Whether a peer's identity matters.
    pub fn knows_identities(&self) -> bool {
        matches!(&self.trust, Trust::Judged { identities, .. } if !identities.is_empty())
    }

    /// Reads the chain, which is what [`elements::list`] makes of the request.
    pub fn find(&self, request: &Request<'_>, position: Position, list: Option<&[u8]>) -> Finding {
        let mut finding = match &self.trust {
            Trust::Emulated(emulated) => return self.emulate(emulated, request, position, list),
            Trust::Judged {
                hops,
                cidrs,
                identities,
            } => {
                let judge = ChainWalk {
                    chain: self,
                    hops: *hops,
                    cidrs: cidrs.as_ref(),
                    identities,
                    request,
                };
                match position {
                    Position::Gateway => judge.at_gateway(list),
                    // An outbound request that is judged comes from the workload itself, which is no proxy.
                    Position::SidecarInbound | Position::SidecarOutbound => judge.at_sidecar(list),
                }
            }
        };
        if self.compares && finding.peer_trusted {
            self.compare_forwarded(request, list, &mut finding);
        }
        if finding.client.address().is_some_and(is_private) {
            finding.anomalies.add(Anomaly::PrivateClient);
        }
        finding
    }

    /// Applies the actions to a finding.
    pub fn resolve(&self, finding: &Finding) -> Resolved {
        if self.emulates_envoy() {
            return Resolved::Go(finding.client);
        }
        let action = |anomaly| self.action(anomaly);
        if let Some(rejected) = finding
            .anomalies
            .iter()
            .find(|anomaly| action(*anomaly) == Action::Reject)
        {
            return Resolved::Reject(rejected);
        }
        let mut client = finding.client;
        let mut strip = false;
        for anomaly in finding
            .anomalies
            .iter()
            .filter(|anomaly| action(*anomaly) == Action::Strip)
        {
            strip = true;
            if anomaly.voids_client() {
                client = Client::Unknown(Unknown::Anomaly(anomaly));
            }
        }
        if strip {
            Resolved::Strip(client)
        } else {
            Resolved::Go(client)
        }
    }

    /// An element's address in this mode's spelling.
    pub fn parse(&self, element: &[u8]) -> Option<IpAddr> {
        if self.lenient {
            lenient(element)
        } else {
            strict(element)
        }
    }

    fn emulate(
        &self,
        emulated: &Emulated,
        request: &Request<'_>,
        position: Position,
        list: Option<&[u8]>,
    ) -> Finding {
        let (client, index) = match position {
            Position::Gateway => emulated.at_gateway(list, request.peer.address),
            Position::SidecarInbound | Position::SidecarOutbound => {
                emulated.at_sidecar(list, request.peer.address)
            }
        };
        let mut finding = Finding::new(client);
        finding.elements = list.map_or(0, count);
        finding.peer = request.peer.address;
        finding.client_index = index;
        finding.trusted = index.unwrap_or(0);
        finding.peer_trusted = index.is_some() || !self.may_distrust_peer();
        finding
    }

    /// The direct peer of a request without any received chain: at a gateway the one element that Envoy appended. A gateway in front of a sidecar may have dropped
    /// the chain that it received, so a request without one from a trusted gateway proves nothing about where it began.
    pub fn sole_peer(finding: &Finding, position: Position) -> Option<IpAddr> {
        match (position, finding.elements) {
            (Position::Gateway, 1) => finding.peer,
            (Position::SidecarInbound, 0) if !finding.peer_trusted => finding.peer,
            _ => None,
        }
    }

    /// A `forwarded` header must name the chain that `x-forwarded-for` names; whether the last proxy wrote both or only the latter is left open. A node without an
    /// address (none at all, `unknown`, `_hidden`) contradicts nothing.
    fn compare_forwarded(&self, request: &Request<'_>, list: Option<&[u8]>, finding: &mut Finding) {
        if request.first("forwarded").is_none() || finding.anomalies.contains(Anomaly::TooLong) {
            return;
        }
        let mut chain: Vec<Option<IpAddr>> =
            list.map_or_else(Vec::new, |list| from_right(list).map(lenient).collect());
        chain.reverse();
        let same = |nodes: &[Option<IpAddr>], chain: &[Option<IpAddr>]| {
            nodes.len() == chain.len()
                && nodes
                    .iter()
                    .zip(chain)
                    .all(|(node, element)| node.is_none() || node == element)
        };
        let agrees = rfc7239::nodes(request.headers.all("forwarded")).is_some_and(|nodes| {
            nodes.iter().all(Option::is_none)
                || same(&nodes, &chain)
                || chain
                    .split_last()
                    .is_some_and(|(_, left)| same(&nodes, left))
        });
        if !agrees {
            finding.anomalies.add(Anomaly::Conflict);
        }
    }
}

/// How many elements a list has; an empty list has none.
pub(super) fn count(list: &[u8]) -> u32 {
    if trim(list).is_empty() {
        0
    } else {
        u32::try_from(from_right(list).count()).unwrap_or(u32::MAX)
    }
}
