//! `spec.forwarded`, compiled: what the chain means for this request and what the next hop gets.

use std::net::IpAddr;
use std::sync::Arc;

use crate::chain::elements::{XFF, from_right, list};
use crate::chain::{Chain, Client, Finding, Resolved};
use crate::config::{self, Companions, Outbound};
use crate::decision::{Edit, Trace};
use crate::net::CidrMap;
use crate::reason::Reason;
use crate::request::{Needs, Position, Request};

#[derive(Clone, Debug)]
pub(crate) struct Forwarded {
    chain: Chain,
    outbound: Outbound,
    client_ip_header: Option<Arc<str>>,
    lists: Option<Lists>,
    companions: Companions,
}

#[derive(Clone, Debug)]
struct Lists {
    /// True: may come.
    entries: CidrMap<bool>,
    /// For an address in no list.
    otherwise: bool,
}

/// Headers that tell about the client beside the chain. Whoever is not trusted with the chain is not trusted with them.
const COMPANIONS: [&str; 9] = [
    "forwarded",
    "x-real-ip",
    "x-forwarded-host",
    "x-forwarded-port",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
];
const PROTO: &str = "x-forwarded-proto";

impl Forwarded {
    pub fn compile(wire: &config::Forwarded) -> Self {
        let entries = wire
            .allow
            .iter()
            .map(|block| (*block, true))
            .chain(wire.deny.iter().map(|block| (*block, false)));
        Self {
            chain: Chain::compile(wire),
            outbound: wire.outbound,
            client_ip_header: wire
                .client_ip_header
                .as_ref()
                .map(|name| name.as_str().into()),
            lists: (!wire.allow.is_empty() || !wire.deny.is_empty()).then(|| Lists {
                entries: CidrMap::new(entries),
                otherwise: wire.allow.is_empty(),
            }),
            companions: wire.companions,
        }
    }

    /// Adds what has to be read for the chain.
    pub fn add_needs(&self, position: Option<Position>, needs: &mut Needs) {
        let gateway = position.is_none_or(|position| position == Position::Gateway);
        let sidecar = position != Some(Position::Gateway);
        needs.identity |= self.chain.knows_identities();
        needs.address |= sidecar || self.chain.emulates_envoy();
        needs.tls |= self.companions == Companions::FromTrustedPeers
            && (sidecar || (gateway && self.chain.may_distrust_peer()));
    }

    /// Judges the chain: strips what can't be believed, then refuses or tells the next hop.
    pub fn judge(
        &self,
        request: &Request<'_>,
        position: Position,
        edits: &mut Vec<Edit>,
        trace: &mut Trace,
    ) -> Result<Client, (Client, Reason)> {
        let finding = self.chain.find(request, position);
        trace.finding = Some(finding);
        let resolved = self.chain.resolve(&finding);
        let stripped = matches!(resolved, Resolved::Strip(_));
        if stripped || (self.companions == Companions::FromTrustedPeers && !finding.peer_trusted) {
            strip_companions(request, edits);
        }
        let client = match resolved {
            Resolved::Reject(reason) => return Err((finding.client, reason)),
            Resolved::Strip(client) | Resolved::Go(client) => client,
        };
        self.admit(client).map_err(|reason| (client, reason))?;
        let text: Option<Arc<[u8]>> = self
            .writes_client()
            .then(|| client.address())
            .flatten()
            .map(|address| address.to_string().into_bytes().into());
        self.send_on(
            request,
            position,
            &finding,
            stripped,
            client,
            text.as_ref(),
            edits,
        );
        if let (Some(name), Some(text)) = (&self.client_ip_header, text) {
            edits.push(Edit::Set(Arc::clone(name), text));
        }
        Ok(client)
    }

    fn writes_client(&self) -> bool {
        self.client_ip_header.is_some()
            || matches!(self.outbound, Outbound::Replace | Outbound::Truncate)
    }

    fn admit(&self, client: Client) -> Result<(), Reason> {
        match (&self.lists, client.address()) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Reason::ClientUnknown),
            (Some(lists), Some(address))
                if lists.entries.get(address).unwrap_or(lists.otherwise) =>
            {
                Ok(())
            }
            (Some(_), Some(_)) => Err(Reason::ClientDenied),
        }
    }

    /// Writes `x-forwarded-for` for the next hop, where it differs from what is there.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call, and each is a fact about this one request"
    )]
    fn send_on(
        &self,
        request: &Request<'_>,
        position: Position,
        finding: &Finding,
        stripped: bool,
        client: Client,
        text: Option<&Arc<[u8]>>,
        edits: &mut Vec<Edit>,
    ) {
        let chain = list(request);
        // What is left of the chain when nobody can be believed: at a gateway the peer, whom Envoy itself wrote down.
        let own = || match position {
            Position::Gateway => finding
                .peer
                .map(|peer| Arc::from(peer.to_string().into_bytes())),
            Position::SidecarInbound | Position::SidecarOutbound => None,
        };
        let next: Option<Arc<[u8]>> = match self.outbound {
            Outbound::Keep if !stripped => return,
            Outbound::Keep => own(),
            Outbound::Append => match (position, finding.peer) {
                (Position::SidecarInbound, Some(peer)) if stripped || chain.is_none() => {
                    Some(peer.to_string().into_bytes().into())
                }
                _ if stripped => own(),
                _ => return,
            },
            Outbound::Replace => text.cloned(),
            Outbound::Truncate => match (text, finding.client_index, &chain) {
                (Some(text), Some(index), Some(chain))
                    if !stripped && finding.client.address() == client.address() =>
                {
                    self.truncated(chain, index)
                        .or_else(|| Some(Arc::clone(text)))
                }
                (text, ..) => text.cloned(),
            },
            Outbound::Strip => None,
        };
        match (next, chain) {
            (Some(next), Some(chain)) if *next == *chain && request.all(XFF).count() == 1 => {}
            (Some(next), _) => edits.push(Edit::set(XFF, next)),
            (None, Some(_)) => edits.push(Edit::remove(XFF)),
            (None, None) => {}
        }
        // It would go on telling the chain that was rewritten.
        if matches!(
            self.outbound,
            Outbound::Replace | Outbound::Truncate | Outbound::Strip
        ) && request.first("forwarded").is_some()
        {
            remove_once("forwarded", edits);
        }
    }

    /// The client and what is right of it, each in this mode's plain spelling.
    fn truncated(&self, chain: &[u8], index: u32) -> Option<Arc<[u8]>> {
        let kept: Vec<&[u8]> = from_right(chain)
            .take(usize::try_from(index).ok()? + 1)
            .collect();
        let spell = |element: &[u8]| match self.chain.emulates_envoy() {
            true => Some(element.to_vec()),
            false => self
                .chain
                .parse(element)
                .map(|address: IpAddr| address.to_string().into_bytes()),
        };
        let kept: Option<Vec<Vec<u8>>> = kept.into_iter().rev().map(spell).collect();
        Some(kept?.join(&b","[..]).into())
    }
}

fn strip_companions(request: &Request<'_>, edits: &mut Vec<Edit>) {
    for (name, _) in request.headers {
        if let Some(companion) = COMPANIONS
            .iter()
            .find(|companion| companion.as_bytes() == *name)
        {
            remove_once(companion, edits);
        }
    }
    let own: &[u8] = if request.tls { b"https" } else { b"http" };
    let mut told = request.all(PROTO);
    // Envoy writes this header where it is missing, so an absent one stays so.
    if told.next().is_some_and(|value| value != own) || told.next().is_some() {
        edits.push(Edit::set(PROTO, own));
    }
}

fn remove_once(name: &str, edits: &mut Vec<Edit>) {
    if !edits.iter().any(|edit| edit.name() == name) {
        edits.push(Edit::remove(name));
    }
}
