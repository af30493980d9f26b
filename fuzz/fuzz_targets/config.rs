//! Any bytes compile to a policy or are refused with at least one problem; compiling them again gives the same policy.
#![no_main]

use fuzz::Believing;
use libfuzzer_sys::fuzz_target;
use policy::Policy;

fuzz_target!(|document: &[u8]| {
    match (
        Policy::from_json(document, &Believing),
        Policy::from_json(document, &Believing),
    ) {
        (Ok(policy), Ok(again)) => assert_eq!(
            format!("{:?}", policy.fingerprint()),
            format!("{:?}", again.fingerprint())
        ),
        (Err(problems), Err(again)) => {
            assert!(!problems.is_empty());
            assert_eq!(format!("{problems:?}"), format!("{again:?}"));
        }
        _ => panic!("compiles only sometimes"),
    }
});
