//! `filter save`: the image that `push` pushes, as files.

use std::io;

use delivery::Image;

use super::push;
use crate::cli::Save;
use crate::error::Error;
use crate::report::{MeshBody, Report, Saved};

pub fn run(arguments: &Save) -> Result<Report, Error> {
    let folder = &arguments.folder;
    let taken = || {
        Error::input_hint(
            format!(
                "found files in `{}`, expected a new or an empty folder",
                folder.display()
            ),
            "name another folder",
        )
    };
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => return Err(taken()),
        Ok(false) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => {
            return Err(Error::Read {
                path: folder.clone(),
                source,
            });
        }
    }
    let deliverable = push::deliverable(arguments.file.as_deref())?;
    let provenance = push::provenance(
        arguments.file.is_none(),
        arguments.revision.as_deref(),
        arguments.source.as_deref(),
    );
    let image = Image::build(&deliverable, arguments.layout.into(), &provenance);
    image
        .write(folder, env!("CARGO_PKG_VERSION"))
        .map_err(|error| Error::input(format!("can't write to `{}`: {error}", folder.display())))?;
    let body = Saved {
        folder: folder.clone(),
        digest: image.digest().clone(),
        layout: image.layout(),
        module: deliverable.module().sha256.clone(),
    };
    Ok(Report::new(arguments.output.form, MeshBody::Saved(body)))
}
