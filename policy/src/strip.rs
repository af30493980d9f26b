//! The headers that a policy may emit, and their removal from what strangers sent.
//!
//! INVARIANT: no forged header: what the policy may emit is removed from every request that it judges, whatever the outcome, so the next hop sees such a header only
//! when this policy wrote it. Programs that read headers through CGI-like variables can't tell `-` from `_`, so every spelling goes.

use std::sync::Arc;

use crate::decision::Draft;
use crate::request::{Request, length_bit};

/// The names of all headers that a policy may emit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strip {
    names: Vec<Arc<str>>,
    /// A bit for each length of a name, modulo 64: most headers of most requests are passed by at the cost of this look.
    lengths: u64,
}

impl Strip {
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut strip = Self::default();
        for name in names {
            if !strip
                .names
                .iter()
                .any(|known| same_header(name.as_bytes(), known))
            {
                strip.lengths |= length_bit(name.as_bytes());
                strip.names.push(name.into());
            }
        }
        strip
    }

    /// Removes each of them that the request has.
    pub fn apply(&self, request: &Request<'_>, draft: &mut Draft) {
        for (name, _) in request.headers.of_lengths(self.lengths) {
            if self.lengths & length_bit(name) == 0 {
                continue;
            }
            if let Some(known) = self.names.iter().find(|known| same_header(name, known)) {
                let same = known.as_bytes() == *name;
                draft.strip(if same {
                    Arc::clone(known)
                } else {
                    spelled(name)
                });
            }
        }
    }
}

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
        }
        for other in ["x:user", "xauser", "x-usera", "x-use", "x0user"] {
            assert!(!same_header(other.as_bytes(), "x-user"), "{other}");
        }
        assert!(!same_header(b":path", "-path"));
    }
}
