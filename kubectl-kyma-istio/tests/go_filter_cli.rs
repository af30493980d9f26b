//! `filter rollback`, `promote`, `remove` and `xff set` against a real API server, which Go builds.

#[path = "filter_cli/back.rs"]
mod back;
#[path = "common/plugin.rs"]
mod common;
#[path = "filter_cli/number.rs"]
mod number;
#[path = "filter_cli/started.rs"]
mod started;
