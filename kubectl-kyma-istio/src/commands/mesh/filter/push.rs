//! `filter push`: a module becomes an image that istio-agent takes.

use delivery::{Deliverable, Image, Provenance, Registry, read_file};

use super::credentials;
use crate::cli::Push;
use crate::error::Error;
use crate::module;
use crate::report::{MeshBody, Pushed, Report};

/// The title of the embedded module's image.
const TITLE: &str = "header-policy";

pub fn run(arguments: &Push) -> Result<Report, Error> {
    let bytes = match &arguments.file {
        Some(file) => read_file(file)?,
        None => module::embedded().ok_or(Error::NoModule)?.to_vec(),
    };
    let deliverable = Deliverable::check(bytes)?;
    // What the version of a foreign module is, nobody here knows.
    let is_ours = arguments.file.is_none();
    let provenance = Provenance {
        title: is_ours.then(|| TITLE.to_owned()),
        version: is_ours.then(|| env!("CARGO_PKG_VERSION").to_owned()),
        revision: arguments.revision.clone(),
        source: arguments.source.clone(),
    };
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
