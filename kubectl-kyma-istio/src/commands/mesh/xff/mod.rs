//! `xff`: who is believed about the client's address, and where that is said.

pub mod explain;
pub mod probe;
pub mod set;
pub mod show;
