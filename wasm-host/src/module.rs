//! Loading: from bytes to a checked, compiled module from which instances are cheap.

use std::sync::Arc;

use wasmtime::{Config, Engine, ExternType, InstancePre, Linker};

use crate::abi;
use crate::kept::Kept;
use crate::state::State;
use crate::status::AbiVersion;

/// A compiled proxy-wasm module. A clone shares everything; so do the instances of all simulators.
#[derive(Clone)]
pub struct Module(Arc<Loaded>);

struct Loaded {
    instance: InstancePre<State>,
    abi: AbiVersion,
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Why bytes can't be run as a proxy-wasm module.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A component, which no proxy-wasm host loads.
    #[error(
        "found a wasm component, expected a core module: build a cdylib for wasm32-unknown-unknown or wasm32-wasip1"
    )]
    Component,
    /// No valid wasm.
    #[error("not a valid wasm module")]
    Invalid(#[source] wasmtime::Error),
    /// No ABI marker.
    #[error(
        "no export named `proxy_abi_version_0_2_1` or of an earlier ABI: not a proxy-wasm module"
    )]
    NoAbiVersion,
    /// No memory that the host could use.
    #[error("no exported memory named `memory`")]
    NoMemory,
    /// An import that no host has.
    #[error("unknown import `{module}.{name}`")]
    UnknownImport {
        /// The module of the import.
        module: String,
        /// Its name.
        name: String,
    },
    /// A known import with another type.
    #[error("an import has another type than the ABI says")]
    ImportType(#[source] wasmtime::Error),
    /// wasmtime can't run on this machine.
    #[error("the wasm engine can't start")]
    Engine(#[source] wasmtime::Error),
}

/// Bytes 4 to 8 of a component; a core module has version 1, layer 0.
const COMPONENT_LAYER: &[u8] = b"\0asm\x0d\0\x01\0";

impl Module {
    /// Checks and compiles. This is the slow part; instances come from it in microseconds.
    pub fn compile(bytes: &[u8]) -> Result<Module, LoadError> {
        Self::compile_once(bytes, None)
    }

    /// As [`Module::compile`]; with a folder, only the first process that is given these bytes compiles them.
    pub fn compile_once(bytes: &[u8], kept: Option<&Kept>) -> Result<Module, LoadError> {
        let layer = |bytes: &[u8]| bytes.get(6..8).map(<[u8]>::to_vec);
        if bytes.starts_with(b"\0asm") && layer(bytes) == layer(COMPONENT_LAYER) {
            return Err(LoadError::Component);
        }
        let mut config = Config::new();
        config.consume_fuel(true).cache(kept.map(Kept::cache));
        let engine = Engine::new(&config).map_err(LoadError::Engine)?;
        let module = match wasmtime::Module::from_binary(&engine, bytes) {
            Ok(module) => module,
            // What was kept may be damaged where wasmtime sees it too late.
            Err(_) if kept.is_some() => return Self::compile(bytes),
            Err(error) => return Err(LoadError::Invalid(error)),
        };

        for import in module.imports() {
            if !abi::is_known(import.module(), import.name()) {
                let (module, name) = (import.module().to_owned(), import.name().to_owned());
                return Err(LoadError::UnknownImport { module, name });
            }
        }
        let abi = [AbiVersion::V0_2_1, AbiVersion::V0_2_0, AbiVersion::V0_1_0]
            .into_iter()
            .find(|abi| module.get_export(abi.marker()).is_some())
            .ok_or(LoadError::NoAbiVersion)?;
        if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
            return Err(LoadError::NoMemory);
        }

        let imports = module
            .imports()
            .map(|import| format!("{}.{}", import.module(), import.name()))
            .collect();
        let exports = module
            .exports()
            .map(|export| export.name().to_owned())
            .collect();
        let mut linker = Linker::new(&engine);
        abi::link(&mut linker).map_err(LoadError::Engine)?;
        let instance = linker
            .instantiate_pre(&module)
            .map_err(LoadError::ImportType)?;
        Ok(Module(Arc::new(Loaded {
            instance,
            abi,
            imports,
            exports,
        })))
    }

    /// The ABI that the module was built for: the newest of its markers.
    pub fn abi(&self) -> AbiVersion {
        self.0.abi
    }

    /// What it imports, as `module.name`, in its own order.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// What it exports, in its own order.
    pub fn exports(&self) -> &[String] {
        &self.0.exports
    }

    pub(crate) fn instance(&self) -> &InstancePre<State> {
        &self.0.instance
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Module")
            .field("abi", &self.0.abi)
            .field("exports", &self.0.exports)
            .finish()
    }
}
