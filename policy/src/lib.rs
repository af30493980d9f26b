//! The header policy engine: **config → compiled policy → decision(request) → effects**.
//!
//! Bytes and values in, a decision out. No clock, no I/O, no logging, no proxy-wasm and no Kubernetes: time is a field of the request, signatures are checked by an
//! argument, and carrying out a decision is somebody else's work. So the same engine runs in Envoy, under wasmtime, in the plugin and in a browser.
//!
//! ```
//! use policy::{Headers, Key, Outcome, Policy, Request, Verdict, VerifiedTokens, Verify};
//!
//! // Somebody who checks signatures; the crate `signature` does it in software.
//! struct Nobody;
//! impl Verify for Nobody {
//!     fn verify(&self, _: &Key, _: &[u8], _: &[u8]) -> Verdict { Verdict::Unavailable }
//!     fn usable(&self, _: &Key) -> bool { true }
//! }
//!
//! // config → compiled policy
//! let policy = Policy::from_json(br#"{
//!     "apiVersion": "policy.kyma-istio.dev/v1alpha1",
//!     "spec": {"position": "Gateway", "forwarded": {"trust": {"hops": 1}, "clientIpHeader": "x-client-ip"}}
//! }"#, &Nobody).unwrap();
//!
//! // → decision(request): the peer 192.0.2.1 is the one trusted hop, so the client stands left of it
//! let headers = [(&b":path"[..], &b"/"[..]), (b"x-forwarded-for", b"203.0.113.9, 192.0.2.1")];
//! let request = Request { headers: Headers::new(&headers), peer: Default::default(), position: None, tls: false, now: Default::default() };
//! let decision = policy.decide(&request, &mut VerifiedTokens::new(0, 0), &Nobody);
//!
//! // → effects
//! assert_eq!(decision.verdict, Outcome::Allow);
//! assert_eq!(decision.client.address(), Some("203.0.113.9".parse().unwrap()));
//! assert_eq!(decision.edits[0].name(), "x-client-ip");
//! ```
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

mod caller;
mod client;
mod decision;
mod headers;
mod matching;
mod policy;
mod reason;
mod request;
mod spec;

pub use caller::{Algorithm, Key, KeyMaterial, Verdict, VerifiedTokens, Verify};
pub use client::{Anomalies, Anomaly, Cidr, Client, Finding, How, Unknown, may_be_companion};
pub use decision::{Decision, ExplainedEdit, Explanation, Outcome, Reply, RuleRef, Trace};
pub use headers::{Edit, HeaderList};
pub use policy::Policy;
pub use reason::{Reason, metrics_prefix};
pub use request::{Headers, Needs, Peer, Position, Request};
pub use spec::{API_VERSION, ConfigError, Fingerprint, KIND, schema};
// For the test of the reference.
#[doc(hidden)]
pub use spec::reference_tables;
#[cfg(feature = "findings")]
pub use spec::{Review, review, shown};
