//! The headers that a policy may emit, and their removal from what strangers sent.
//!
//! INVARIANT: no forged header: what the policy may emit is removed from every request that it judges, whatever the outcome, so the next hop sees such a header only
//! when this policy wrote it. Programs that read headers through CGI-like variables can't tell `-` from `_`, so both spellings go.

use std::sync::Arc;

use crate::decision::Edit;
use crate::request::Request;

/// The names of all headers that a policy may emit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strip {
    /// In lower case with dashes, and as configured.
    names: Vec<(Box<[u8]>, Arc<str>)>,
    /// A bit for each length of a name, modulo 64: most headers of most requests are passed by at the cost of this look.
    lengths: u64,
}

impl Strip {
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut strip = Self::default();
        for name in names {
            let dashed: Box<[u8]> = name.bytes().map(dash).collect();
            if !strip.names.iter().any(|(known, _)| *known == dashed) {
                strip.lengths |= length_bit(&dashed);
                strip.names.push((dashed, name.into()));
            }
        }
        strip
    }

    /// Removes each of them that the request has.
    pub fn edits(&self, request: &Request<'_>, edits: &mut Vec<Edit>) {
        for (name, _) in request.headers {
            if self.lengths & length_bit(name) == 0 {
                continue;
            }
            let known = self.names.iter().find(|(known, _)| {
                known.len() == name.len() && known.iter().zip(*name).all(|(k, n)| *k == dash(*n))
            });
            let Some((_, configured)) = known else {
                continue;
            };
            let name = if configured.as_bytes() == *name {
                Arc::clone(configured)
            } else {
                String::from_utf8_lossy(name).into()
            };
            if !edits.iter().any(|edit| edit.name() == &*name) {
                edits.push(Edit::Remove(name));
            }
        }
    }
}

fn length_bit(name: &[u8]) -> u64 {
    1 << (name.len() % 64)
}

fn dash(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}
