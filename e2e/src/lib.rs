//! The product from outside, as its user runs it: built binaries, the README's commands. Of the workspace only `lab` is
//! linked in here, which brings clusters.
//!
//! The demo and the plugin on one machine, and the mesh commands against a real API server; what needs traffic through pods
//! comes here too.
