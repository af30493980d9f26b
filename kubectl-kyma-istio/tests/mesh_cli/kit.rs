//! What the plugin is given: folders, a program for istioctl.
#![allow(dead_code, reason = "each binary uses its part")]

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// A program that only says a version, as istioctl does.
pub fn says_version(folder: &Path, version: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("istioctl");
    let script =
        format!("#!/bin/sh\necho '{{\"clientVersion\": {{\"version\": \"{version}\"}}}}'\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
