//! `filter inspect`: which layout istio-agent would take an image as, or why not, and what the module in it is.

use std::path::Path;

use delivery::{Reference, inspect_file, inspect_image};

use super::credentials;
use crate::cli::Inspect;
use crate::error::Error;
use crate::report::{MeshBody, Report};

pub fn run(arguments: &Inspect) -> Result<Report, Error> {
    let file = Path::new(&arguments.what);
    let inspection = match is_file(file) {
        true => inspect_file(file)?,
        false => {
            let reference: Reference = arguments
                .what
                .parse()
                .map_err(|error: delivery::InvalidReference| Error::input(error.to_string()))?;
            let options = arguments.registry.options();
            inspect_image(&reference, credentials(&reference)?, &options)?
        }
    };
    Ok(Report::new(
        arguments.output.form,
        MeshBody::Inspected(Box::new(inspection)),
    ))
}

/// What is there as a file is one. What is spelled as one is one too, so that a missing file is not looked for in a registry.
fn is_file(path: &Path) -> bool {
    let is_spelled = path.is_absolute() || path.starts_with(".") || path.starts_with("..");
    path.is_file()
        || is_spelled
        || path
            .extension()
            .is_some_and(|extension| extension == "wasm")
}
