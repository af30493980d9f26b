//! Any token gives a decision, wherever it stands, and none is let through that no key has signed.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Believing, decide, policies};
use libfuzzer_sys::fuzz_target;
use policy::{Outcome, Policy};
use signature::Software;

static POLICY: LazyLock<Policy> = LazyLock::new(|| policies().remove(5));

fuzz_target!(|token: &[u8]| {
    let header = [b"Bearer ", token].concat();
    let cookie = [b"token=", token].concat();
    let path = [b"/?token=", token].concat();
    for headers in [
        [(&b":path"[..], &b"/"[..]), (b"authorization", &header)],
        [(b":path", b"/"), (b"cookie", &cookie)],
        [(b":path", &path), (b"accept", b"*/*")],
    ] {
        decide(&POLICY, &headers, &Believing);
        assert_ne!(decide(&POLICY, &headers, &Software).verdict, Outcome::Allow);
    }
});
