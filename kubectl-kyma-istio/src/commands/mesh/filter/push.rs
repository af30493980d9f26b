//! `filter push`: a module becomes an image that istio-agent takes.

use std::path::Path;

use delivery::{Deliverable, Image, Provenance, Registry, read_file};

use super::credentials;
use crate::cli::Push;
use crate::error::Error;
use crate::module;
use crate::report::{MeshBody, Pushed, Report};

/// The title of the embedded module's image.
const TITLE: &str = "header-policy";

pub fn run(arguments: &Push) -> Result<Report, Error> {
    let deliverable = deliverable(arguments.file.as_deref())?;
    let provenance = provenance(
        arguments.file.is_none(),
        arguments.revision.as_deref(),
        arguments.source.as_deref(),
    );
    let image = Image::build(&deliverable, arguments.layout.into(), &provenance);
    let reference = &arguments.reference;
    let options = arguments.registry.options();
    let registry = Registry::connect(reference, credentials(reference)?, &options)?;
    let pushed = registry.push(reference, &image)?;
    let body = MeshBody::Pushed(Pushed {
        pushed,
        layout: image.layout(),
        module: deliverable.module().sha256.clone(),
        policy_versions: deliverable.module().policy_versions.clone(),
    });
    Ok(Report::new(arguments.output.form, body))
}

/// The embedded module, or a file's, checked.
pub(super) fn deliverable(file: Option<&Path>) -> Result<Deliverable, Error> {
    let bytes = match file {
        Some(file) => read_file(file)?,
        None => module::embedded().ok_or(Error::NoModule)?.to_vec(),
    };
    Ok(Deliverable::check(bytes)?)
}

/// What the image says about the module. What the version of a foreign module is, nobody here knows.
pub(super) fn provenance(
    is_ours: bool,
    revision: Option<&str>,
    source: Option<&str>,
) -> Provenance {
    Provenance {
        title: is_ours.then(|| TITLE.to_owned()),
        version: is_ours.then(|| env!("CARGO_PKG_VERSION").to_owned()),
        revision: revision.map(str::to_owned),
        source: source.map(str::to_owned),
    }
}
