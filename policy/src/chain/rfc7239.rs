//! The `forwarded` header (RFC 7239), as far as a chain can be compared with it.

use std::net::IpAddr;

use super::elements::lenient;

/// The addresses of the `for` parameters, in order. `None` when an element can't be read, has no `for`, or names no address (`unknown`, `_hidden`).
pub(crate) fn addresses<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for line in lines {
        let mut rest = line;
        loop {
            let (element, after) = element(rest)?;
            addresses.push(element);
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
    }
    Some(addresses)
}

/// Reads one `forwarded-element` and returns what follows its comma.
fn element(mut rest: &[u8]) -> Option<(IpAddr, Option<&[u8]>)> {
    let mut node = None;
    loop {
        let equals = rest.iter().position(|b| *b == b'=')?;
        let (name, after) = rest.split_at_checked(equals)?;
        let (value, after) = value(after.get(1..)?)?;
        if name.trim_ascii().eq_ignore_ascii_case(b"for") && node.replace(value).is_some() {
            return None;
        }
        match after.trim_ascii_start().split_first() {
            Some((b';', after)) => rest = after,
            Some((b',', after)) => return Some((lenient(node?)?, Some(after))),
            None => return Some((lenient(node?)?, None)),
            Some(_) => return None,
        }
    }
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
            (r#"for="_gazonk""#, None),
            ("for=unknown", None),
            ("proto=http", None),
            ("for=192.0.2.1;for=192.0.2.2", None),
            ("for=\"192.0.2.1", None),
            ("", None),
            ("for=192.0.2.1,", None),
        ] {
            let expected = expected.map(|list| {
                list.iter()
                    .map(|a| a.parse().unwrap())
                    .collect::<Vec<IpAddr>>()
            });
            assert_eq!(
                addresses(std::iter::once(header.as_bytes())),
                expected,
                "{header}"
            );
        }
    }
}
