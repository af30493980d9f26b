//! One reading of one chain, from the right.

use std::net::IpAddr;

use super::chain::{Chain, count};
use super::cidr::CidrMap;
use super::elements::{from_right, trim};
use super::{Anomaly, Client, Finding, How, Unknown};
use crate::request::Request;
use crate::spec::Hops;

/// One reading of one chain.
pub(super) struct ChainWalk<'a, 'r> {
    pub chain: &'a Chain,
    pub hops: Option<Hops>,
    pub cidrs: Option<&'a CidrMap>,
    pub identities: &'a [String],
    pub request: &'a Request<'r>,
}

impl ChainWalk<'_, '_> {
    pub fn at_gateway(&self, list: Option<&[u8]>) -> Finding {
        // The last element was appended by this Envoy. Without a list there was no address to append (a Unix socket).
        let Some(list) = list else {
            let mut finding = Finding::new(Client::Unknown(Unknown::NoChain));
            let by_place = self.cidrs.is_none() && self.identities.is_empty();
            let due = by_place && self.hops.is_some_and(|hops| hops.min > 0);
            finding.unknown(if due {
                Anomaly::TooFewHops
            } else {
                Anomaly::UntrustedPeer
            });
            return finding;
        };
        let appended = list.iter().rposition(|b| *b == b',');
        let peer = list
            .get(appended.map_or(0, |comma| comma + 1)..)
            .and_then(|element| self.chain.parse(trim(element)));
        let by_identity = self.cidrs.is_none() && !self.identities.is_empty();
        let mut finding = if !by_identity {
            self.walk(list)
        } else if !self.knows_peer() {
            self.untrusted(list, peer.map(|peer| Client::Known(peer, How::Peer)))
        } else if self.chain.canonical && self.hops.is_none() {
            self.one(list.get(..appended.unwrap_or(0)).unwrap_or_default())
                .behind_peer()
        } else {
            self.walk(list)
        };
        finding.peer = peer;
        finding
    }

    pub fn at_sidecar(&self, list: Option<&[u8]>) -> Finding {
        let list = trim(list.unwrap_or_default());
        let peer = self.request.peer.address;
        let mut finding = if !self.knows_peer() {
            let client = peer
                .filter(|_| list.is_empty())
                .map(|peer| Client::Known(peer, How::Peer));
            self.untrusted(list, client)
        } else {
            let mut finding = if self.chain.canonical || list.is_empty() {
                self.one(list)
            } else {
                self.walk(list)
            };
            finding.peer_trusted = true;
            finding
        };
        finding.peer = peer;
        finding
    }

    /// A list of a peer whose identity is not trusted: strangers wrote all of it, so only its size is checked.
    fn untrusted(&self, list: &[u8], client: Option<Client>) -> Finding {
        let mut finding = Finding::new(Client::Unknown(Unknown::NoChain));
        finding.elements = count(list);
        if self.limit(list, &mut finding) {
            finding.anomalies.add(Anomaly::UntrustedPeer);
            return finding;
        }
        finding.unknown(Anomaly::UntrustedPeer);
        if let Some(client) = client {
            finding.client = client;
            finding.client_index = (finding.elements > 0).then_some(0);
        }
        finding
    }

    /// Whether the peer's identity is one of those that are trusted.
    fn knows_peer(&self) -> bool {
        let Some(identity) = self.request.peer.identity else {
            return false;
        };
        self.identities
            .iter()
            .any(|known| match known.strip_suffix('*') {
                Some(prefix) => identity.starts_with(prefix.as_bytes()),
                None => identity == known.as_bytes(),
            })
    }

    /// Notes a list that is over a limit.
    fn limit(&self, list: &[u8], finding: &mut Finding) -> bool {
        let over = list.len() > self.chain.limits.bytes as usize
            || finding.elements > self.chain.limits.elements;
        if over {
            finding.unknown(Anomaly::TooLong);
        }
        over
    }

    /// A list that a trusted gateway made of one address.
    fn one(&self, list: &[u8]) -> Finding {
        let mut finding = Finding::new(Client::Unknown(Unknown::NoChain));
        finding.elements = count(list);
        if self.limit(list, &mut finding) {
            return finding;
        }
        match (finding.elements, self.chain.parse(trim(list))) {
            (1, Some(address)) => {
                finding.client = Client::Known(address, How::Canonical);
                finding.client_index = Some(0);
            }
            (0, _) => finding.unknown(Anomaly::TooFewHops),
            (1, None) => finding.unknown(Anomaly::Malformed),
            _ => finding.unknown(Anomaly::TooManyHops),
        }
        finding
    }

    /// Walks a list from the right, over the trusted proxies to the client.
    fn walk(&self, list: &[u8]) -> Finding {
        let mut finding = Finding::new(Client::Unknown(Unknown::NoChain));
        finding.elements = count(list);
        if self.limit(list, &mut finding) {
            return finding;
        }
        // What stands left of the first element that is no trusted proxy was written by strangers, so nothing of it is read.
        let (mut all_trusted, mut leftmost) = (true, None);
        let mut due = None;
        for (index, element) in (0u32..).zip(from_right(list)) {
            let address = self.chain.parse(element);
            if !address.is_some_and(|address| self.trusts(address, index)) {
                all_trusted = false;
                due = address;
                break;
            }
            finding.trusted += 1;
            leftmost = address;
        }
        finding.peer_trusted = finding.trusted > 0;
        if !all_trusted && due.is_none() {
            finding.unknown(Anomaly::Malformed);
            return finding;
        }
        self.count_hops(&mut finding, all_trusted);
        if !finding.anomalies.contains(Anomaly::TooFewHops)
            && !finding.anomalies.contains(Anomaly::TooManyHops)
        {
            let index = finding.trusted.min(finding.elements.saturating_sub(1));
            let (address, how) = match (all_trusted, self.vouches()) {
                (true, true) => (leftmost, How::Vouched),
                (true, false) => (leftmost, How::AllTrusted),
                (false, _) if finding.trusted == 0 => (due, How::Peer),
                (false, _) => (due, How::Chain),
            };
            if let Some(address) = address {
                finding.client = Client::Known(address, how);
                finding.client_index = Some(index);
            }
        }
        finding
    }

    /// Whether the chain is taken whole because a trusted identity sent it.
    fn vouches(&self) -> bool {
        self.cidrs.is_none()
            && !self.identities.is_empty()
            && self.hops.is_none_or(|hops| hops.range)
    }

    /// Whether an element is a trusted proxy: by its address, by its place, or because the peer vouches for it.
    fn trusts(&self, address: IpAddr, index: u32) -> bool {
        match (self.cidrs, self.hops) {
            (Some(cidrs), _) => cidrs.get(address).is_some(),
            (None, Some(hops)) if !self.vouches() => index < hops.min,
            _ => true,
        }
    }

    /// Compares the number of trusted hops with what is due.
    fn count_hops(&self, finding: &mut Finding, all_trusted: bool) {
        let by_place = self.cidrs.is_none() && !self.vouches();
        if all_trusted && by_place {
            // The list ends before the client's place.
            finding.unknown(Anomaly::TooFewHops);
            return;
        }
        if self.vouches() {
            // The leftmost is the client, so it is no hop.
            finding.trusted = finding.trusted.saturating_sub(1);
        }
        match self.hops {
            Some(hops) if finding.trusted < hops.min => finding.unknown(Anomaly::TooFewHops),
            Some(hops) if finding.trusted > hops.max => finding.unknown(Anomaly::TooManyHops),
            None if finding.trusted == 0 && self.cidrs.is_some() => {
                finding.anomalies.add(Anomaly::UntrustedPeer)
            }
            _ => {}
        }
        if all_trusted && !self.vouches() {
            finding.anomalies.add(Anomaly::AllTrusted);
        }
    }
}
