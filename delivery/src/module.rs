//! What a wasm file is, before anyone delivers it: ABI, imports, sizes, the policy versions that it accepts.

mod host;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wasmparser::{Encoding, ExternalKind, Parser, Payload, Validator};

use crate::digest::sha256_hex;
use crate::error::Class;
use crate::layout::LARGEST;

/// The custom section in which our filter lists the `apiVersion`s of policies that it accepts, one a line.
pub const POLICY_VERSIONS_SECTION: &str = "kyma-istio.policy-versions";

/// What a module says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    /// Bytes.
    pub size: u64,
    /// Of the wasm file, 64 hex digits. Not what `spec.sha256` is compared with: for `oci://` that is the image's digest.
    pub sha256: String,
    /// The proxy-wasm ABI that it is built for: the newest of its markers.
    pub abi: Option<Abi>,
    /// `env.proxy_log`, in its own order.
    pub imports: Vec<String>,
    /// In its own order.
    pub exports: Vec<String>,
    /// From its section [`POLICY_VERSIONS_SECTION`], if it has one.
    pub policy_versions: Option<Vec<String>>,
    /// Why Envoy wouldn't load it; none if it would.
    pub problems: Vec<Problem>,
}

/// A proxy-wasm ABI that Envoy knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Abi {
    /// 0.1.0.
    #[serde(rename = "0.1.0")]
    V0_1_0,
    /// 0.2.0.
    #[serde(rename = "0.2.0")]
    V0_2_0,
    /// 0.2.1, what today's SDKs build.
    #[serde(rename = "0.2.1")]
    V0_2_1,
}

/// Why Envoy wouldn't load a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "problem", rename_all_fields = "camelCase")]
pub enum Problem {
    /// No marker of an ABI that Envoy knows.
    #[error(
        "it exports no `proxy_abi_version_0_2_1` and none of an earlier ABI: no proxy-wasm module"
    )]
    NoAbi,
    /// A marker of the first ABI only, which our policies aren't written for.
    #[error("it is built for the proxy-wasm ABI 0.1.0, expected 0.2.0 or 0.2.1")]
    OldAbi,
    /// The host reads and writes the module's memory.
    #[error("it exports no memory named `memory`")]
    NoMemory,
    /// The host asks the module for memory.
    #[error("it exports neither `malloc` nor `proxy_on_memory_allocate`")]
    NoAllocator,
    /// Imports that Envoy doesn't have under this ABI.
    #[error("it imports what Envoy doesn't have: {}", imports.join(", "))]
    UnknownImports {
        /// `env.name`.
        imports: Vec<String>,
    },
}

/// Why bytes are no module that could be delivered.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The file can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Larger than istio-agent takes. Found before it is read.
    #[error("{what} has {size} bytes, expected at most {LARGEST}, which is what istio-agent takes")]
    TooLarge {
        /// The file, or the module.
        what: String,
        /// Bytes.
        size: u64,
    },
    /// Another kind of file.
    #[error("found no wasm file (it doesn't begin with `\\0asm`), expected a core module")]
    NotWasm,
    /// A component. istio-agent takes it by its magic number, Envoy doesn't load it.
    #[error("found a wasm component, expected a core module")]
    Component,
    /// Broken.
    #[error("found a broken wasm module: {cause}")]
    Malformed {
        /// What the parser says, one line.
        cause: String,
    },
    /// Envoy wouldn't load it.
    #[error("Envoy wouldn't load this module: {}", list(problems))]
    Refused {
        /// Why, at least one.
        problems: Vec<Problem>,
    },
}

impl ModuleError {
    /// Who must act.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::Invalid
    }

    /// What helps, where something does.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Component => Some("build a cdylib for wasm32-unknown-unknown or wasm32-wasip1, and don't run `wasm-tools component new` on it".to_owned()),
            Self::TooLarge { .. } => Some("build with `--release` and strip debug information; a filter is below 1 MB".to_owned()),
            Self::Refused { .. } => Some("build it with a proxy-wasm SDK for wasm32-unknown-unknown or wasm32-wasip1".to_owned()),
            Self::Read { .. } | Self::NotWasm | Self::Malformed { .. } => None,
        }
    }
}

/// A module that Envoy can load, with its bytes: the only thing that an [`crate::Image`] is made of.
#[derive(Clone, PartialEq, Eq)]
pub struct Deliverable {
    bytes: Vec<u8>,
    module: Module,
}

impl Deliverable {
    /// Checks.
    ///
    /// # Errors
    /// It is no core module, or Envoy wouldn't load it: all problems at once.
    pub fn check(bytes: Vec<u8>) -> Result<Self, ModuleError> {
        let module = Module::read(&bytes)?;
        match module.problems.is_empty() {
            true => Ok(Self { bytes, module }),
            false => Err(ModuleError::Refused {
                problems: module.problems,
            }),
        }
    }

    /// The wasm file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says of itself.
    #[must_use]
    pub fn module(&self) -> &Module {
        &self.module
    }
}

impl std::fmt::Debug for Deliverable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("Deliverable")
            .field(&self.module)
            .finish()
    }
}

/// A wasm file's bytes. Its size is looked at before it is read.
///
/// # Errors
/// It isn't there, or it is larger than istio-agent takes.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ModuleError> {
    let read = |source| ModuleError::Read {
        path: path.to_owned(),
        source,
    };
    let too_large = |size| ModuleError::TooLarge {
        what: format!("`{}`", path.display()),
        size,
    };
    let file = File::open(path).map_err(read)?;
    let size = file.metadata().map_err(read)?.len();
    if size > LARGEST {
        return Err(too_large(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    // A pipe has no size, and a file may grow.
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    match bytes.len() as u64 {
        size if size > LARGEST => Err(too_large(size)),
        _ => Ok(bytes),
    }
}

impl Module {
    /// Reads and validates a core module. That Envoy wouldn't load it is no error here: see [`Module::problems`].
    ///
    /// # Errors
    /// It is no core module, or a broken one.
    pub fn read(bytes: &[u8]) -> Result<Self, ModuleError> {
        if bytes.len() as u64 > LARGEST {
            return Err(ModuleError::TooLarge {
                what: "the module".to_owned(),
                size: bytes.len() as u64,
            });
        }
        if !bytes.starts_with(b"\0asm") {
            return Err(ModuleError::NotWasm);
        }
        let malformed = |error: wasmparser::BinaryReaderError| ModuleError::Malformed {
            cause: crate::error::first_line(&error.to_string()),
        };
        let mut found = Parts::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
                Payload::Version {
                    encoding: Encoding::Component,
                    ..
                } => return Err(ModuleError::Component),
                payload => found.take(payload).map_err(malformed)?,
            }
        }
        Validator::new().validate_all(bytes).map_err(malformed)?;
        Ok(found.module(bytes))
    }
}

#[derive(Default)]
struct Parts {
    imports: Vec<(String, String)>,
    exports: Vec<String>,
    memory: bool,
    policy_versions: Option<Vec<String>>,
}

impl Parts {
    fn take(&mut self, payload: Payload<'_>) -> Result<(), wasmparser::BinaryReaderError> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    self.imports
                        .push((import.module.to_owned(), import.name.to_owned()));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.memory |= export.kind == ExternalKind::Memory && export.name == "memory";
                    self.exports.push(export.name.to_owned());
                }
            }
            Payload::CustomSection(section) if section.name() == POLICY_VERSIONS_SECTION => {
                let lines = String::from_utf8_lossy(section.data());
                let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
                self.policy_versions = Some(lines.map(str::to_owned).collect());
            }
            _ => {}
        }
        Ok(())
    }

    fn module(self, bytes: &[u8]) -> Module {
        let abi = host::newest_abi(&self.exports);
        let mut problems = Vec::new();
        match abi {
            None => problems.push(Problem::NoAbi),
            Some(Abi::V0_1_0) => problems.push(Problem::OldAbi),
            Some(Abi::V0_2_0 | Abi::V0_2_1) => {}
        }
        if !self.memory {
            problems.push(Problem::NoMemory);
        }
        let exports = |name: &str| self.exports.iter().any(|export| export == name);
        if !exports("malloc") && !exports("proxy_on_memory_allocate") {
            problems.push(Problem::NoAllocator);
        }
        // Without an ABI, nothing says which imports there would be: judged as the newest.
        let judged = abi.unwrap_or(Abi::V0_2_1);
        let unknown: Vec<String> = self
            .imports
            .iter()
            .filter(|(module, name)| !host::has(judged, module, name))
            .map(|(module, name)| format!("{module}.{name}"))
            .collect();
        if !unknown.is_empty() {
            problems.push(Problem::UnknownImports { imports: unknown });
        }
        Module {
            size: bytes.len() as u64,
            sha256: sha256_hex(bytes),
            abi,
            imports: self
                .imports
                .into_iter()
                .map(|(module, name)| format!("{module}.{name}"))
                .collect(),
            exports: self.exports,
            policy_versions: self.policy_versions,
            problems,
        }
    }
}

fn list(problems: &[Problem]) -> String {
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    said.join("; ")
}
