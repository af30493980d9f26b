//! What the module costs under wasmtime: fuel, bytes, and the time of a configuration. Fuel is about one unit per wasm
//! instruction; it is the same in every run.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};
use wasm_host::Module;

use super::{
    curves,
    policies::{self, Policies},
    tokens,
    vm::{Vm, request},
};
use crate::{Error, Result, error::Doing};

/// Everything that needs no proxy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Costs {
    /// The module's file.
    pub module: Size,
    /// Policies one by one.
    pub policies: Vec<PolicyCosts>,
    /// What grows with what.
    pub curves: Vec<Curve>,
}

/// A file's size.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Size {
    /// As it is.
    pub bytes: u64,
    /// After `gzip -9`, about what a registry sends.
    pub gzip_bytes: u64,
}

/// One policy in one VM.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyCosts {
    /// Its name in the tables.
    pub name: String,
    /// Taking it in.
    pub configuration: Configuration,
    /// A request whose token is known.
    pub warm: RequestCosts,
    /// A request whose token is new, where the policy looks at tokens. The signature is checked by the host, which fuel does not count.
    pub cold: Option<RequestCosts>,
    /// The VM's memory after [`REQUESTS`] requests with tokens that differ.
    pub memory_bytes_after_requests: u64,
}

/// What taking in a configuration cost, in a fresh VM.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// The plugin configuration's length.
    pub bytes: u64,
    /// Units of fuel.
    pub fuel: u64,
    /// Milliseconds, the median of up to five VMs. Counting fuel makes it slower than it is.
    pub ms: f64,
    /// The VM's linear memory afterwards; it never shrinks.
    pub memory_bytes: u64,
}

/// What one request cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCosts {
    /// Units of fuel.
    pub fuel: u64,
    /// Calls out of the VM.
    pub host_calls: u64,
}

/// Fuel of a request against a size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Curve {
    /// What grows.
    pub of: String,
    /// From small to large.
    pub points: Vec<Point>,
}

/// One size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// How many, or how much.
    pub size: u64,
    /// Where the policy grows, not the request.
    pub configuration: Option<Configuration>,
    /// By what is asked.
    pub fuel: BTreeMap<String, u64>,
}

/// How many requests a VM gets before its memory is looked at again.
pub const REQUESTS: usize = 10_000;

/// Measures everything that wasmtime can tell.
pub(super) fn measure(filter: &Path, progress: &mut dyn FnMut(String)) -> Result<Costs> {
    let bytes = std::fs::read(filter).doing(|| format!("reading {}", filter.display()))?;
    let module = Module::compile(&bytes)
        .map_err(|error| Error::Unusable(format!("{}: {error}", filter.display())))?;
    let size = Size {
        bytes: bytes.len() as u64,
        gzip_bytes: gzipped(filter)?,
    };
    // Any address will do: nobody is there.
    let policies = Policies::new([192, 0, 2, 1].into())?;
    let tokens = tokens::sign(tokens::MANY)?;
    let area = |count: usize| policies::area(count - 1);
    let path = || policies::PATH.to_owned();
    let mut measured = Vec::new();
    for (name, policy, path, looks_at_tokens) in [
        ("chain only", policies.xff(), path(), false),
        (TOKEN, policies.token(), path(), true),
        (FULL, policies.full(), path(), true),
        (
            "chain + token, 1,000 rules",
            policies.rules(1000),
            area(1000),
            true,
        ),
        (
            "chain + token, 10,000 rules",
            policies.rules(10_000),
            area(10_000),
            true,
        ),
        (
            "chain + token, 100,000 trusted ranges",
            policies.trusted(100_000),
            path(),
            true,
        ),
    ] {
        progress(format!("under wasmtime: {name}"));
        let tokens = if looks_at_tokens { &tokens[..] } else { &[] };
        measured.push(one(&module, name, &policy, &path, tokens)?);
    }
    Ok(Costs {
        module: size,
        policies: measured,
        curves: curves::all(&module, &policies, &tokens, progress)?,
    })
}

/// The policy that is compared with jwt_authn.
pub(super) const TOKEN: &str = "chain + token";
/// The policy that has everything.
pub(super) const FULL: &str = "everything";

/// Without tokens the policy looks at none.
fn one(
    module: &Module,
    name: &str,
    policy: &str,
    path: &str,
    tokens: &[String],
) -> Result<PolicyCosts> {
    let mut vm = Vm::configured(module, policy)?;
    let known = request(path, tokens.first());
    let warm = vm.warm(&known)?;
    let cold = match tokens.get(1) {
        Some(new) => Some(vm.ask(&request(path, Some(new)))?),
        None => None,
    };
    let mut verified = 0;
    for number in 0..REQUESTS {
        let token = tokens.get(number % tokens.len().max(1));
        // The host is asked to verify exactly when the token is not known.
        let asked = vm.ask(&request(path, token))?;
        verified += usize::from(asked.host_calls > warm.host_calls);
    }
    if !tokens.is_empty() && verified * 100 < REQUESTS * 95 {
        return Err(Error::Unusable(format!(
            "{verified} of {REQUESTS} requests were verified, expected nearly all: the stream of {} tokens is too short for the filter's cache",
            tokens.len()
        )));
    }
    Ok(PolicyCosts {
        name: name.into(),
        configuration: vm.configuration,
        warm,
        cold,
        memory_bytes_after_requests: vm.memory_bytes(),
    })
}

fn gzipped(path: &Path) -> Result<u64> {
    let done = Command::new("gzip")
        .args(["-9", "-n", "-c"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .doing(|| "running `gzip`".into())?;
    Ok(done.stdout.len() as u64)
}
