//! What commands answer, as data. `-o json` and `-o yaml` are these types; people get the same in words.

mod batch;
mod chain;
mod completion;
#[cfg(feature = "mesh")]
mod mesh;
mod serving;
mod simulation;
mod tests;
mod validation;
mod version;

pub use batch::Batch;
pub use completion::CompletionInstalled;
#[cfg(feature = "mesh")]
pub use mesh::*;
pub use serving::{Listening, Served};
pub use simulation::{Judged, Simulation};
pub use tests::{Tested, Tests};
pub use validation::{Problem, Validated, Validation};
#[cfg(feature = "mesh")]
pub use version::IstioVersions;
pub use version::{FilterVersion, Version};

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
    CompletionInstalled(CompletionInstalled),
    /// Text for another program, as it is.
    Script(String),
    #[cfg(feature = "mesh")]
    Mesh(MeshBody),
}

impl Report {
    pub fn new(form: impl Into<ReportForm>, body: impl Into<Body>) -> Self {
        Self {
            form: form.into(),
            body: body.into(),
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
            #[cfg(feature = "mesh")]
            Body::Mesh(body) => body.exit_code(),
            _ => exit::DONE,
        }
    }
}

impl Body {
    /// The answer as JUnit XML: one suite without cases where the answer has no cases.
    pub fn junit(&self) -> quick_junit::Report {
        match self {
            Self::Tests(tests) => tests::junit(tests),
            #[cfg(feature = "mesh")]
            Self::Mesh(MeshBody::Verified(verified)) => verified.junit(),
            #[cfg(feature = "mesh")]
            Self::Mesh(MeshBody::Checked(checked)) => checked.junit(),
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
