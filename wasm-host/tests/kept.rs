//! Compiled modules that are kept: the second process finds them, and only a folder of our own is believed.
#![cfg(unix)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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
    for hits in [0, 1, 1] {
        let kept = Kept::in_folder(&folder).unwrap();
        let module = Module::compile_once(&bytes, Some(&kept)).unwrap();
        assert_eq!(says(&module), ["H"]);
        assert_eq!(files(&folder).len(), 1);
        assert_eq!(kept.hits(), hits);
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
    let folder = home.path().join("compiled");
    let kept = Kept::in_folder(&folder).unwrap();
    let bytes = bytes();
    Module::compile_once(&bytes, Some(&kept)).unwrap();
    let (path, size) = files(&folder).remove(0);
    let whole = fs::read(&path).unwrap();
    let half = whole.get(..whole.len() / 2).unwrap();
    for broken in [b"".as_slice(), b"not compressed", half] {
        fs::write(&path, broken).unwrap();
        let module = Module::compile_once(&bytes, Some(&kept)).unwrap();
        assert_eq!(says(&module), ["H"]);
        assert_eq!(files(&folder), [(path.clone(), size)]);
    }
    // No text is a module, kept or not.
    assert!(Module::compile_once(b"text", Some(&kept)).is_err());
}

#[test]
fn a_file_that_a_killed_process_left_is_in_nobodys_way() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("compiled");
    let bytes = bytes();
    let kept = Kept::in_folder(&folder).unwrap();
    Module::compile_once(&bytes, Some(&kept)).unwrap();
    let (path, _) = files(&folder).remove(0);
    fs::remove_file(&path).unwrap();
    let left = path.with_extension("wip-atomic-write-mod");
    let file = fs::File::create(&left).unwrap();

    // It may be that of a process which still writes.
    let kept = Kept::in_folder(&folder).unwrap();
    Module::compile_once(&bytes, Some(&kept)).unwrap();
    assert!(left.exists() && !path.exists());

    file.set_modified(SystemTime::now() - Duration::from_secs(3600))
        .unwrap();
    let kept = Kept::in_folder(&folder).unwrap();
    Module::compile_once(&bytes, Some(&kept)).unwrap();
    assert!(!left.exists() && path.exists());
}

fn set_mode(folder: &Path, mode: u32) {
    fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_others_may_look_or_write_into_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    for mode in [0o777, 0o770, 0o755, 0o750, 0o722, 0o701, 0o1777] {
        set_mode(home.path(), mode);
        assert!(Kept::in_folder(home.path()).is_none(), "{mode:o}");
    }
    set_mode(home.path(), 0o700);
    assert!(Kept::in_folder(home.path()).is_some());
}

#[test]
fn a_folder_below_one_that_others_may_change_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    let above = home.path().join("above");
    let folder = above.join("between/compiled");
    fs::create_dir(&above).unwrap();
    for mode in [0o777, 0o775] {
        set_mode(&above, mode);
        assert!(Kept::in_folder(&folder).is_none(), "{mode:o}");
        assert!(!above.join("between").exists(), "nothing is made there");
    }
    // As `/tmp` is, and as most homes are.
    for mode in [0o1777, 0o755] {
        set_mode(&above, mode);
        assert!(Kept::in_folder(&folder).is_some(), "{mode:o}");
    }
    set_mode(&above, 0o777);
    assert!(Kept::in_folder(&folder).is_none(), "it is there by now");
}

#[test]
fn a_link_to_a_folder_is_not_used_and_what_is_there_stays() {
    let home = tempfile::tempdir().unwrap();
    let precious = home.path().join("precious");
    fs::create_dir(&precious).unwrap();
    set_mode(&precious, 0o700);
    fs::write(precious.join("file"), "").unwrap();
    let link = home.path().join("compiled");
    std::os::unix::fs::symlink(&precious, &link).unwrap();
    assert!(Kept::in_folder(&link).is_none());
    assert!(precious.join("file").exists());
}

#[test]
fn without_a_folder_nothing_is_kept_and_all_else_works() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a file");
    fs::write(&file, "").unwrap();
    for impossible in [file.join("in it"), file, PathBuf::new(), "relative".into()] {
        assert!(
            Kept::in_folder(&impossible).is_none(),
            "{}",
            impossible.display()
        );
    }
    assert!(!Path::new("relative").exists());
    assert_eq!(says(&Module::compile_once(&bytes(), None).unwrap()), ["H"]);
}
