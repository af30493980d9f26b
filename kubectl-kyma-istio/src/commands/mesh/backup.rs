//! Writes objects into a folder, as `mesh::backup` shapes them. What stands there already is never written over.

use std::io::Write as _;
use std::path::Path;

use mesh::backup::{file_name, restorable};
use mesh::object::Object;

use crate::error::Error;

/// Writes each object; the files, whether they were new or there already. Without a folder nothing is written.
pub fn write(folder: Option<&Path>, objects: &[Object]) -> Result<Vec<String>, Error> {
    let Some(folder) = folder else {
        return Ok(Vec::new());
    };
    std::fs::create_dir_all(folder).map_err(|source| failed(folder, &source))?;
    let files = objects.iter().map(|object| {
        let path = folder.join(file_name(&object.id()));
        let text = corpus::yaml::write(&restorable(object))
            .map_err(|error| Error::input(error.to_string()))?;
        file(folder, &path, &text)?;
        Ok(path.display().to_string())
    });
    files.collect()
}

/// Whole or not at all, and for nobody else's eyes: Secrets may be among them.
fn file(folder: &Path, path: &Path, text: &str) -> Result<(), Error> {
    match std::fs::read_to_string(path) {
        // A run that was stopped wrote it.
        Ok(there) if there == text => return Ok(()),
        Ok(_) => {
            return Err(Error::input_hint(
                format!("`{}` holds another state of the object", path.display()),
                "name another folder with `--backup DIR`",
            ));
        }
        Err(_) => {}
    }
    let mut new =
        tempfile::NamedTempFile::new_in(folder).map_err(|source| failed(folder, &source))?;
    let written = new
        .write_all(text.as_bytes())
        .and_then(|()| new.as_file().sync_all());
    written.map_err(|source| failed(path, &source))?;
    new.persist_noclobber(path)
        .map(drop)
        .map_err(|error| failed(path, &error.error))
}

fn failed(path: &Path, source: &std::io::Error) -> Error {
    Error::input_hint(
        format!("can't write the backup `{}`: {source}", path.display()),
        "name another folder with `--backup DIR`; nothing was changed on the cluster",
    )
}
