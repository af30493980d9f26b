//! The filter as an OCI image: what may be pushed, how it is laid out, what istio-agent makes of it.
//!
//! File → [`Deliverable`] (a module that Envoy can load) → [`Image`] (the same bytes every time) → [`Registry::push`].
//! The other way round, [`inspect`] says which layout istio-agent takes an image as, or why not, and [`rehearse`] walks
//! the way of a pull as the agent would, with the same reference and the same secret, step by step.
//!
//! Everything here blocks; a caller with a runtime gives it a thread. Reports are data. Not here: Kubernetes, printing.

mod credentials;
mod digest;
mod error;
mod folder;
mod image;
mod inspect;
mod layout;
mod module;
mod reference;
mod registry;
mod rehearse;

pub use credentials::{
    Credentials, CredentialsError, Environment, Found, PullSecret, Secret, find,
};
pub use digest::{Digest, InvalidDigest};
pub use error::Class;
pub use image::{Blob, Image, Layout, Provenance};
pub use inspect::{ImageFacts, InspectError, Inspection, LayerFacts, inspect_file, inspect_image};
pub use layout::{LARGEST, TakenAs};
pub use module::{
    Abi, Deliverable, Module, ModuleError, POLICY_VERSIONS_SECTION, Problem, read_file,
};
pub use reference::{InvalidReference, Reference};
pub use registry::{Options, Pushed, Registry, RegistryError};
pub use rehearse::{Checked, Rehearsal, Step, StepName, Verdict, rehearse};
