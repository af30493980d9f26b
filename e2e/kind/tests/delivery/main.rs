//! The filter as its user brings it: `filter push`, `deploy`, `status`, `rollback`, `remove`. Each silent failure of a WasmPlugin
//! is made for real, and the line is held by which `status` names it.

#![expect(
    clippy::print_stdout,
    reason = "`--show-output` shows the lines by which failures are named"
)]

mod edge;
mod logs;
mod probe;
mod refused;
mod rollout;
mod silent;
mod undone;
