//! The header policy in the mesh, as values: where it goes, the WasmPlugin that brings it, what speaks against it, and what
//! each proxy makes of it. Not here: asking proxies, and what a policy means.

mod conflicts;
mod live;
mod look;
mod plugin;
mod select;
mod state;
mod target;

pub use conflicts::{Finding, Neighbours, Wish, conflicts, needs_routes};
pub use live::Plugin;
pub use look::{Fetches, Look, Resource, ResourceKind, http_date};
pub use plugin::{LONGEST_RECORD, Side, Wanted, config, with_position};
pub use select::{Selected, is_selected, selected, side};
pub use state::{AGAIN, State, judge};
pub use target::{FailStrategy, Phase, Select, Target};

/// The annotation with the fingerprint of the policy in the plugin.
pub const FINGERPRINT: &str = "policy.kyma-istio.dev/fingerprint";
/// The annotation with what `rollback` goes back to: the plugin's `spec` before, as JSON.
pub const PREVIOUS: &str = "policy.kyma-istio.dev/previous";
/// The label that marks a second plugin on fewer proxies; its value is the name of the plugin that it may replace.
pub const CANARY_OF: &str = "policy.kyma-istio.dev/canary-of";
