//! Whether the VM lives. Envoy's own numbers don't tell: `wasm.*.active`, `created` and `vm_reload` are the same before and after a death (measured, Envoy 1.40). What tells is its log, and
//! the details of requests that it refused for want of a VM.

use std::time::{Duration, Instant};

use lab::Envoy;

use crate::setup::{GAUGE, LISTENER};
use crate::wire::Wire;

/// The marks that a dead VM, or a host call that failed, leaves in Envoy's logs; none in a healthy one.
pub fn complaints(envoy: &Envoy) -> Vec<String> {
    let log = envoy.log().unwrap();
    let lines = log.lines().filter(|line| {
        let severe = line.contains("[error]") || line.contains("[critical]");
        (severe && line.contains("[wasm]")) || line.contains(FAILED_CALL)
    });
    let access = envoy.access_log().unwrap();
    let refused = access.iter().filter(|line| line.details == FAILED_STREAM);
    let refused = refused.map(|line| format!("{} {}", line.code, line.details));
    lines.map(str::to_owned).chain(refused).collect()
}

/// Those complaints that refused policies don't leave: the ones of a VM that died, or of a host that failed.
pub fn deaths(envoy: &Envoy) -> Vec<String> {
    let mut found = complaints(envoy);
    found.retain(|line| DEATHS.iter().any(|sign| line.contains(sign)));
    found
}

/// The VMs that Envoy says it made and has: they change when one is made again.
pub fn vms(envoy: &Envoy) -> Vec<String> {
    let stats = envoy.admin("/stats?filter=^wasm\\.").unwrap();
    let lines = stats
        .lines()
        .filter(|line| ["v8.", "vm_"].iter().any(|part| line.contains(part)));
    lines.map(str::to_owned).collect()
}

/// The status of one request on a connection of its own.
pub fn probe(envoy: &Envoy, request: &[u8]) -> Option<u16> {
    let mut wire = Wire::open(envoy.listener(LISTENER).unwrap());
    wire.send(request);
    wire.status()
}

/// Waits until the gauge says that this policy runs.
pub fn wait_for_policy(envoy: &Envoy, gauge: u64) {
    eventually("the gauge", || {
        let found = envoy.stat(GAUGE).unwrap();
        (found == Some(gauge)).then_some(()).ok_or(found)
    });
}

/// Looks again until it is so.
pub fn eventually<T, E: std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(found) => assert!(Instant::now() < deadline, "{what}: still {found:?}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

const DEATHS: [&str; 3] = ["failed: Uncaught", FAILED_CALL, FAILED_STREAM];
/// Ours: `Running::report` of the filter.
const FAILED_CALL: &str = "a host call failed";
/// The details of a request without a VM.
const FAILED_STREAM: &str = "wasm_fail_stream";
