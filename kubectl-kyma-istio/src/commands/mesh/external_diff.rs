//! `$KUBECTL_EXTERNAL_DIFF`, as kubectl takes it: a program and its arguments, given two folders.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use mesh::diff::ObjectChange;
use mesh::object::Object;
use serde_json::Value;

use crate::error::Error;

/// What the program prints; None when none is named.
pub fn run(changes: &[ObjectChange]) -> Result<Option<String>, Error> {
    let Some(named) = std::env::var("KUBECTL_EXTERNAL_DIFF")
        .ok()
        .filter(|named| !named.trim().is_empty())
    else {
        return Ok(None);
    };
    let mut words = named.split_whitespace();
    let program = words.next().unwrap_or_default();
    let folder = tempfile::tempdir().map_err(unwritable)?;
    let (live, would_be) = (folder.path().join("LIVE"), folder.path().join("MERGED"));
    for change in changes {
        write(&live, change.live.as_ref())?;
        write(&would_be, change.would_be.as_ref())?;
    }
    for side in [&live, &would_be] {
        std::fs::create_dir_all(side).map_err(unwritable)?;
    }
    let output = Command::new(program)
        .args(words)
        .args([&live, &would_be])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            Error::input(format!(
                "can't run `{program}` of $KUBECTL_EXTERNAL_DIFF: {error}"
            ))
        })?;
    // 1 says that there are differences, as with diff itself.
    match output.status.code() {
        Some(0 | 1) => Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned())),
        _ => Err(Error::input(format!(
            "`{program}` of $KUBECTL_EXTERNAL_DIFF ended with {}",
            output.status
        ))),
    }
}

/// One file an object. Values of Secrets are left out, and so is what every write changes.
fn write(folder: &Path, object: Option<&Object>) -> Result<(), Error> {
    let Some(object) = object else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let mut value = object.value().clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for noise in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(noise);
        }
    }
    if let Some(fields) = value.as_object_mut().filter(|_| object.kind() == "Secret") {
        fields.remove("data");
        fields.remove("stringData");
    }
    let id = object.id();
    let name = [
        &id.api_version,
        &id.kind,
        id.namespace.as_deref().unwrap_or_default(),
        &id.name,
    ]
    .join(".");
    // Names of RBAC objects may hold a colon or a slash.
    let name = name.replace(['/', ':'], "_");
    let text = corpus::yaml::write(&value).map_err(|error| Error::input(error.to_string()))?;
    std::fs::write(folder.join(name), text).map_err(unwritable)
}

fn unwritable(error: io::Error) -> Error {
    Error::input(format!("can't write files to compare: {error}"))
}
