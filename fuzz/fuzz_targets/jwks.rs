//! Any text in the place of a JWKS compiles or is refused with a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|jwks: &str| {
    let _ = fuzz::compile(&fuzz::token_policy(jwks));
});
