//! What the verbs about Istio and about a cluster answer.

mod check;
mod diff;
mod explain;
mod filter_compare;
mod filter_deploy;
mod filter_image;
mod filter_logs;
mod filter_status;
mod install;
mod patch;
mod plan;
mod render;
mod status;
mod uninstall;
mod upgrade;
mod verify;
mod xff;
mod xff_probe;

pub use check::Checked;
pub use diff::{Diff, ObjectDiff, Verb};
pub use explain::{Codes, markdown};
pub use filter_compare::Comparison;
pub use filter_deploy::{Deployed, Removed};
pub use filter_image::{Pushed, Saved, inspected};
pub use filter_logs::Logged;
pub use filter_status::{Mode, Policies, PolicyStatus, ProxyStatus};
pub use install::Installed;
pub use patch::PatchReport;
pub use plan::Planned;
pub use render::{Origins, Rendered};
pub use status::Screen;
pub use uninstall::Uninstalled;
pub use upgrade::Upgraded;
pub use verify::Verified;
pub use xff::{
    ChainReading, ExplainedChain, HopsSet, TrustedProxies, XffGateway, XffPolicy, XffResource,
};
pub use xff_probe::{Probed, ProbedRequest, Sight};

use serde::Serialize;

use super::{Body, count};
use crate::error::exit;
use crate::printer::Text;

/// What such a verb answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum MeshBody {
    Rendered(Rendered),
    Origins(Origins),
    Verified(Verified),
    Status(Box<Screen>),
    Checked(Checked),
    Codes(Codes),
    Diff(Diff),
    Pushed(Pushed),
    Saved(Saved),
    Comparison(Comparison),
    TrustedProxies(TrustedProxies),
    HopsSet(HopsSet),
    Probed(Probed),
    ExplainedChain(ExplainedChain),
    Deployed(Box<Deployed>),
    Removed(Removed),
    Policies(Policies),
    Logged(Logged),
    Inspected(Box<delivery::Inspection>),
    Installed(Box<Installed>),
    Uninstalled(Box<Uninstalled>),
    Upgraded(Box<Upgraded>),
    Patch(Box<PatchReport>),
}

impl MeshBody {
    /// The exit code that the answer means.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Verified(verified) if !verified.met => exit::NEGATIVE,
            Self::Checked(checked) if checked.errors > 0 => exit::NEGATIVE,
            Self::Inspected(inspection) if !inspection.works() => exit::NEGATIVE,
            Self::TrustedProxies(shown) => shown.exit_code(),
            Self::Probed(probed) => probed.exit_code(),
            Self::ExplainedChain(explained) => explained.exit_code(),
            Self::Deployed(deployed) => deployed.exit_code(),
            Self::Removed(removed) => removed.exit_code(),
            Self::Policies(policies) => policies.exit_code(),
            Self::Logged(logged) => logged.exit_code(),
            Self::Diff(diff) if !diff.is_empty() => exit::NEGATIVE,
            Self::Uninstalled(uninstalled) if uninstalled.blocked.is_some() => exit::REFUSED,
            Self::Patch(patch) if patch.failed() => exit::NEGATIVE,
            Self::Upgraded(upgraded) if upgraded.installed.failed() => exit::NEGATIVE,
            Self::Installed(installed) if installed.failed() => exit::NEGATIVE,
            _ => exit::DONE,
        }
    }

    /// The answer in words.
    pub fn human(&self, text: &mut Text) {
        match self {
            Self::Origins(origins) => origins.human(text),
            Self::Verified(verified) => verified.human(text),
            Self::Status(status) => status.human(text),
            Self::Checked(checked) => checked.human(text),
            Self::Codes(codes) => codes.human(text),
            Self::Diff(diff) => diff.human(text),
            Self::Saved(saved) => saved.human(text),
            Self::Pushed(pushed) => pushed.human(text),
            Self::Comparison(comparison) => comparison.human(text),
            Self::TrustedProxies(shown) => shown.human(text),
            Self::HopsSet(set) => set.human(text),
            Self::Probed(probed) => probed.human(text),
            Self::ExplainedChain(explained) => explained.human(text),
            Self::Deployed(deployed) => deployed.human(text),
            Self::Removed(removed) => removed.human(text),
            Self::Policies(policies) => policies.human(text),
            Self::Logged(logged) => logged.human(text),
            Self::Inspected(inspection) => inspected(inspection, text),
            Self::Installed(installed) => installed.human(text),
            Self::Uninstalled(uninstalled) => uninstalled.human(text),
            Self::Upgraded(upgraded) => upgraded.human(text),
            Self::Patch(patch) => patch.human(text),
            Self::Rendered(_) => {}
        }
    }
}

impl From<MeshBody> for Body {
    fn from(body: MeshBody) -> Self {
        Self::Mesh(body)
    }
}
