//! The policy's file changes while the server runs.

use std::fs;
use std::os::unix::fs::symlink;

use super::kit::{POLICY, Serve};

const FROM_9: &str = "x-forwarded-for: 203.0.113.9\r\n";

/// The policy that refuses 203.0.113.9.
fn other() -> String {
    POLICY.replace("203.0.113.66", "203.0.113.9")
}

#[test]
fn a_changed_policy_serves() {
    let server = Serve::policy(POLICY);
    let before = server.listening["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/", FROM_9).status, 200);
    fs::write(server.policy_path(), other()).unwrap();
    let line = server.line_from(&changed(&server));
    assert!(
        line.ends_with(" serves") && !line.contains(&before),
        "{line}"
    );
    assert_eq!(server.get("/", FROM_9).status, 403);
}

#[test]
fn a_bad_policy_is_told_with_all_its_problems_and_the_last_good_one_serves() {
    let server = Serve::policy(POLICY);
    fs::write(
        server.policy_path(),
        other()
            .replace("hops: 1", "hops: many")
            .replace("Replace", "Replaced"),
    )
    .unwrap();
    server.line("the last good policy goes on serving");
    let path = server.policy_path().display().to_string();
    server.line(&format!("error: `{path}` is no valid policy:"));
    for field in ["spec.forwarded.trust.hops: ", "spec.forwarded.outbound: "] {
        let line = server.line_from(&format!("  {path}:6:"));
        assert!(line.contains("spec.forwarded."), "{line}");
        let lines = server.all_lines();
        assert!(lines.iter().any(|line| line.contains(field)), "{lines:#?}");
    }
    assert_eq!(server.get("/", FROM_9).status, 200);
    fs::write(server.policy_path(), other()).unwrap();
    server.line_from(&changed(&server));
    assert_eq!(server.get("/", FROM_9).status, 403);
}

#[test]
fn a_file_that_is_replaced_by_renaming_is_seen() {
    let server = Serve::policy(POLICY);
    let fresh = server.folder.path().join("policy.yaml.new");
    fs::write(&fresh, other()).unwrap();
    fs::rename(fresh, server.policy_path()).unwrap();
    server.line_from(&changed(&server));
    assert_eq!(server.get("/", FROM_9).status, 403);
}

#[test]
fn a_link_that_is_swapped_as_in_a_config_map_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    for (version, policy) in [("v1", POLICY.to_owned()), ("v2", other())] {
        fs::create_dir(inside(version)).unwrap();
        fs::write(inside(version).join("policy.yaml"), policy).unwrap();
    }
    symlink("v1", inside("data")).unwrap();
    symlink("data/policy.yaml", inside("policy.yaml")).unwrap();
    let server = Serve::file(&inside("policy.yaml"), &[]);
    assert_eq!(server.get("/", FROM_9).status, 200);
    symlink("v2", inside("data.new")).unwrap();
    fs::rename(inside("data.new"), inside("data")).unwrap();
    server.line_from(&format!(
        "{} changed, fingerprint ",
        inside("policy.yaml").display()
    ));
    assert_eq!(server.get("/", FROM_9).status, 403);
}

#[test]
fn a_file_that_goes_away_and_comes_back() {
    let server = Serve::policy(POLICY);
    fs::remove_file(server.policy_path()).unwrap();
    server.line_from("error: can't read `");
    assert_eq!(server.get("/", FROM_9).status, 200);
    fs::write(server.policy_path(), other()).unwrap();
    server.line_from(&changed(&server));
    assert_eq!(server.get("/", FROM_9).status, 403);
}

fn changed(server: &Serve) -> String {
    format!("{} changed, fingerprint ", server.policy_path().display())
}
