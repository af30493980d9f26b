//! The elements of an `x-forwarded-for` list.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use super::cidr::is_mapped;
use crate::request::Request;

pub(crate) const XFF: &str = "x-forwarded-for";

/// The one list that all `x-forwarded-for` lines make. Envoy joins them before any filter runs, and an empty line adds nothing (measured, Envoy 1.40); hosts that
/// hand over the lines are treated the same. `None` when there is no such header.
pub(crate) fn list<'a>(request: &Request<'a>) -> Option<Cow<'a, [u8]>> {
    let mut lines = request.headers.all(XFF);
    let first = lines.next()?;
    let mut list = Cow::Borrowed(first);
    for line in lines.filter(|line| !line.is_empty()) {
        if list.is_empty() {
            list = Cow::Borrowed(line);
        } else {
            let whole = list.to_mut();
            whole.push(b',');
            whole.extend_from_slice(line);
        }
    }
    Some(list)
}

/// The elements from the right, spaces around them cut off.
pub(crate) fn from_right(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.rsplit(|b| *b == b',').map(trim)
}

/// Cuts off spaces and tabs, the optional white space of RFC 9110 section 5.6.3.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// One bare address, the only spelling that `Strict` takes. A zone makes it malformed, and so does an IPv4 address in IPv6 clothes: one client has one spelling.
pub(crate) fn strict(element: &[u8]) -> Option<IpAddr> {
    bare(element).filter(|address| !is_mapped(*address))
}

/// A bare address as Envoy reads it, IPv4-mapped ones left as they are.
pub(crate) fn bare(element: &[u8]) -> Option<IpAddr> {
    // No address is longer, and most garbage is.
    const LONGEST: usize = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".len();
    if element.len() > LONGEST {
        return None;
    }
    match dotted(element) {
        Some(v4) => Some(IpAddr::V4(v4)),
        None => std::str::from_utf8(element).ok()?.parse().ok(),
    }
}

/// The common case of [`bare`] in a fourth of its time: four numbers without leading zeros. `None` says nothing.
fn dotted(element: &[u8]) -> Option<Ipv4Addr> {
    let (first, rest) = octet(element)?;
    let (second, rest) = octet(rest.strip_prefix(b".")?)?;
    let (third, rest) = octet(rest.strip_prefix(b".")?)?;
    let (fourth, rest) = octet(rest.strip_prefix(b".")?)?;
    rest.is_empty()
        .then(|| Ipv4Addr::new(first, second, third, fourth))
}

/// A number at the start of a text, and what stands behind it.
#[inline(never)]
fn octet(text: &[u8]) -> Option<(u8, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits)?;
    if !(1..=3).contains(&digits) || (digits > 1 && number.starts_with(b"0")) {
        return None;
    }
    let number = number
        .iter()
        .fold(0u16, |number, digit| number * 10 + u16::from(digit - b'0'));
    Some((u8::try_from(number).ok()?, rest))
}

/// An address with what proxies hang on it: a port, brackets (RFC 7239 section 6, Azure, AWS), an IPv4-mapped form. The result is the plain address.
pub(crate) fn lenient(element: &[u8]) -> Option<IpAddr> {
    const LONGEST: usize = "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535".len();
    if element.len() > LONGEST {
        return None;
    }
    let text = std::str::from_utf8(element).ok()?;
    let address = if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        let port = after.strip_prefix(':');
        if !after.is_empty() && !port.is_some_and(is_port) {
            return None;
        }
        IpAddr::V6(inside.parse().ok()?)
    } else if let Ok(address) = text.parse() {
        address
    } else {
        let (address, port) = text.rsplit_once(':')?;
        if !is_port(port) {
            return None;
        }
        IpAddr::V4(address.parse().ok()?)
    };
    Some(address.to_canonical())
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_takes_bare_addresses_only() {
        for good in ["192.0.2.1", "2001:db8::1", "::1", "0.0.0.0"] {
            assert!(strict(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "",
            "192.0.2.1:80",
            "[2001:db8::1]",
            "[2001:db8::1]:80",
            "fe80::1%eth0",
            "01.2.3.4",
            "0x7f.1",
            "1.2.3",
            "unknown",
            "_obf",
            "1.2.3.4/8",
            "::ffff:192.0.2.1",
            "1.2.3.4 5",
            "\u{e9}",
        ] {
            assert!(strict(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(strict(b"\xff\xfe").is_none());
    }

    #[test]
    fn the_short_way_gives_what_the_library_gives() {
        let parts = [
            "", "0", "00", "1", "01", "9", "10", "99", "100", "255", "256", "999", "1000", "x",
            "+1", " 1",
        ];
        for (a, b) in parts.iter().flat_map(|a| parts.iter().map(move |b| (a, b))) {
            for text in [
                format!("{a}.{b}.3.4"),
                format!("1.2.{a}.{b}"),
                format!("1.{a}.{b}"),
                format!("{a}.{b}.1.1."),
                format!("1.1.1.1.{a}"),
            ] {
                assert_eq!(dotted(text.as_bytes()), text.parse().ok(), "{text}");
            }
        }
    }

    #[test]
    fn lenient_takes_ports_and_brackets() {
        for (element, address) in [
            ("192.0.2.1:80", "192.0.2.1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:8", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(
                lenient(element.as_bytes()),
                Some(address.parse().unwrap()),
                "{element}"
            );
        }
        for bad in [
            "192.0.2.1:",
            "192.0.2.1:x",
            "192.0.2.1:65536",
            "[192.0.2.1]",
            "[2001:db8::1",
            "[2001:db8::1]80",
            "[::1]:",
            "1.2.3.4:+1",
            "unknown",
            "",
        ] {
            assert!(lenient(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
