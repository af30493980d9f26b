//! How the cost of a request grows.

use wasm_host::{Module, Request};

use super::{
    costs::{Curve, Point},
    policies::{self, Policies},
    vm::{Vm, request, request_from},
};
use crate::Result;

const RULES: [usize; 9] = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];
const RANGES: [usize; 11] = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000];
const HEADER_BYTES: [usize; 6] = [100, 300, 1000, 3200, 10_000, 32_000];
/// One more, the peer's, is added by the proxy; a policy takes 32 by default.
const CHAIN: [usize; 9] = [1, 2, 3, 5, 8, 12, 18, 24, 30];

/// All of them.
pub(super) fn all(
    module: &Module,
    policies: &Policies,
    tokens: &[String],
    progress: &mut dyn FnMut(String),
) -> Result<Vec<Curve>> {
    let token = tokens.first();
    progress("under wasmtime: curves".into());
    let mut all = vec![
        grow("rules", &RULES, |count| {
            let at = |number| request(&policies::area(number), token);
            let asked = [
                ("first rule matches", at(0)),
                ("middle rule matches", at(count / 2)),
                ("last rule matches", at(count - 1)),
                ("no rule matches", at(99_999)),
            ];
            policy_point(module, count, &policies.rules(count), &asked)
        })?,
        grow("trusted ranges", &RANGES, |count| {
            let asked = [("client in none", request(policies::PATH, token))];
            policy_point(module, count, &policies.trusted(count), &asked)
        })?,
        grow("denied ranges", &RANGES, |count| {
            let asked = [("client in none", request(policies::PATH, token))];
            policy_point(module, count, &policies.denied(count), &asked)
        })?,
    ];
    let mut both = Vm::configured(module, &policies.token())?;
    let mut chain_only = Vm::configured(module, &policies.xff())?;
    let mut walked = Vm::configured(module, &policies.walked())?;
    all.push(grow("header bytes", &HEADER_BYTES, |bytes| {
        let request = |token| filled(request(policies::PATH, token), bytes);
        request_point(
            bytes,
            [
                ("chain + token", &mut both, request(token)),
                ("chain only", &mut chain_only, request(None)),
            ],
        )
    })?);
    all.push(grow("chain elements", &CHAIN, |count| {
        let request = || request_from(&chain(count), policies::PATH, None);
        request_point(
            count,
            [
                ("by number of hops", &mut chain_only, request()),
                ("in trusted ranges", &mut walked, request()),
            ],
        )
    })?);
    Ok(all)
}

fn grow(of: &str, sizes: &[usize], mut point: impl FnMut(usize) -> Result<Point>) -> Result<Curve> {
    let points: Result<Vec<Point>> = sizes.iter().map(|size| point(*size)).collect();
    Ok(Curve {
        of: of.into(),
        points: points?,
    })
}

fn policy_point(
    module: &Module,
    size: usize,
    policy: &str,
    asked: &[(&str, Request)],
) -> Result<Point> {
    let mut vm = Vm::configured(module, policy)?;
    let fuel = asked.iter().map(|(name, request)| {
        let costs = vm.warm(request)?;
        Ok(((*name).to_owned(), costs.fuel))
    });
    Ok(Point {
        size: size as u64,
        fuel: fuel.collect::<Result<_>>()?,
        configuration: Some(vm.configuration),
    })
}

fn request_point<const N: usize>(
    size: usize,
    asked: [(&str, &mut Vm, Request); N],
) -> Result<Point> {
    let fuel = asked.into_iter().map(|(name, vm, request)| {
        let costs = vm.warm(&request)?;
        Ok((name.to_owned(), costs.fuel))
    });
    Ok(Point {
        size: size as u64,
        configuration: None,
        fuel: fuel.collect::<Result<_>>()?,
    })
}

/// With this many more bytes of headers, at most a thousand in each, names included.
fn filled(mut request: Request, bytes: usize) -> Request {
    let mut left = bytes;
    while left > 0 {
        let name = format!("x-filler-{left:05}");
        let length = left.min(1000);
        request = request.header(&name, "a".repeat(length.saturating_sub(name.len())));
        left -= length;
    }
    request
}

/// The client, then proxies of 10.0.0.0/8, then the peer that Envoy appended.
fn chain(elements: usize) -> String {
    let mut all = vec![policies::CLIENT.to_owned()];
    all.extend((1..elements).map(|number| format!("10.20.30.{number}")));
    all.push("192.0.2.1".into());
    all.join(",")
}
