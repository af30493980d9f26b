//! What isn't delivered.

use delivery::{
    Abi, Deliverable, Module, ModuleError, POLICY_VERSIONS_SECTION, Problem, inspect_file,
    read_file,
};
use tempfile::NamedTempFile;

use crate::support::wasm;

fn refused(bytes: Vec<u8>) -> Vec<Problem> {
    match Deliverable::check(bytes) {
        Err(ModuleError::Refused { problems }) => problems,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_component_is_refused_by_name() {
    let component = wat::parse_str("(component)").unwrap();
    assert!(matches!(
        Deliverable::check(component),
        Err(ModuleError::Component)
    ));
}

#[test]
fn imports_that_envoy_lacks_are_all_named() {
    let fields = r#"(import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
        (import "env" "proxy_teleport" (func)) (import "wasi_snapshot_preview1" "path_open" (func))"#;
    let imports = vec![
        "env.proxy_teleport".to_owned(),
        "wasi_snapshot_preview1.path_open".to_owned(),
    ];
    assert_eq!(refused(wasm(fields)), [Problem::UnknownImports { imports }]);
}

#[test]
fn every_problem_comes_at_once() {
    let bytes = wat::parse_str(r#"(module (import "x" "y" (func)))"#).unwrap();
    let unknown = Problem::UnknownImports {
        imports: vec!["x.y".to_owned()],
    };
    assert_eq!(
        refused(bytes),
        [
            Problem::NoAbi,
            Problem::NoMemory,
            Problem::NoAllocator,
            unknown
        ]
    );
}

#[test]
fn what_is_no_wasm_or_broken_says_so() {
    assert!(matches!(
        Deliverable::check(b"#!/bin/sh".to_vec()),
        Err(ModuleError::NotWasm)
    ));
    let mut cut = wasm("");
    cut.truncate(cut.len() - 3);
    assert!(matches!(
        Deliverable::check(cut),
        Err(ModuleError::Malformed { .. })
    ));
}

#[test]
fn accepted_policy_versions_are_read_from_their_section() {
    let section =
        format!(r#"(@custom "{POLICY_VERSIONS_SECTION}" "policy/v1alpha1\npolicy/v1beta1\n")"#);
    let module = Module::read(&wasm(&section)).unwrap();
    assert_eq!(
        module.policy_versions.unwrap(),
        ["policy/v1alpha1", "policy/v1beta1"]
    );
    assert_eq!(module.abi, Some(Abi::V0_2_1));
    assert_eq!(Module::read(&wasm("")).unwrap().policy_versions, None);
}

#[test]
fn three_hundred_megabytes_are_refused_without_being_read() {
    let file = NamedTempFile::new().unwrap();
    file.as_file().set_len(300 << 20).unwrap();
    let before = peak();
    assert!(
        matches!(read_file(file.path()), Err(ModuleError::TooLarge { size, .. }) if size == 300 << 20)
    );
    assert!(inspect_file(file.path()).is_err());
    // Other tests run beside this one, none with so much.
    assert!(peak() - before < 200 << 10, "{} KB", peak() - before);
}

/// The process's largest resident set so far, KB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
