//! Starts what a command that talks to a cluster needs: a runtime, a connection.

use std::future::Future;
use std::path::PathBuf;

use cluster::connect::{Connection, Environment, connect};
use cluster::guard::Mode;

use crate::cli;
use crate::error::Error;

/// Runs to the end, on this thread.
pub fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::input(format!("can't start: {error}")))?
        .block_on(work)
}

/// A connection that can't write.
pub async fn reader(flags: &cli::Connection) -> Result<Connection, Error> {
    connection(flags, Mode::DryRun).await
}

/// A connection that writes, or only rehearses.
pub async fn writer(flags: &cli::Connection, is_dry_run: bool) -> Result<Connection, Error> {
    let mode = match is_dry_run {
        true => Mode::DryRun,
        false => Mode::Write,
    };
    connection(flags, mode).await
}

async fn connection(flags: &cli::Connection, mode: Mode) -> Result<Connection, Error> {
    Ok(connect(&flags.flags(), &Environment::of_process(), mode).await?)
}

/// Where downloads stay.
pub fn cache() -> Result<PathBuf, Error> {
    crate::cache::folder().ok_or_else(|| {
        Error::input_hint(
            "found no home directory for the cache",
            "set $XDG_CACHE_HOME, or name an istioctl with `--istioctl FILE`",
        )
    })
}
