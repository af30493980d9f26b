//! What Kyma asks of Istio, as values: inputs are read and composed into an `IstioOperator`; what is seen on a cluster
//! and what is wanted become a plan, criteria, differences. Pure: no client, no clock, no I/O.

pub mod backup;
pub mod checks;
pub mod codes;
pub mod compose;
pub mod criteria;
pub mod diff;
pub mod filter;
pub mod input;
pub mod object;
pub mod observed;
pub mod patch;
pub mod plan;
pub mod problem;
pub mod quantity;
pub mod status;
pub mod strict;
pub mod versions;
