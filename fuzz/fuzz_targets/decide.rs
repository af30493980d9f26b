//! Any headers give a decision under every policy.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Believing, decide, policies};
use libfuzzer_sys::fuzz_target;
use policy::Policy;

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(policies);

/// Names worth having; a number past the end stands for the name in the input.
const NAMES: [&[u8]; 14] = [
    b":path",
    b":method",
    b":authority",
    b":scheme",
    b"x-forwarded-for",
    b"forwarded",
    b"x-real-ip",
    b"x-forwarded-proto",
    b"x-client-ip",
    b"x_client_ip",
    b"authorization",
    b"cookie",
    b"x-subject",
    b"origin",
];

fuzz_target!(|headers: Vec<(u8, &[u8], &[u8])>| {
    let headers: Vec<(&[u8], &[u8])> = headers
        .into_iter()
        .map(|(known, name, value)| {
            (
                NAMES.get(usize::from(known) % 16).copied().unwrap_or(name),
                value,
            )
        })
        .collect();
    for policy in POLICIES.iter() {
        decide(policy, &headers, &Believing);
    }
});
