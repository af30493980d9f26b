//! `filter schema`.

use crate::report::{Body, Report, ReportForm};

/// The JSON Schema of a HeaderPolicy, generated from the types that read it.
pub fn run() -> Report {
    Report::new(ReportForm::Json, Body::Schema(policy::schema()))
}
