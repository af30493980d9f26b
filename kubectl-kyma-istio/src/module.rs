//! The filter that `--engine wasm` runs: the embedded one, or a file.

use std::path::Path;

use crate::error::Error;

const EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/header-policy.wasm"));

/// The embedded module; none when the plugin was built before the filter.
pub fn embedded() -> Option<&'static [u8]> {
    (!EMBEDDED.is_empty()).then_some(EMBEDDED)
}

/// The module's bytes.
#[cfg(feature = "simulate")]
pub fn bytes(file: Option<&Path>) -> Result<std::borrow::Cow<'static, [u8]>, Error> {
    match file {
        Some(path) => std::fs::read(path)
            .map(Into::into)
            .map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            }),
        None => embedded().map(Into::into).ok_or(Error::NoModule),
    }
}

/// The module's bytes.
#[cfg(not(feature = "simulate"))]
pub fn bytes(_: Option<&Path>) -> Result<std::borrow::Cow<'static, [u8]>, Error> {
    Err(Error::input_hint(
        "this plugin was built without wasmtime (feature `simulate`)",
        "use `--engine native`",
    ))
}
