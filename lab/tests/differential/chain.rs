//! Random `x-forwarded-for` lines, peers and trusted blocks. Few addresses, so that trust and chain meet often.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::random::Random;

/// A direct peer. Not loopback, for which Envoy appends its host's own address, and not multicast, which Envoy takes for no peer.
pub fn peer(random: &mut Random) -> IpAddr {
    match random.below(12) {
        0 => {
            let bits = u128::from(random.bits()) << 64 | u128::from(random.bits());
            // 2000::/3, the unicast addresses of the world.
            Ipv6Addr::from(bits >> 3 | 1 << 125).into()
        }
        1 => {
            let [_, b, c, d, ..] = random.bits().to_be_bytes();
            Ipv4Addr::new(128 + b % 64, b, c, d).into()
        }
        _ => known(random),
    }
}

/// A direct peer that is trusted: the first address of a block.
pub fn peer_in(blocks: &[String], random: &mut Random) -> IpAddr {
    let (network, _) = random.choose(blocks).split_once('/').unwrap();
    let network: IpAddr = network.parse().unwrap();
    if network.is_unspecified() {
        known(random)
    } else {
        network
    }
}

/// An address from the neighbourhood that the blocks are made of.
fn known(random: &mut Random) -> IpAddr {
    let mut byte = |end| u8::try_from(random.below(end)).unwrap();
    match byte(6) {
        0 | 1 => Ipv4Addr::new(10, 0, byte(3), byte(4)).into(),
        2 => Ipv4Addr::new(192, 168, 0, byte(4)).into(),
        3 => Ipv4Addr::new(203, 0, 113, byte(8)).into(),
        4 => {
            let (net, host) = (byte(3).into(), byte(4).into());
            Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, host).into()
        }
        _ => Ipv4Addr::new(10, 0, byte(3), byte(4))
            .to_ipv6_mapped()
            .into(),
    }
}

/// Trusted blocks; some hold everything of a family, some one address. Bits beyond the length are zero: policies refuse others, and IPv4-mapped blocks.
pub fn blocks(random: &mut Random) -> Vec<String> {
    let count = 1 + random.below(5);
    let block = |random: &mut Random| {
        let address = known(random).to_canonical();
        let lengths: &[&u8] = match address {
            IpAddr::V4(_) => &[&0, &8, &16, &22, &24, &30, &31, &32, &32],
            IpAddr::V6(_) => &[&0, &32, &48, &96, &104, &120, &126, &127, &128],
        };
        let mut length = *random.pick(lengths);
        // A family trusted as a whole leaves little to find.
        if length == 0 && random.chance(80) {
            length = 24;
        }
        let network = match address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(length.into()).unwrap_or(0);
                IpAddr::from(Ipv4Addr::from(u32::from(address) & !host))
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(length.into()).unwrap_or(0);
                IpAddr::from(Ipv6Addr::from(u128::from(address) & !host))
            }
        };
        format!("{network}/{length}")
    };
    (0..count).map(|_| block(random)).collect()
}

/// The request's `x-forwarded-for` lines: none, one, or several; some empty.
pub fn lines(random: &mut Random) -> Vec<Vec<u8>> {
    let count = match random.below(20) {
        0 => 0,
        1..=14 => 1,
        15..=17 => 2,
        _ => 3,
    };
    (0..count).map(|_| line(random)).collect()
}

fn line(random: &mut Random) -> Vec<u8> {
    let elements = match random.below(20) {
        0 => return Vec::new(),
        // Around the 20 elements at which CIDR detection gives up.
        1 => 18 + random.below(6),
        _ => 1 + random.below(5),
    };
    let tidy = random.chance(50);
    // A long list in which garbage is sure ends before it begins.
    let bad = match (tidy, elements > 5) {
        (true, _) => 0,
        (false, true) => 3,
        (false, false) => 35,
    };
    let mut line = Vec::new();
    for index in 0..elements {
        if index > 0 {
            line.push(b',');
        }
        let element = if random.chance(bad) {
            odd(random)
        } else {
            spelled(random).into_bytes()
        };
        let space: &[u8] = if tidy { b" " } else { gap(random) };
        line.extend([space, &element].concat());
        if !tidy {
            line.extend(gap(random));
        }
    }
    // Envoy's parser cuts this off, so it tells nothing.
    let start = line.iter().take_while(|byte| is_space(**byte)).count();
    let end = line
        .iter()
        .rev()
        .take_while(|byte| is_space(**byte))
        .count();
    if start == line.len() {
        return Vec::new();
    }
    line[start..line.len() - end].to_vec()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn gap(random: &mut Random) -> &'static [u8] {
    random.pick::<[u8]>(&[b"", b"", b"", b" ", b" ", b"\t", b"  ", b" \t "])
}

/// A good address, in one of its spellings.
fn spelled(random: &mut Random) -> String {
    match (known(random), random.below(8)) {
        (IpAddr::V6(address), 0) => address.to_string().to_uppercase(),
        (IpAddr::V6(address), 1) => {
            let groups: Vec<String> = address
                .segments()
                .iter()
                .map(|group| format!("{group:04x}"))
                .collect();
            groups.join(":")
        }
        (IpAddr::V6(address), 2) => {
            let groups: Vec<String> = address
                .segments()
                .iter()
                .map(|group| format!("{group:x}"))
                .collect();
            groups.join(":")
        }
        (IpAddr::V6(address), 3) => {
            let [head @ .., a, b, c, d] = address.octets();
            let groups: Vec<String> = head
                .chunks(2)
                .map(|pair| format!("{:x}", u16::from_be_bytes([pair[0], pair[1]])))
                .collect();
            format!("{}:{a}.{b}.{c}.{d}", groups.join(":"))
        }
        (address, _) => address.to_string(),
    }
}

/// What is no bare address, or hardly one.
fn odd(random: &mut Random) -> Vec<u8> {
    let v4 = Ipv4Addr::new(10, 0, 0, u8::try_from(random.below(4)).unwrap());
    let text = match random.below(14) {
        0 => String::new(),
        1 => format!("{v4}:{}", random.below(70_000)),
        2 => "[2001:db8::1]".to_owned(),
        3 => format!("[2001:db8::1]:{}", random.below(70_000)),
        4 => format!("{v4}/{}", random.below(33)),
        5 => format!("0{v4}"),
        6 => format!("\"{v4}\""),
        7 => format!("for={v4}"),
        8..=10 => random.pick(ODD).to_owned(),
        11 => {
            let bytes =
                (0..1 + random.below(8)).map(|_| 0x80 + u8::try_from(random.below(128)).unwrap());
            return bytes.collect();
        }
        _ => return damaged(random),
    };
    text.into_bytes()
}

/// An address with a few characters changed, put in or left out.
fn damaged(random: &mut Random) -> Vec<u8> {
    let mut text = spelled(random).into_bytes();
    for _ in 0..1 + random.below(3) {
        let place = random.below(text.len() + 1);
        let byte = *random.choose(b"0123456789abcdefgFx.:: \t[]/-");
        match random.below(3) {
            0 => text.insert(place, byte),
            1 if place < text.len() => text[place] = byte,
            _ if place < text.len() => drop(text.remove(place)),
            _ => {}
        }
    }
    text
}

const ODD: &[&str] = &[
    "unknown",
    "_hidden",
    "-",
    "localhost",
    "1",
    "2130706433",
    "0x7f000001",
    "1.2.3",
    "1.2.3.",
    ".1.2.3.4",
    "1.2.3.4.",
    "1.2.3.4.5",
    "256.1.1.1",
    "1.2.3.256",
    "1.2.3.-4",
    "+1.2.3.4",
    "1..2.3",
    "0x7f.1",
    "0x7f.0.0.1",
    "010.0.0.1",
    "1.2.3.04",
    "1.2.3.4 5",
    "1.2.3.4;",
    "1.2.3.4 10.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "127.0.0.1",
    "::",
    "::1",
    ":",
    ":::",
    "1:",
    ":1",
    "1::2::3",
    "::1.2.3.4",
    "::1.2.3.400",
    "::01.2.3.4",
    "::ffff:10.0.0.1",
    "::FFFF:10.0.0.1",
    "::ffff:a00:1",
    "::ffff:10.0.0.1:80",
    "::ffff:10.0.0",
    "0::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "1::3:4:5:6:7:8",
    "::1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "1:2:3:4:5:6:1.2.3.4",
    "1:2:3:4:5:6:7:1.2.3.4",
    "1:2:3:4:5::1.2.3.4",
    "2001:db8::12345",
    "2001:db8::0001",
    "2001:db8::00001",
    "2001:db8::g",
    "2001:db8:::1",
    "2001:DB8::A",
    "fe80::1",
    "ff02::1",
    "0000:0000:0000:0000:0000:0000:0000:0001",
    "0000:0000:0000:0000:0000:ffff:255.255.255.255",
    "00000:0000:0000:0000:0000:0000:0000:0001",
    "\u{ff11}.2.3.4",
    "1\u{b7}2\u{b7}3\u{b7}4",
];
