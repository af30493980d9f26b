//! Who is the client? The forwarded chain, read from the right, and the other headers that speak of the client.

mod chain;
mod cidr;
mod companions;
mod elements;
mod envoy;
mod finding;
mod forwarded;
mod rfc7239;
mod walk;

pub use cidr::Cidr;
pub use companions::may_be_companion;
pub(crate) use companions::{is_companion, is_untouchable};
pub use finding::{Anomalies, Anomaly, Client, Finding, How, Unknown};
pub(crate) use forwarded::Forwarded;
