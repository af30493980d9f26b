//! The policy engine for the browser: [`decide`], JSON in, JSON out.
//!
//! The same engine as in Envoy, with signatures checked by `signature`. No clock: the request says what time it is. Whatever comes in, an answer comes out.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

mod answer;
mod request;

use policy::{ConfigError, Policy, VerifiedTokens};
use signature::Software;
use wasm_bindgen::prelude::wasm_bindgen;

use answer::{Answer, Refused};

/// Decides about one request.
///
/// `policy` is the JSON text of a HeaderPolicy or of the filter's plugin configuration. `request` is the JSON text of what the client sends and of the proxy that it meets
/// ([`corpus::Scenario`]); its `now` is required, in seconds since 1970.
///
/// The answer is JSON: what [`policy::Explanation`] says, with the request's `id`, on an allow `headers` (all that the next hop gets) and on a refusal `reply` (`headers`, `body`). When the policy or the
/// request can't be read it is `{"error": [{path, found, expected, hint}]}`, every problem at once; a path that begins with `request` is the request's, any other the policy's.
#[wasm_bindgen]
pub fn decide(policy: &str, request: &str) -> String {
    answer::json(&judge(policy, request))
}

fn judge(policy: &str, request: &str) -> Result<Answer, Refused> {
    let (policy, request) = match (compile(policy), request::read(request)) {
        (Ok(policy), Ok(request)) => (policy, request),
        (policy, request) => {
            let mut problems = policy.err().unwrap_or_default();
            problems.extend(request.err().unwrap_or_default());
            return Err(Refused::from(problems));
        }
    };
    let arrived = request.arrive();
    let pairs = arrived.pairs();
    // One request knows no earlier ones.
    let mut tokens = VerifiedTokens::new(0, 0);
    let decision = policy.decide(&arrived.request(&pairs), &mut tokens, &Software);
    Ok(Answer::of(request.id, &policy, &decision, &arrived))
}

fn compile(text: &str) -> Result<Policy, Vec<ConfigError>> {
    Policy::from_json(text.as_bytes(), &Software)
}

#[cfg(test)]
mod tests;
