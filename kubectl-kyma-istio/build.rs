//! Embeds the filter, when it is built: `KYMA_ISTIO_WASM`, or `out/header-policy.wasm` of the workspace. With `KYMA_ISTIO_WASM_COMES` it is being built meanwhile,
//! and the plugin will be built once more (`make demo`).

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let output = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let workspace =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?)
            .join("..");
    let built = workspace.join("out/header-policy.wasm");
    println!("cargo::rerun-if-env-changed=KYMA_ISTIO_WASM");
    println!("cargo::rerun-if-env-changed=KYMA_ISTIO_WASM_COMES");
    println!("cargo::rerun-if-changed={}", built.display());
    let module = match env::var_os("KYMA_ISTIO_WASM").map(PathBuf::from) {
        Some(named) => {
            println!("cargo::rerun-if-changed={}", named.display());
            fs::read(&named).unwrap_or_else(|error| {
                if env::var_os("KYMA_ISTIO_WASM_COMES").is_none() {
                    println!(
                        "cargo::warning=no filter is embedded: KYMA_ISTIO_WASM={}: {error}",
                        named.display()
                    );
                }
                Vec::new()
            })
        }
        // No module yet: the plugin is built without one and says how to build it.
        None => fs::read(&built).unwrap_or_default(),
    };
    fs::write(output.join("header-policy.wasm"), module)?;
    Ok(())
}
