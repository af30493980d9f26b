//! What Envoy itself takes for the client, bit for bit: mode `Envoy`.
//!
//! Source: Envoy's connection manager and its `xff` original-IP detection (headers.rst, "x-forwarded-for"; measured against 1.40). One thing can't be known here:
//! an IPv6 zone id is accepted by Envoy where the named interface exists on the host.

use std::net::IpAddr;

use super::cidr::CidrMap;
use super::elements::{bare, from_right, trim};
use super::{Client, How, Unknown};

/// Envoy's CIDR walk gives up on longer lists.
const MOST_ENTRIES: usize = 20;

/// Whom the policy tells Envoy to trust.
#[derive(Clone, Debug)]
pub(crate) enum Emulated {
    Hops(u32),
    Cidrs(CidrMap),
}

impl Emulated {
    /// At a gateway (`use_remote_address: true`): the list ends in the peer, which Envoy appended; hops count from what was received. The index counts from the right of the whole list.
    pub fn at_gateway(&self, list: Option<&[u8]>, peer: Option<IpAddr>) -> (Client, Option<u32>) {
        let list = list.unwrap_or_default();
        let (received, appended) = match list.iter().rposition(|b| *b == b',') {
            Some(comma) => (list.get(..comma), list.get(comma + 1..)),
            None => (None, Some(list)),
        };
        let peer = peer.or_else(|| bare(trim(appended.unwrap_or_default())));
        let found = match self {
            Self::Hops(0) => None,
            Self::Hops(hops) => received.and_then(|list| nth_from_right(list, hops - 1)),
            Self::Cidrs(trusted) => received.and_then(|list| walk(list, peer, trusted)),
        };
        client(found.map(|found| found.behind_peer()), peer)
    }

    /// Inside the mesh (`use_remote_address: false`): nothing was appended, and hops are skipped from the right.
    pub fn at_sidecar(&self, list: Option<&[u8]>, peer: Option<IpAddr>) -> (Client, Option<u32>) {
        let found = match self {
            Self::Hops(hops) => list.and_then(|list| nth_from_right(list, *hops)),
            Self::Cidrs(trusted) => list.and_then(|list| walk(list, peer, trusted)),
        };
        client(found, peer)
    }
}

/// An element of the list that Envoy takes for the client.
struct Found {
    address: IpAddr,
    how: How,
    /// From the right.
    index: u32,
}

impl Found {
    fn behind_peer(self) -> Self {
        Self {
            index: self.index.saturating_add(1),
            ..self
        }
    }
}

fn client(found: Option<Found>, peer: Option<IpAddr>) -> (Client, Option<u32>) {
    match (found, peer) {
        (Some(found), _) => (Client::Known(found.address, found.how), Some(found.index)),
        (None, Some(address)) => (Client::Known(address, How::Peer), None),
        (None, None) => (Client::Unknown(Unknown::NoChain), None),
    }
}

/// The element after skipping `skip` from the right: an address or nothing; a bad element is never skipped for a better one.
fn nth_from_right(list: &[u8], skip: u32) -> Option<Found> {
    Some(Found {
        address: bare(from_right(list).nth(usize::try_from(skip).ok()?)?)?,
        how: How::Chain,
        index: skip,
    })
}

/// The rightmost address that is not trusted; when all are, the leftmost.
fn walk(list: &[u8], peer: Option<IpAddr>, trusted: &CidrMap) -> Option<Found> {
    trusted.get(peer?)?;
    if from_right(list).count() > MOST_ENTRIES {
        return None;
    }
    let mut leftmost = None;
    for (index, element) in (0..).zip(from_right(list)) {
        let address = bare(element)?;
        let known = trusted.get(address).is_some();
        let how = if known { How::AllTrusted } else { How::Chain };
        leftmost = Some(Found {
            address,
            how,
            index,
        });
        if !known {
            break;
        }
    }
    leftmost
}
