//! What Envoy itself takes for the client, bit for bit: mode `Envoy`.
//!
//! Source: Envoy's connection manager and its `xff` original-IP detection (headers.rst, "x-forwarded-for"; measured against 1.40). One thing can't be known here:
//! an IPv6 zone id is accepted by Envoy where the named interface exists on the host.

use std::net::IpAddr;

use super::elements::{bare, from_right, trim};
use super::{Client, How, Unknown};
use crate::net::CidrMap;

/// Envoy's CIDR walk gives up on longer lists.
const MOST_ENTRIES: usize = 20;

/// Whom the policy tells Envoy to trust.
#[derive(Clone, Debug)]
pub(crate) enum Emulated {
    Hops(u32),
    Cidrs(CidrMap<()>),
}

impl Emulated {
    /// At a gateway (`use_remote_address: true`): the list ends in the peer, which Envoy appended; hops count from what was received.
    pub fn at_gateway(&self, list: Option<&[u8]>, peer: Option<IpAddr>) -> Client {
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
        client(found, peer)
    }

    /// Inside the mesh (`use_remote_address: false`): nothing was appended, and hops are skipped from the right.
    pub fn at_sidecar(&self, list: Option<&[u8]>, peer: Option<IpAddr>) -> Client {
        let found = match self {
            Self::Hops(hops) => list.and_then(|list| nth_from_right(list, *hops)),
            Self::Cidrs(trusted) => list.and_then(|list| walk(list, peer, trusted)),
        };
        client(found, peer)
    }
}

fn client(found: Option<IpAddr>, peer: Option<IpAddr>) -> Client {
    match (found, peer) {
        (Some(address), _) => Client::Known(address, How::Chain),
        (None, Some(address)) => Client::Known(address, How::Peer),
        (None, None) => Client::Unknown(Unknown::NoChain),
    }
}

/// The element after skipping `skip` from the right: an address or nothing; a bad element is never skipped for a better one.
pub(crate) fn nth_from_right(list: &[u8], skip: u32) -> Option<IpAddr> {
    bare(from_right(list).nth(usize::try_from(skip).ok()?)?)
}

/// The rightmost address that is not trusted; when all are, the leftmost.
fn walk(list: &[u8], peer: Option<IpAddr>, trusted: &CidrMap<()>) -> Option<IpAddr> {
    trusted.get(peer?)?;
    if from_right(list).count() > MOST_ENTRIES {
        return None;
    }
    let mut leftmost = None;
    for element in from_right(list) {
        let address = bare(element)?;
        leftmost = Some(address);
        if trusted.get(address).is_none() {
            break;
        }
    }
    leftmost
}
