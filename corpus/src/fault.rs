//! What may go wrong around a filter: host calls that fail or lie, signatures that nobody can check. Data only; the engines carry it out.

use crate::scenario::HeaderValue;
use policy::{Key, Verdict, Verify};
use serde::Deserialize;
use signature::Software;

/// How a host call goes wrong: a status that it answers, or a lie. What each lie does is told by `wasm_host::Lie`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(
    missing_docs,
    reason = "the names are those of the ABI and of `wasm_host::Lie`"
)]
pub enum HostFault {
    NotFound,
    BadArgument,
    SerializationFailure,
    ParseFailure,
    BadExpression,
    InvalidMemoryAccess,
    Empty,
    CasMismatch,
    ResultMismatch,
    InternalFailure,
    BrokenConnection,
    Unimplemented,
    /// Any number: it need not be a status at all.
    Status(u32),
    /// It says Ok, does nothing and writes nothing.
    Ignore,
    Truncate(usize),
    Nothing,
    EmptyMap,
    GarbageCount,
    GarbageLengths,
    ReportSize(u32),
    ReportPointer(u32),
    NotUtf8,
    NamesNotUtf8,
    Bytes(HeaderValue),
    Number(u64),
}

/// What comes of checking any signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Verification {
    /// Nobody can check it.
    Unavailable,
}

impl Verification {
    /// Who checks signatures in a case that says this; without a word it is the software.
    pub(crate) fn verifier(verification: Option<Self>) -> &'static dyn Verify {
        match verification {
            None => &Software,
            Some(Self::Unavailable) => &Nobody,
        }
    }
}

/// Knows a key when it sees one, and can check nothing.
struct Nobody;

impl Verify for Nobody {
    fn verify(&self, _: &Key, _: &[u8], _: &[u8]) -> Verdict {
        Verdict::Unavailable
    }

    fn usable(&self, key: &Key) -> bool {
        Software.usable(key)
    }
}
