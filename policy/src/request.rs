//! What the engine is told about a request. The adapter reads it from the host; nothing here is trusted yet.

use std::net::IpAddr;
use std::time::Duration;

use crate::headers::bytes::same;

/// Where the proxy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Position {
    /// An ingress gateway: Envoy has appended the direct peer to `x-forwarded-for`.
    Gateway,
    /// A sidecar's inbound side: nothing was appended, the peer is known by its mTLS identity.
    SidecarInbound,
    /// A sidecar's outbound side: the caller is the workload itself.
    SidecarOutbound,
}

/// The other end of the connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer<'a> {
    /// Its address, where it is known from the connection and not from a header.
    pub address: Option<IpAddr>,
    /// Its SPIFFE id, from a client certificate that the mesh's CA signed.
    pub identity: Option<&'a [u8]>,
}

/// All headers in their order, pseudo headers included, names in lower case, values as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    pairs: &'a [(&'a [u8], &'a [u8])],
    /// A bit for each length of a name, modulo 64: a header that is not there is mostly told without a search.
    lengths: u64,
}

impl<'a> Headers<'a> {
    /// Names and values, in order.
    pub fn new(pairs: &'a [(&'a [u8], &'a [u8])]) -> Self {
        Self {
            pairs,
            lengths: pairs
                .iter()
                .map(|(name, _)| length_bit(name))
                .reduce(|bits, bit| bits | bit)
                .unwrap_or_default(),
        }
    }

    /// Names and values whose name is as long as one of those that `lengths` has bits for, and maybe others.
    pub(crate) fn of_lengths(&self, lengths: u64) -> &'a [(&'a [u8], &'a [u8])] {
        if self.lengths & lengths == 0 {
            &[]
        } else {
            self.pairs
        }
    }

    /// The values of a header, in order. `name` is in lower case.
    pub(crate) fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let name = name.as_bytes();
        self.of_lengths(length_bit(name))
            .iter()
            .filter(move |(header, _)| same(header, name))
            .map(|(_, value)| *value)
    }
}

/// The bit of a name's length, see [`Headers`].
pub(crate) fn length_bit(name: &[u8]) -> u64 {
    1 << (name.len() % 64)
}

/// A request at its headers.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its headers.
    pub headers: Headers<'a>,
    /// The other end of the connection.
    pub peer: Peer<'a>,
    /// Where the proxy stands, when the policy does not say so itself.
    pub position: Option<Position>,
    /// Whether the connection from the peer is TLS.
    pub tls: bool,
    /// The time since 1970.
    pub now: Duration,
}

impl<'a> Request<'a> {
    /// Whether the caller speaks gRPC ("gRPC over HTTP/2", Requests).
    #[cold]
    pub(crate) fn is_grpc(&self) -> bool {
        self.first("content-type")
            .is_some_and(|content_type| content_type.starts_with(b"application/grpc"))
    }

    /// The first value of a header. `name` is in lower case.
    pub(crate) fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.all(name).next()
    }
}

/// What the adapter has to read beside the headers. Every property costs a call into the host, so only what the compiled policy looks at is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// [`Request::position`].
    pub position: bool,
    /// [`Request::now`].
    pub time: bool,
    /// [`Peer::identity`].
    pub identity: bool,
    /// [`Peer::address`].
    pub address: bool,
    /// [`Request::tls`].
    pub tls: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_stands_for_each_length_up_to_63_and_again_from_64() {
        let bits: Vec<u32> = (0..66)
            .map(|length| length_bit(&vec![b'a'; length]).trailing_zeros())
            .collect();
        assert_eq!(bits, Vec::from_iter((0..64).chain([0, 1])));
        let pairs: [(&[u8], &[u8]); 2] = [(b"ab", b"1"), (b"abcd", b"2")];
        let headers = Headers::new(&pairs);
        let found = |name: &[u8]| headers.of_lengths(length_bit(name)).len();
        assert_eq!([found(b"xy"), found(b"xyz"), found(b"wxyz")], [2, 0, 2]);
        assert!(Headers::new(&[]).of_lengths(u64::MAX).is_empty());
    }
}
