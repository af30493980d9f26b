//! `spec.forwarded`, compiled: what the chain means for this request and what the next hop gets.

use std::net::IpAddr;
use std::sync::Arc;

use super::chain::{Chain, Resolved};
use super::cidr::CidrMap;
use super::companions::Companions;
use super::elements::{XFF, from_right, list};
use super::{Anomalies, Client, Finding, How, Unknown};
use crate::decision::Draft;
use crate::headers::Edit;
use crate::matching::{Path, PathPattern};
use crate::reason::Reason;
use crate::request::{Needs, Position, Request};
use crate::spec::{self, Outbound};

#[derive(Clone, Debug)]
pub(crate) struct Forwarded {
    chain: Chain,
    outbound: Outbound,
    client_ip_header: Option<Arc<str>>,
    /// The name of the header that most requests get written.
    xff: Arc<str>,
    lists: Option<Lists>,
    companions: Companions,
    /// Paths where a broken chain refuses nothing.
    exempt: Vec<PathPattern>,
}

#[derive(Clone, Debug)]
struct Lists {
    /// True: may come.
    entries: CidrMap,
    /// For an address in no list.
    otherwise: bool,
}

impl Forwarded {
    pub fn compile(wire: &spec::Forwarded) -> Self {
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
            xff: XFF.into(),
            lists: (!wire.allow.is_empty() || !wire.deny.is_empty()).then(|| Lists {
                entries: CidrMap::new(entries),
                otherwise: wire.allow.is_empty(),
            }),
            companions: Companions::compile(&wire.companions),
            exempt: wire.exempt.clone(),
        }
    }

    /// Adds what has to be read for the chain.
    pub fn add_needs(&self, position: Option<Position>, needs: &mut Needs) {
        let sidecar = position != Some(Position::Gateway);
        needs.identity |= self.chain.knows_identities();
        needs.address |= sidecar || self.chain.emulates_envoy();
        let distrusts = sidecar || self.chain.may_distrust_peer();
        needs.tls |= self.companions.needs_tls(distrusts)
            || self.chain.may_strip()
            || self.chain.may_leave_peer_unjudged()
            || !self.exempt.is_empty();
    }

    /// Whether a trailer is the chain or one of its companions, see [`crate::Policy::strips_trailer`].
    pub fn strips_trailer(&self, name: &[u8]) -> bool {
        self.companions.tells_client(name)
    }

    /// Finds the client: strips what nobody trusted wrote, then refuses, or writes what the next hop gets.
    pub fn resolve(
        &self,
        request: &Request<'_>,
        position: Position,
        draft: &mut Draft,
    ) -> Result<(), Reason> {
        let list = list(request);
        let chain = list.as_deref();
        let mut finding = self.chain.find(request, position, chain);
        let exempt = !finding.anomalies.is_empty() && self.is_exempt(request);
        if exempt && let Some(peer) = Chain::sole_peer(&finding, position) {
            // A check brings no headers of a proxy: none of its companions is one's.
            finding.peer_trusted = false;
            finding.client = Client::Known(peer, How::Peer);
            finding.client_index = (finding.elements > 0).then_some(0);
            finding.anomalies = Anomalies::default();
        }
        draft.trace.finding = Some(finding);
        draft.client = finding.client;
        let resolved = match self.chain.resolve(&finding) {
            Resolved::Reject(anomaly) if exempt => {
                Resolved::Strip(Client::Unknown(Unknown::Anomaly(anomaly)))
            }
            other => other,
        };
        let stripped = matches!(resolved, Resolved::Strip(_));
        self.companions
            .strip(request, finding.peer_trusted, stripped, draft);
        draft.client = match resolved {
            Resolved::Reject(anomaly) => return Err(anomaly.reason()),
            Resolved::Strip(client) | Resolved::Go(client) => client,
        };
        self.admit(draft.client)?;
        let written = self.client_ip_header.is_some()
            || matches!(self.outbound, Outbound::Replace | Outbound::Truncate);
        let address = draft.client.address().filter(|_| written);
        let next = Next {
            finding,
            stripped,
            exempt,
            // Spelled once for `x-forwarded-for` and the header of `clientIpHeader`.
            client: address.map(spell),
        };
        self.send_on(request, position, chain, &next, draft);
        if let (Some(name), Some(client)) = (&self.client_ip_header, next.client) {
            draft.effects.push(Edit::Set(Arc::clone(name), client));
        }
        Ok(())
    }

    /// Whether a broken chain refuses nothing here. A path that could be read in two ways is not exempt.
    fn is_exempt(&self, request: &Request<'_>) -> bool {
        if self.exempt.is_empty() {
            return false;
        }
        Path::parse(request.first(":path").unwrap_or_default())
            .is_ok_and(|path| self.exempt.iter().any(|pattern| pattern.matches(&path)))
    }

    /// The lists. An IPv4 address in IPv6 clothes, as mode `Envoy` leaves it, is the IPv4 address here: it must not walk around a list.
    fn admit(&self, client: Client) -> Result<(), Reason> {
        let Some(lists) = &self.lists else {
            return Ok(());
        };
        let address = client
            .address()
            .ok_or(Reason::ClientUnknown)?
            .to_canonical();
        let admitted = lists.entries.get(address).unwrap_or(lists.otherwise);
        admitted.then_some(()).ok_or(Reason::ClientDenied)
    }

    /// Writes `x-forwarded-for` for the next hop, where it differs from what is there.
    fn send_on(
        &self,
        request: &Request<'_>,
        position: Position,
        chain: Option<&[u8]>,
        next: &Next,
        draft: &mut Draft,
    ) {
        let Next {
            finding,
            stripped,
            exempt,
            client,
        } = next;
        let peer = || finding.peer.map(spell);
        // What is left of a chain that is dropped: at a gateway the peer, which Envoy itself has appended. Not on an exempt path: a sidecar that trusts the
        // peer would take it for the client.
        let own = || peer().filter(|_| position == Position::Gateway && !exempt);
        let written: Option<Arc<[u8]>> = match self.outbound {
            Outbound::Append
                if position == Position::SidecarInbound && (*stripped || chain.is_none()) =>
            {
                peer()
            }
            Outbound::Keep | Outbound::Append if *stripped => own(),
            Outbound::Keep | Outbound::Append => return,
            Outbound::Replace => client.clone(),
            Outbound::Truncate => match (client, finding.client_index, chain) {
                (Some(_), Some(index), Some(chain)) if !stripped => self.truncated(chain, index),
                _ => client.clone(),
            },
            Outbound::Strip => None,
        };
        match (written, chain) {
            (Some(written), Some(chain))
                if *written == *chain && request.headers.all(XFF).count() == 1 => {}
            (Some(written), _) => draft
                .effects
                .push(Edit::Set(Arc::clone(&self.xff), written)),
            (None, Some(_)) => draft.effects.push(Edit::remove(XFF)),
            (None, None) => {}
        }
        // It would go on telling the chain that was rewritten.
        if matches!(
            self.outbound,
            Outbound::Replace | Outbound::Truncate | Outbound::Strip
        ) && request.first("forwarded").is_some()
        {
            draft.effects.push(Edit::remove("forwarded"));
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
                .map(|address| spell(address).to_vec()),
        };
        let kept: Option<Vec<Vec<u8>>> = kept.into_iter().rev().map(spell).collect();
        Some(kept?.join(&b","[..]).into())
    }
}

/// An address in its plain spelling. IPv4 is written here, since it is what most requests need and the library's formatter costs more than all the rest of the chain.
fn spell(address: IpAddr) -> Arc<[u8]> {
    let IpAddr::V4(v4) = address else {
        return Arc::from(address.to_string().into_bytes());
    };
    let mut text = [b'.'; "255.255.255.255".len()];
    let mut places = text.iter_mut();
    let mut length = 0;
    for (index, octet) in v4.octets().into_iter().enumerate() {
        if index > 0 {
            // The dot is there.
            length += usize::from(places.next().is_some());
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let zeros = digits
            .iter()
            .take(2)
            .take_while(|digit| **digit == 0)
            .count();
        for digit in digits.iter().skip(zeros) {
            if let Some(place) = places.next() {
                *place = b'0' + digit;
                length += 1;
            }
        }
    }
    text.get(..length).unwrap_or_default().into()
}

/// What the next hop's chain is made of.
struct Next {
    finding: Finding,
    stripped: bool,
    exempt: bool,
    client: Option<Arc<[u8]>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_spelled_as_the_library_does() {
        for octet in 0..=255 {
            for address in [[octet, 0, 10, 255], [9, 99, octet, 100]] {
                let address = IpAddr::from(address);
                assert_eq!(*spell(address), *address.to_string().as_bytes());
            }
        }
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(*spell(v6), *b"2001:db8::1");
    }
}
