//! What users write: the `Istio` CR, the legacy `Installation`, overlays and `--set`. Read offline; every problem at once.

pub mod components;
pub mod installation;
pub mod istio_cr;
pub mod overlay;
pub mod path;
pub mod set;
pub mod spec;
pub mod yaml;

mod format;
mod known;
mod raw;
mod reader;
mod rules;
mod schema;

pub(crate) use format::duration;
pub use istio_cr::IstioCr;
pub(crate) use overlay::by_name;
pub use rules::BUILT_IN_PROVIDERS;
pub use schema::{fields, schema};
