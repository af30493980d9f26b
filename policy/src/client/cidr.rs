//! Addresses and blocks of addresses.
//!
//! IPv4 and IPv6 are two families and never compare equal. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2) is the one trap: in
//! `Envoy` mode it is an IPv6 address, as it is to Envoy; in `Strict` mode it is malformed; in `Lenient` mode it becomes the IPv4 address. In a list of
//! blocks it is refused, so that nobody believes that it covers IPv4.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::json;

use crate::spec::describe::{Definitions, Described};
use crate::spec::kind::Kind;
use crate::spec::read::Node;
use crate::spec::sorted;

/// A block of addresses, such as `192.0.2.0/24`. A bare address is a block of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Parses a block. The error says what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "an address or a block of addresses, as in `192.0.2.0/24`";
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().map_err(|_| EXPECTED)?;
        let widest = width(address);
        let prefix = match prefix {
            None => widest,
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map_err(|_| EXPECTED)?
            }
            Some(_) => return Err(EXPECTED),
        };
        if prefix > widest {
            return Err("a prefix of at most 32 bits for IPv4 and 128 for IPv6");
        }
        if is_mapped(address) {
            return Err("the IPv4 block itself: IPv4-mapped IPv6 addresses are never matched");
        }
        let block = Self { address, prefix };
        if block.first() != bits(address) {
            return Err("a block whose bits after the prefix are zero");
        }
        Ok(block)
    }

    fn first(self) -> u128 {
        bits(self.address) & !self.rest()
    }

    fn last(self) -> u128 {
        self.first() + self.rest()
    }

    /// The bits after the prefix.
    fn rest(self) -> u128 {
        let free = u32::from(width(self.address).saturating_sub(self.prefix));
        1u128.checked_shl(free).map_or(u128::MAX, |one| one - 1)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Kind for Cidr {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        match node.text().as_deref().map(Self::parse) {
            Some(Ok(cidr)) => Some(cidr),
            Some(Err(expected)) => node.refuse(expected),
            None => node.refuse("an address or a block of addresses, as in `192.0.2.0/24`"),
        }
    }

    fn describe(definitions: &mut Definitions) -> Described {
        definitions.named(
            "Cidr",
            "An address or a block of addresses, as in `192.0.2.0/24`.",
            json!({"type": "string", "pattern": r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"}),
            "CIDR",
        )
    }
}

/// Blocks with a yes or no each; the longest prefix that holds an address decides. A look-up is one binary search, however many blocks.
#[derive(Clone, Debug)]
pub(crate) struct CidrMap {
    v4: Vec<Range<u32>>,
    v6: Vec<Range<u128>>,
}

/// Addresses from first to last, and no other range holds any of them.
#[derive(Clone, Copy, Debug)]
struct Range<A> {
    first: A,
    last: A,
    value: bool,
}

impl CidrMap {
    /// Of equal blocks the later one counts.
    pub fn new(blocks: impl IntoIterator<Item = (Cidr, bool)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (block, value) in blocks {
            match block.address {
                IpAddr::V4(v4_address) => v4.push(Block {
                    first: u32::from(v4_address),
                    prefix: block.prefix,
                    order: v4.len(),
                    // The block is IPv4, so its last address fits.
                    last: block.last() as u32,
                    value,
                }),
                IpAddr::V6(v6_address) => v6.push(Block {
                    first: u128::from(v6_address),
                    prefix: block.prefix,
                    order: v6.len(),
                    last: block.last(),
                    value,
                }),
            }
        }
        Self {
            v4: flatten(v4),
            v6: flatten(v6),
        }
    }

    /// The value of the longest prefix that holds the address.
    pub fn get(&self, address: IpAddr) -> Option<bool> {
        match address {
            IpAddr::V4(v4) => find(&self.v4, v4.into()),
            IpAddr::V6(v6) => find(&self.v6, v6.into()),
        }
    }
}

fn find<A: Copy + Ord>(ranges: &[Range<A>], address: A) -> Option<bool> {
    let after = ranges.partition_point(|range| range.first <= address);
    let range = ranges.get(after.checked_sub(1)?)?;
    (address <= range.last).then_some(range.value)
}

/// A block on its way into ranges, in the order of the fields: outer blocks come before those inside, of equal ones the later comes last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Block<A> {
    first: A,
    prefix: u8,
    order: usize,
    last: A,
    value: bool,
}

/// Neighbours of an address.
trait Bits: Copy + Ord {
    fn before(self) -> Option<Self>;
    fn after(self) -> Option<Self>;
}

impl Bits for u32 {
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Bits for u128 {
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Cuts nested blocks into ranges that don't overlap. Blocks nest or are apart, so a stack of the open ones is enough.
fn flatten<A: Bits>(blocks: Vec<Block<A>>) -> Vec<Range<A>> {
    let blocks = sorted(blocks);
    let mut ranges = Vec::with_capacity(blocks.len());
    let mut open: Vec<Open<A>> = Vec::new();
    for block in blocks {
        while let Some(done) = open.pop_if(|top| top.last < block.first) {
            done.close(done.last, &mut ranges);
            if let Some(parent) = open.last_mut() {
                parent.next = done.last.after();
            }
        }
        if let (Some(parent), Some(before)) = (open.last(), block.first.before()) {
            parent.close(before, &mut ranges);
        }
        open.push(Open {
            next: Some(block.first),
            last: block.last,
            value: block.value,
        });
    }
    while let Some(done) = open.pop() {
        done.close(done.last, &mut ranges);
        if let Some(parent) = open.last_mut() {
            parent.next = done.last.after();
        }
    }
    ranges
}

/// A block whose addresses from `next` to `last` are not yet given to any range.
struct Open<A> {
    next: Option<A>,
    last: A,
    value: bool,
}

impl<A: Bits> Open<A> {
    /// Makes a range of what is left up to and including `last`.
    fn close(&self, last: A, ranges: &mut Vec<Range<A>>) {
        if let Some(first) = self.next.filter(|first| *first <= last) {
            ranges.push(Range {
                first,
                last,
                value: self.value,
            });
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Whether an address is an IPv4 address in IPv6 clothes.
pub(crate) fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// Whether no client on the public Internet can have this address: private, shared, loopback, link-local, unspecified, multicast or broadcast
/// (RFC 1918, 6598, 4193, 4291, 3927, 5771, 919; IANA's special-purpose registries of RFC 6890), or an IPv6 form of such an IPv4 address.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| is_private_v6(v6), is_private_v4),
    }
}

fn is_private_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_unspecified()
        || v4.is_multicast()
        || v4.is_broadcast()
        || (a == 100 && (64..128).contains(&b))
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    // Site-local addresses are deprecated, and still nobody's on the Internet (RFC 3879).
    let site_local = v6.segments()[0] & 0xffc0 == 0xfec0;
    v6.is_loopback()
        || v6.is_unspecified()
        || v6.is_unique_local()
        || v6.is_unicast_link_local()
        || v6.is_multicast()
        || site_local
}

/// The IPv4 address in an IPv6 one: mapped (RFC 4291 section 2.5.5.2), behind the well-known prefix of NAT64 (RFC 6052 section 2.1), or of 6to4 (RFC 3056 section 2).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(bytes(high, low)),
        [0x2002, high, low, ..] => Some(bytes(high, low)),
        _ => v6.to_ipv4_mapped(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn blocks_of_ipv6_nest_and_end_at_their_last_address() {
        let map = CidrMap::new([
            (cidr("2001:db8::/32"), true),
            (cidr("2001:db8:bad::/48"), false),
            (cidr("2001:db9::1/128"), true),
        ]);
        for (address, value) in [
            ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", None),
            ("2001:db8::", Some(true)),
            ("2001:db8:bac:ffff:ffff:ffff:ffff:ffff", Some(true)),
            ("2001:db8:bad::", Some(false)),
            ("2001:db8:bad:ffff:ffff:ffff:ffff:ffff", Some(false)),
            ("2001:db8:bae::", Some(true)),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some(true)),
            ("2001:db9::", None),
            ("2001:db9::1", Some(true)),
            ("2001:db9::2", None),
        ] {
            assert_eq!(map.get(address.parse().unwrap()), value, "{address}");
        }
        assert!(Cidr::parse("::/128").is_ok() && Cidr::parse("::/129").is_err());
        assert!(Cidr::parse("0.0.0.0/32").is_ok() && Cidr::parse("0.0.0.0/33").is_err());
    }

    #[test]
    fn the_longest_prefix_decides() {
        let map = CidrMap::new([
            (cidr("10.0.0.0/8"), false),
            (cidr("10.1.0.0/16"), true),
            (cidr("10.1.2.3/32"), false),
            (cidr("2001:db8::/32"), false),
            (cidr("0.0.0.0/0"), true),
        ]);
        for (address, value) in [
            ("10.0.0.1", Some(false)),
            ("10.1.0.0", Some(true)),
            ("10.1.2.2", Some(true)),
            ("10.1.2.3", Some(false)),
            ("10.1.2.4", Some(true)),
            ("10.1.255.255", Some(true)),
            ("10.2.0.0", Some(false)),
            ("11.0.0.0", Some(true)),
            ("255.255.255.255", Some(true)),
            ("2001:db8::1", Some(false)),
            ("::1", None),
            ("::ffff:10.1.2.3", None),
        ] {
            assert_eq!(map.get(address.parse().unwrap()), value, "{address}");
        }
    }

    /// Both sides of each edge.
    #[test]
    fn no_client_on_the_internet_has_a_private_address() {
        for (private, public) in [
            ("172.31.255.255", "172.32.0.0"),
            ("100.64.0.0", "100.63.255.255"),
            ("224.0.0.1", "223.255.255.255"),
            ("255.255.255.255", "8.8.8.8"),
            ("::ffff:10.0.0.1", "::ffff:8.8.8.8"),
            ("64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8"),
            ("64:ff9b::127.0.0.1", "64:ff9b:0:0:1::127.0.0.1"),
            ("2002:a00:1::1", "2002:808:808::1"),
            ("2002:c0a8:101::", "2002:c0a7:101::"),
            ("fec0::1", "2600::1"),
            ("feff:ffff::", "2a00::"),
            ("ff02::1", "2001:4860::1"),
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn refuses_what_is_no_block() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/+8",
            "::ffff:10.0.0.0/104",
            "fe80::1%1",
            "10.0.0.0/",
            "10.0.0/8",
        ] {
            assert!(Cidr::parse(text).is_err(), "{text}");
        }
    }

    fn any_block() -> impl Strategy<Value = Cidr> {
        // Few distinct addresses, so that blocks nest.
        (0u32..8, 0u8..=32).prop_map(|(top, prefix)| {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            let address = (top.wrapping_mul(0x2492_4924)) & mask;
            Cidr {
                address: IpAddr::V4(address.into()),
                prefix,
            }
        })
    }

    proptest! {
        #[test]
        fn the_map_agrees_with_a_search_through_all_blocks(
            blocks in proptest::collection::vec((any_block(), any::<bool>()), 0..12),
            address in any::<u32>(), near in any::<proptest::sample::Index>(), step in -1i64..=1,
        ) {
            let map = CidrMap::new(blocks.iter().copied());
            let edge = blocks.get(near.index(blocks.len().max(1))).map_or(0, |(b, _)| b.last() as i64 + step);
            for address in [address, edge.clamp(0, i64::from(u32::MAX)) as u32] {
                let address = IpAddr::V4(address.into());
                // Of equal ones `max_by_key` gives the last.
                let slow = blocks.iter()
                    .filter(|(b, _)| (b.first()..=b.last()).contains(&bits(address)))
                    .max_by_key(|(b, _)| b.prefix);
                prop_assert_eq!(map.get(address), slow.map(|(_, value)| *value));
            }
        }
    }
}
