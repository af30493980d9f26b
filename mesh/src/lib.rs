//! What Kyma asks of Istio, as values: inputs are read and composed into an `IstioOperator`; what is seen on a cluster
//! and what is wanted become a plan, criteria, differences. Pure: no client, no clock, no I/O.
