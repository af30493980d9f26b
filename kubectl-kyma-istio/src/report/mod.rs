//! What commands answer, as data. `-o json` and `-o yaml` are these types; people get the same in words.

mod batch;
mod chain;
mod check;
mod completion;
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
mod serving;
mod simulation;
mod status;
mod tests;
mod uninstall;
mod upgrade;
mod validation;
mod verify;
mod version;
mod xff;
mod xff_probe;

pub use batch::Batch;
pub use check::Checked;
pub use completion::CompletionInstalled;
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
pub use serving::{Listening, Served};
pub use simulation::{Judged, Simulation};
pub use status::Screen;
pub use tests::{Tested, Tests};
pub use uninstall::Uninstalled;
pub use upgrade::Upgraded;
pub use validation::{Problem, Validated, Validation};
pub use verify::Verified;
pub use version::{FilterVersion, Version};
pub use xff::{
    ChainReading, ExplainedChain, HopsSet, TrustedProxies, XffGateway, XffPolicy, XffResource,
};
pub use xff_probe::{Probed, ProbedRequest, Sight};

use serde::Serialize;
use serde_json::Value;

use crate::cli::Form;
use crate::error::exit;

/// An answer and its form.
#[derive(Debug)]
pub struct Report {
    pub form: ReportForm,
    pub body: Body,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportForm {
    Table,
    Json,
    Yaml,
    /// Of answers that have cases.
    Junit,
}

/// What a command answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Body {
    Validation(Validation),
    Schema(Value),
    Simulation(Box<Simulation>),
    Batch(Batch),
    Listening(Listening),
    Served(Served),
    Tests(Tests),
    Version(Version),
    Rendered(Rendered),
    Origins(Origins),
    Verified(Verified),
    Status(Box<Screen>),
    Checked(Checked),
    CompletionInstalled(CompletionInstalled),
    /// Text for another program, as it is.
    Script(String),
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

impl Report {
    pub fn new(form: impl Into<ReportForm>, body: Body) -> Self {
        Self {
            form: form.into(),
            body,
        }
    }

    /// The exit code that the answer means.
    pub fn exit_code(&self) -> u8 {
        match &self.body {
            Body::Validation(validation) if !validation.valid => exit::INVALID,
            Body::Simulation(simulation) if simulation.judged.outcome == corpus::Outcome::Deny => {
                exit::NEGATIVE
            }
            Body::Batch(batch) if batch.errors > 0 => exit::INVALID,
            Body::Tests(tests) if tests.failed > 0 => exit::NEGATIVE,
            Body::Verified(verified) if !verified.met => exit::NEGATIVE,
            Body::Checked(checked) if checked.errors > 0 => exit::NEGATIVE,
            Body::Inspected(inspection) if !inspection.works() => exit::NEGATIVE,
            Body::TrustedProxies(shown) => shown.exit_code(),
            Body::Probed(probed) => probed.exit_code(),
            Body::ExplainedChain(explained) => explained.exit_code(),
            Body::Deployed(deployed) => deployed.exit_code(),
            Body::Removed(removed) => removed.exit_code(),
            Body::Policies(policies) => policies.exit_code(),
            Body::Logged(logged) => logged.exit_code(),
            Body::Diff(diff) if !diff.is_empty() => exit::NEGATIVE,
            Body::Uninstalled(uninstalled) if uninstalled.blocked.is_some() => exit::REFUSED,
            Body::Patch(patch) if patch.failed() => exit::NEGATIVE,
            Body::Upgraded(upgraded) if upgraded.installed.failed() => exit::NEGATIVE,
            Body::Installed(installed) if installed.failed() => exit::NEGATIVE,
            _ => exit::DONE,
        }
    }
}

impl Body {
    /// The answer as JUnit XML: one suite without cases where the answer has no cases.
    pub fn junit(&self) -> quick_junit::Report {
        match self {
            Self::Tests(tests) => tests::junit(tests),
            Self::Verified(verified) => verified.junit(),
            Self::Checked(checked) => checked.junit(),
            _ => quick_junit::Report::new("kubectl kyma-istio"),
        }
    }
}

impl From<Form> for ReportForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Table => Self::Table,
            Form::Json => Self::Json,
            Form::Yaml => Self::Yaml,
        }
    }
}

impl From<crate::cli::TestForm> for ReportForm {
    fn from(form: crate::cli::TestForm) -> Self {
        match form {
            crate::cli::TestForm::Table => Self::Table,
            crate::cli::TestForm::Json => Self::Json,
            crate::cli::TestForm::Yaml => Self::Yaml,
            crate::cli::TestForm::Junit => Self::Junit,
        }
    }
}

/// `1 object`, `2 objects`.
pub(crate) fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
