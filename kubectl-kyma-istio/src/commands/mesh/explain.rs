//! `explain`: what a code means, offline.

use mesh::codes;

use crate::cli::{Explain, Form};
use crate::error::Error;
use crate::report::{Codes, MeshBody, Report, markdown};

pub fn run(arguments: &Explain) -> Result<Report, Error> {
    if arguments.markdown {
        return Ok(Report::new(
            Form::Table,
            MeshBody::Codes(Codes::Page(markdown())),
        ));
    }
    let codes = match &arguments.code {
        None => Codes::All(codes::all()),
        Some(code) => Codes::One(codes::explain(code).ok_or_else(|| {
            Error::input_hint(
                format!("found `{code}`, expected a code such as KI-V002"),
                "`kubectl kyma-istio explain` lists all codes",
            )
        })?),
    };
    Ok(Report::new(arguments.output.form, MeshBody::Codes(codes)))
}
