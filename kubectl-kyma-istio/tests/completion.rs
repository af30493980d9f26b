//! Completion as its user gets it: the file that kubectl calls, and real bash.

#[path = "common/plugin.rs"]
mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use common::{Answer, plugin};
use kubectl_kyma_istio::exit;

const PLUGIN: &str = "kubectl-kyma_istio";
const COMPLETER: &str = "kubectl_complete-kyma_istio";

/// A folder that is the only one of `$PATH`, with the plugin in it.
fn path() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    symlink(
        env!("CARGO_BIN_EXE_kubectl-kyma_istio"),
        folder.path().join(PLUGIN),
    )
    .unwrap();
    folder
}

fn install(path: &Path, arguments: &[&str]) -> Answer {
    let all = [&["completion", "install", "-o", "json"], arguments].concat();
    plugin(&all).env("PATH", path).run()
}

fn said(answer: &Answer) -> serde_json::Value {
    serde_json::from_str(&answer.stdout).unwrap_or_else(|_| panic!("{}", answer.stderr))
}

#[test]
fn the_file_is_written_beside_the_plugin_and_answers_as_kubectl_expects() {
    let folder = path();
    let file = folder.path().join(COMPLETER);
    let dry = said(&install(folder.path(), &["--dry-run"]));
    assert_eq!(
        (&dry["changed"], &dry["dryRun"]),
        (&true.into(), &true.into())
    );
    assert!(!file.exists());

    let first = said(&install(folder.path(), &[]));
    assert_eq!(first["path"], file.display().to_string());
    assert_eq!(
        (&first["changed"], &first["inPath"]),
        (&true.into(), &true.into())
    );
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    let again = said(&install(folder.path(), &[]));
    assert_eq!(again["changed"], false);

    // As kubectl calls it: the words typed are its arguments.
    let answer = Command::new(&file)
        .args(["filter", "simul"])
        .env("PATH", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(answer.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("simulate\t") && lines[1] == ":4",
        "{text}"
    );
}

#[test]
fn a_file_of_ours_that_is_out_of_date_is_written_again() {
    let folder = path();
    let file = folder.path().join(COMPLETER);
    install(folder.path(), &[]);
    let wanted = fs::read_to_string(&file).unwrap();
    fs::write(&file, wanted.replace("exec ", "exec earlier-")).unwrap();
    assert_eq!(said(&install(folder.path(), &[]))["changed"], true);
    assert_eq!(fs::read_to_string(&file).unwrap(), wanted);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(said(&install(folder.path(), &[]))["changed"], true);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    // Somebody's own lines are somebody's.
    let edited = format!("{wanted}echo mine\n");
    fs::write(&file, &edited).unwrap();
    assert_eq!(install(folder.path(), &[]).code, exit::INVALID);
    assert_eq!(fs::read_to_string(&file).unwrap(), edited);
}

#[test]
fn what_others_made_is_left_alone() {
    for kind in ["file", "link", "folder"] {
        let folder = path();
        let file = folder.path().join(COMPLETER);
        match kind {
            "file" => fs::write(&file, "#!/bin/sh\necho mine\n").unwrap(),
            "link" => symlink("/bin/true", &file).unwrap(),
            _ => fs::create_dir(&file).unwrap(),
        }
        let answer = install(folder.path(), &[]);
        assert_eq!(answer.code, exit::INVALID, "{kind}: {}", answer.stdout);
        assert!(
            answer.stderr.contains(COMPLETER) && answer.stderr.contains("hint:"),
            "{kind}: {}",
            answer.stderr
        );
        match kind {
            "file" => assert_eq!(fs::read_to_string(&file).unwrap(), "#!/bin/sh\necho mine\n"),
            "link" => assert_eq!(fs::read_link(&file).unwrap(), Path::new("/bin/true")),
            _ => assert!(file.is_dir()),
        }
    }
}

#[test]
fn a_link_to_the_plugin_under_the_name_is_as_good() {
    let folder = path();
    let file = folder.path().join(COMPLETER);
    symlink(PLUGIN, &file).unwrap();
    assert_eq!(said(&install(folder.path(), &[]))["changed"], false);
    let answer = Command::new(&file).arg("ins").output().unwrap();
    let text = String::from_utf8(answer.stdout).unwrap();
    assert!(text.starts_with("install\t"), "{text}");
}

#[test]
fn a_folder_outside_of_path_is_said_and_no_plugin_in_path_is_an_error() {
    let elsewhere = tempfile::tempdir().unwrap();
    let dir = elsewhere.path().display().to_string();
    let folder = path();
    let answer = said(&install(folder.path(), &["--dir", &dir]));
    assert_eq!(answer["inPath"], false);
    assert!(elsewhere.path().join(COMPLETER).is_file());

    let empty = tempfile::tempdir().unwrap();
    let answer = install(empty.path(), &[]);
    assert_eq!(answer.code, exit::INVALID);
    assert!(answer.stderr.contains("$PATH"), "{}", answer.stderr);
    let answer = install(folder.path(), &["--dir", "/no/such/folder"]);
    assert_eq!(answer.code, exit::INVALID);
    assert!(answer.stderr.contains("--dir"), "{}", answer.stderr);
}

/// What real bash would complete: it runs our function with what it knows of a command line when Tab is pressed.
fn bash(line: &str) -> Vec<String> {
    let folder = path();
    fs::write(folder.path().join("my policy.yaml"), "").unwrap();
    let script = r#"
        source <(kubectl-kyma_istio completion bash) || exit 1
        COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
        complete -p kubectl-kyma_istio >&2
        _kubectl_kyma_istio
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", script, "bash", line])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_verbs_values_and_files() {
    assert_eq!(bash("kubectl-kyma_istio ins"), ["install"]);
    assert_eq!(bash("kubectl-kyma_istio  filter sim"), ["simulate"]);
    assert_eq!(bash("kubectl-kyma_istio version -o j"), ["json"]);
    // Bash replaces only what stands behind `=`.
    assert_eq!(bash("kubectl-kyma_istio version --output=j"), ["json"]);
    assert_eq!(
        bash("kubectl-kyma_istio filter validate my"),
        [r"my\ policy.yaml"]
    );
}
