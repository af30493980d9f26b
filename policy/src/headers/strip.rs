//! The headers that a policy may emit, and their removal from what strangers sent.
//!
//! INVARIANT: no forged header: what the policy may emit is removed from every request that it judges, whatever the outcome, so the next hop sees such a header only
//! when this policy wrote it. Programs that read headers through CGI-like variables can't tell `-` from `_`, so every spelling goes.

use std::sync::Arc;

use super::names::{plain_name, same_header, spelled};
use crate::decision::Draft;
use crate::request::{Request, length_bit};
use crate::spec::sorted;

/// The names of all headers that a policy may emit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strip {
    names: Vec<Arc<str>>,
    /// For each name the bit of its length, modulo 64: a header whose bit is clear needs no comparison, and most headers of most requests have none.
    lengths: u64,
}

impl Strip {
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut strip = Self::default();
        let names = names.into_iter().map(|name| (plain_name(name), name));
        let mut last = None;
        for (plain, name) in sorted(names.collect()) {
            if last.as_ref() != Some(&plain) {
                strip.lengths |= length_bit(name.as_bytes());
                strip.names.push(name.into());
            }
            last = Some(plain);
        }
        strip
    }

    /// Whether a name is one of them, in any spelling.
    pub fn removes(&self, name: &[u8]) -> bool {
        self.known(name).is_some()
    }

    fn known(&self, name: &[u8]) -> Option<&Arc<str>> {
        #[cfg(test)]
        tests::COMPARED.set(tests::COMPARED.get() + 1);
        self.names.iter().find(|known| same_header(name, known))
    }

    /// Removes each of them that the request has.
    pub fn apply(&self, request: &Request<'_>, draft: &mut Draft) {
        for (name, _) in request.headers.of_lengths(self.lengths) {
            if self.lengths & length_bit(name) == 0 {
                continue;
            }
            if let Some(known) = self.known(name) {
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

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::Cell;
    use std::time::Duration;

    use crate::client::{Client, Unknown};
    use crate::decision::Trace;
    use crate::headers::Edit;
    use crate::request::{Headers, Peer};

    thread_local! {
        /// How many names of requests were compared.
        pub static COMPARED: Cell<usize> = const { Cell::new(0) };
    }

    /// What is removed from a request with these headers, and how many of them were compared.
    fn applied(strip: &Strip, names: &[&str]) -> (Vec<Edit>, usize) {
        let pairs: Vec<(&[u8], &[u8])> = names
            .iter()
            .map(|name| (name.as_bytes(), b"x".as_slice()))
            .collect();
        let request = Request {
            headers: Headers::new(&pairs),
            peer: Peer::default(),
            position: None,
            tls: false,
            now: Duration::ZERO,
        };
        let mut draft = Draft {
            strips: Vec::new(),
            effects: Vec::new(),
            client: Client::Unknown(Unknown::NoChain),
            trace: Trace::default(),
        };
        COMPARED.set(0);
        strip.apply(&request, &mut draft);
        (draft.strips, COMPARED.get())
    }

    #[test]
    fn only_names_of_the_same_length_are_compared() {
        let strip = Strip::new(["x-user", "x-client-ip", "x_user"]);
        let remove = |name: &str| Edit::remove(name);
        let (edits, compared) = applied(&strip, &["host", "accept", "x-user", "x-request-id"]);
        assert_eq!((edits, compared), (vec![remove("x-user")], 2));
        let (edits, compared) = applied(&strip, &["x.user", "X-Client-IP"]);
        assert_eq!(
            (edits, compared),
            (vec![remove("x.user"), remove("X-Client-IP")], 2)
        );
        assert_eq!(applied(&strip, &["host", "x-request-id"]), (vec![], 0));
        assert_eq!(applied(&Strip::default(), &["x-user"]), (vec![], 0));
        assert!(strip.removes(b"x_client_ip") && !strip.removes(b"x-client"));
    }
}
