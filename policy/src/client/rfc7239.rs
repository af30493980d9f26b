//! The `forwarded` header (RFC 7239), as far as a chain can be compared with it.

use std::net::IpAddr;

use super::elements::lenient;

/// The nodes of the `for` parameters, in order; a node without an address is `None`: there is no `for`, or it is `unknown` or obfuscated (section 6). `None` instead of a
/// list when the header can't be read.
pub(crate) fn nodes<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Vec<Option<IpAddr>>> {
    let mut nodes = Vec::new();
    for line in lines {
        let mut rest = line;
        loop {
            let (node, after) = element(rest)?;
            nodes.push(node);
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
    }
    Some(nodes)
}

/// Reads one `forwarded-element` and returns what follows its comma.
fn element(mut rest: &[u8]) -> Option<(Option<IpAddr>, Option<&[u8]>)> {
    let mut named = None;
    loop {
        let equals = rest.iter().position(|b| *b == b'=')?;
        let (name, after) = rest.split_at_checked(equals)?;
        let (value, after) = value(after.get(1..)?)?;
        if name.trim_ascii().eq_ignore_ascii_case(b"for") && named.replace(value).is_some() {
            return None;
        }
        let after = match after.trim_ascii_start().split_first() {
            Some((b';', after)) => {
                rest = after;
                continue;
            }
            Some((b',', after)) => Some(after),
            None => None,
            Some(_) => return None,
        };
        let address = match named {
            Some(value) => node(value)?,
            None => None,
        };
        return Some((address, after));
    }
}

/// The address of a node; its port may be obfuscated. `None` when it is no node.
#[expect(
    clippy::option_option,
    reason = "no node, a hidden node and an address are three things"
)]
fn node(value: &[u8]) -> Option<Option<IpAddr>> {
    if value.eq_ignore_ascii_case(b"unknown") || value.starts_with(b"_") {
        return Some(None);
    }
    let obfuscated = value.windows(2).rposition(|pair| pair == b":_");
    let plain = obfuscated.and_then(|port| value.get(..port));
    lenient(plain.unwrap_or(value)).map(Some)
}

/// A token, or a quoted string without escapes: no address needs one.
fn value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(inside) = text.strip_prefix(b"\"") {
        let end = inside.iter().position(|b| matches!(b, b'"' | b'\\'))?;
        let (value, after) = inside.split_at_checked(end)?;
        return Some((value, after.strip_prefix(b"\"")?));
    }
    let end = text
        .iter()
        .position(|b| matches!(b, b';' | b','))
        .unwrap_or(text.len());
    let (value, after) = text.split_at_checked(end)?;
    Some((value.trim_ascii_end(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_examples_of_the_rfc() {
        for (header, expected) in [
            (
                r#"for=192.0.2.60;proto=http;by=203.0.113.43"#,
                Some(vec!["192.0.2.60"]),
            ),
            (
                r#"for=192.0.2.43, for="[2001:db8:cafe::17]""#,
                Some(vec!["192.0.2.43", "2001:db8:cafe::17"]),
            ),
            (
                r#"For="[2001:db8:cafe::17]:4711""#,
                Some(vec!["2001:db8:cafe::17"]),
            ),
            (
                r#"for=192.0.2.43,for=198.51.100.17;by=203.0.113.60;proto=http;host=example.com"#,
                Some(vec!["192.0.2.43", "198.51.100.17"]),
            ),
            (r#"for="192.0.2.43:_p""#, Some(vec!["192.0.2.43"])),
            (r#"for="[2001:db8::1]:_p""#, Some(vec!["2001:db8::1"])),
            (r#"for="_gazonk""#, Some(vec!["-"])),
            ("for=unknown", Some(vec!["-"])),
            ("proto=https;host=shop.example.com", Some(vec!["-"])),
            ("for=shop", None),
            ("for=192.0.2.1;for=192.0.2.2", None),
            ("for=\"192.0.2.1", None),
            ("", None),
            ("for=192.0.2.1,", None),
        ] {
            let expected = expected.map(|list| {
                list.iter()
                    .map(|a| (*a != "-").then(|| a.parse().unwrap()))
                    .collect::<Vec<Option<IpAddr>>>()
            });
            assert_eq!(
                nodes(std::iter::once(header.as_bytes())),
                expected,
                "{header}"
            );
        }
    }
}
