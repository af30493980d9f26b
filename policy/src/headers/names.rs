//! Names of headers, as those who read headers tell them apart.

use std::sync::Arc;

/// A header's name as the request has it.
pub(crate) fn spelled(name: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(name).into()
}

/// Whether two names are one header to whoever reads it: without case, and any mark is `-`. Servers that hand over headers as variables write every character that is no
/// letter and no digit as `_` (RFC 3875 section 4.1.18 for `-`; lighttpd and PHP for the others), so `x-user`, `x_user` and `x.user` are one.
pub(crate) fn same_header(name: &[u8], known: &str) -> bool {
    name.len() == known.len()
        && name
            .iter()
            .zip(known.as_bytes())
            .all(|(n, k)| n == k || dash(*n) == dash(*k))
}

/// Whether a name has a mark other than `-`.
pub(crate) fn is_odd(name: &[u8]) -> bool {
    name.iter().any(|byte| *byte != b'-' && dash(*byte) == b'-')
}

/// The one spelling of all names that are [`same_header`].
pub(crate) fn plain_name(name: &str) -> String {
    name.bytes().map(|byte| char::from(dash(byte))).collect()
}

/// The colon of a pseudo header is no mark.
fn dash(byte: u8) -> u8 {
    match byte {
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'.' | b'^'..=b'`' | b'|' | b'~' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_of_a_name_is_a_dash() {
        for mark in "!#$%&'*+-.^_`|~".chars() {
            let name = format!("X{mark}User");
            assert!(same_header(name.as_bytes(), "x-user"), "{name}");
            assert_eq!(is_odd(name.as_bytes()), mark != '-', "{name}");
            assert_eq!(plain_name(&name), "x-user");
        }
        for other in ["x:user", "xauser", "x-usera", "x-use", "x0user"] {
            assert!(!same_header(other.as_bytes(), "x-user"), "{other}");
        }
        assert!(!same_header(b":path", "-path"));
    }
}
