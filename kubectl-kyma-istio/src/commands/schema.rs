//! `filter schema`.

use crate::cli::Form;
use crate::report::{Body, Report};

pub fn run() -> Report {
    Report::new(Form::Json, Body::Schema(serde_json::Value::Null))
}
