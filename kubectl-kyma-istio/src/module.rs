//! The filter that `--engine wasm` runs: the embedded one, or a file.

use std::path::Path;

use crate::error::Error;
#[cfg(feature = "simulate")]
use crate::redact;

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

/// The module, ready to run. Compiling it takes longer than most commands do, so what was compiled is kept for the next one, where the
/// folder for that is the user's alone.
#[cfg(feature = "simulate")]
pub fn compiled(bytes: &[u8]) -> Result<wasm_host::Module, Error> {
    let kept = crate::cache::folder()
        .and_then(|folder| wasm_host::Kept::in_folder(&folder.join("compiled")));
    wasm_host::Module::compile_once(bytes, kept.as_ref()).map_err(|error| {
        Error::input(redact::anything(&format!(
            "the filter can't be run: {error}"
        )))
    })
}

/// The module's bytes.
#[cfg(not(feature = "simulate"))]
pub fn bytes(_: Option<&Path>) -> Result<std::borrow::Cow<'static, [u8]>, Error> {
    Err(Error::input_hint(
        "this plugin was built without wasmtime (feature `simulate`)",
        "use `--engine native`",
    ))
}
