//! Scenarios that change the mesh for everybody: one at a time, after the others, in the order of their names (e2e/run.sh).
//! Each leaves the evaluation profile behind.

#![expect(
    clippy::print_stdout,
    reason = "what could not be put back is told by the test that changed it"
)]

mod patch_job;
mod production;
