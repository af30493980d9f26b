//! What Istio's and Envoy's properties mean: where the proxy stands, and who the peer is.

use std::net::{IpAddr, SocketAddr};

use policy::Position;

/// Whether a node id is one that [`position`] can use.
pub(crate) fn is_known(node_id: &[u8]) -> bool {
    node_id.starts_with(b"router~") || node_id.starts_with(b"sidecar~")
}

/// From Istio's node id (`router~…` or `sidecar~…`) and `xds.listener_direction` (1 inbound, 2 outbound). `None` when they don't tell.
pub(crate) fn position(node_id: &[u8], direction: Option<i64>) -> Option<Position> {
    let kind = node_id.split(|b| *b == b'~').next()?;
    match (kind, direction) {
        (b"router", _) => Some(Position::Gateway),
        (b"sidecar", Some(1)) => Some(Position::SidecarInbound),
        (b"sidecar", Some(2)) => Some(Position::SidecarOutbound),
        _ => None,
    }
}

/// The peer's address from Envoy's `source.address`. With port 0 the address was taken from `x-forwarded-for` and is not the peer's (measured, Envoy 1.40).
pub(crate) fn peer_address(source: &[u8]) -> Option<IpAddr> {
    let socket: SocketAddr = std::str::from_utf8(source).ok()?.parse().ok()?;
    (socket.port() != 0).then(|| socket.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_is_told_by_node_id_and_direction() {
        for (node, direction, expected) in [
            (
                &b"router~10.0.0.1~gw.ns~ns.svc"[..],
                None,
                Some(Position::Gateway),
            ),
            (b"router~x", Some(2), Some(Position::Gateway)),
            (b"sidecar~x", Some(1), Some(Position::SidecarInbound)),
            (b"sidecar~x", Some(2), Some(Position::SidecarOutbound)),
            (b"sidecar~x", None, None),
            (b"sidecar~x", Some(0), None),
            (b"waypoint~x", Some(1), None),
            (b"", None, None),
        ] {
            assert_eq!(
                position(node, direction),
                expected,
                "{node:?} {direction:?}"
            );
        }
    }

    #[test]
    fn an_address_with_port_0_is_not_the_peers() {
        assert_eq!(peer_address(b"192.0.2.1:4711"), "192.0.2.1".parse().ok());
        assert_eq!(peer_address(b"[2001:db8::1]:1"), "2001:db8::1".parse().ok());
        for other in [&b"192.0.2.1:0"[..], b"192.0.2.1", b"", b"\xff"] {
            assert_eq!(peer_address(other), None);
        }
    }
}
