//! Compiled modules that are kept: the second process finds them, and only a folder of our own is believed.
#![cfg(unix)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::get;
use wasm_host::{Kept, Module, Settings, Simulator};

/// Answers with its own status.
const BODY: &str = r#"
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (call $letter (i32.const 7))
      (i32.const 0))"#;

fn bytes() -> Vec<u8> {
    wat::parse_str(common::text(BODY)).unwrap()
}

fn says(module: &Module) -> Vec<String> {
    let mut simulator = Simulator::new(module, Settings::new("test")).unwrap();
    simulator.configure(b"");
    let logs = simulator.request(get()).effects.logs;
    logs.into_iter().map(|(_, line)| line).collect()
}

/// What is kept in a folder, with its size.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_none() && !is_hidden(&path) {
            found.push((path.clone(), fs::metadata(&path).unwrap().len()));
        }
    }
    found
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}

#[test]
fn a_module_is_compiled_once_and_judges_as_before() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("new/compiled");
    let bytes = bytes();
    for _ in 0..2 {
        let kept = Kept::in_folder(&folder).unwrap();
        let module = Module::compile_once(&bytes, Some(&kept)).unwrap();
        assert_eq!(says(&module), ["H"]);
        assert_eq!(files(&folder).len(), 1);
    }
    let mode = fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    // Another module is another file, however alike.
    let mut other = bytes.clone();
    other.extend_from_slice(b"\0\x02\x01a");
    let kept = Kept::in_folder(&folder).unwrap();
    assert_eq!(
        says(&Module::compile_once(&other, Some(&kept)).unwrap()),
        ["H"]
    );
    assert_eq!(files(&folder).len(), 2);
}

#[test]
fn what_is_broken_in_the_folder_is_compiled_again() {
    let home = tempfile::tempdir().unwrap();
    let kept = Kept::in_folder(home.path()).unwrap();
    let bytes = bytes();
    Module::compile_once(&bytes, Some(&kept)).unwrap();
    let (path, size) = files(home.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let half = whole.get(..whole.len() / 2).unwrap();
    for broken in [b"".as_slice(), b"not compressed", half] {
        fs::write(&path, broken).unwrap();
        let module = Module::compile_once(&bytes, Some(&kept)).unwrap();
        assert_eq!(says(&module), ["H"]);
        assert_eq!(files(home.path()), [(path.clone(), size)]);
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_not_believed() {
    let home = tempfile::tempdir().unwrap();
    for mode in [0o777, 0o770, 0o722, 0o702, 0o720] {
        fs::set_permissions(home.path(), Permissions::from_mode(mode)).unwrap();
        assert!(Kept::in_folder(home.path()).is_none(), "{mode:o}");
    }
    for mode in [0o700, 0o755, 0o750] {
        fs::set_permissions(home.path(), Permissions::from_mode(mode)).unwrap();
        assert!(Kept::in_folder(home.path()).is_some(), "{mode:o}");
    }
}

#[test]
fn without_a_folder_nothing_is_kept_and_all_else_works() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a file");
    fs::write(&file, "").unwrap();
    for impossible in [file.join("in it"), file, PathBuf::new()] {
        assert!(
            Kept::in_folder(&impossible).is_none(),
            "{}",
            impossible.display()
        );
    }
    assert_eq!(says(&Module::compile_once(&bytes(), None).unwrap()), ["H"]);
}
