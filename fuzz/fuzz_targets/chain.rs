//! Any chain gives a decision, and an element added on its left never changes a client already found.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Believing, decide, policies};
use libfuzzer_sys::fuzz_target;
use policy::Policy;

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(policies);

fuzz_target!(|chain: &[u8]| {
    let longer = [b"192.0.2.77, ", chain].concat();
    for (index, policy) in POLICIES.iter().enumerate() {
        let client = |chain: &[u8]| {
            let headers = [(&b":path"[..], &b"/"[..]), (b"x-forwarded-for", chain)];
            decide(policy, &headers, &Believing).client.address()
        };
        let (found, longer) = (client(chain), client(&longer));
        // With exact hops, the client's place is counted from the right. A limit on length may refuse the longer chain.
        if index < 2 && found.is_some() && longer.is_some() {
            assert_eq!(found, longer);
        }
    }
});
