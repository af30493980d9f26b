//! Docker's and Podman's files and helpers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use delivery::{Credentials, CredentialsError, Environment, Found, Secret, find};
use tempfile::TempDir;

use crate::support::dockerconfigjson;

const HOST: &str = "registry.example.com:5000";

fn basic(username: &str, password: &str) -> Credentials {
    Credentials::Basic {
        username: username.into(),
        password: Secret::new(password),
    }
}

fn write(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn helper(folder: &Path, name: &str, script: &str) {
    let path = folder.join(format!("docker-credential-{name}"));
    write(&path, format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn at(environment: &Environment, host: &str, repository: &str) -> Found {
    find(environment, host, repository).unwrap()
}

#[test]
fn docker_before_podman_and_the_next_file_where_one_has_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let environment = Environment {
        docker_config: Some(path.join("docker")),
        runtime_folder: Some(path.join("run")),
        home: Some(path.join("home")),
        ..Environment::default()
    };
    assert_eq!(
        at(&environment, HOST, "team/filter"),
        Found {
            credentials: Credentials::Anonymous,
            from: None
        }
    );
    write(
        &path.join("home/.config/containers/auth.json"),
        dockerconfigjson(HOST, "config", "c"),
    );
    assert_eq!(
        at(&environment, HOST, "team/filter").credentials,
        basic("config", "c")
    );
    write(
        &path.join("run/containers/auth.json"),
        dockerconfigjson(HOST, "run", "r"),
    );
    assert_eq!(
        at(&environment, HOST, "team/filter").credentials,
        basic("run", "r")
    );
    write(
        &path.join("docker/config.json"),
        dockerconfigjson(HOST, "docker", "d:with:colons"),
    );
    let found = at(&environment, HOST, "team/filter");
    assert_eq!(found.credentials, basic("docker", "d:with:colons"));
    assert!(found.from.unwrap().ends_with("docker/config.json"));
    write(
        &path.join("docker/config.json"),
        dockerconfigjson("other.example.com", "docker", "d"),
    );
    assert_eq!(
        at(&environment, HOST, "team/filter").credentials,
        basic("run", "r")
    );

    let missing = Environment {
        registry_auth_file: Some(path.join("nowhere")),
        ..environment
    };
    assert!(matches!(
        find(&missing, HOST, "team/filter"),
        Err(CredentialsError::Read { .. })
    ));
}

#[test]
fn the_longest_path_wins_and_a_sibling_path_is_not_ours() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("auth.json");
    let auth = |user: &str| {
        use base64::Engine;
        serde_json::json!({"auth": base64::engine::general_purpose::STANDARD.encode(format!("{user}:x"))})
    };
    let auths = serde_json::json!({"auths": {
        format!("{HOST}/team"): auth("team"), format!("{HOST}/team/filter"): auth("filter"), format!("{HOST}/other"): auth("other"),
        "https://index.docker.io/v1/": auth("hub"),
    }});
    write(&file, auths.to_string());
    let environment = Environment {
        registry_auth_file: Some(file),
        ..Environment::default()
    };
    assert_eq!(
        at(&environment, HOST, "team/filter").credentials,
        basic("filter", "x")
    );
    assert_eq!(
        at(&environment, HOST, "team/else").credentials,
        basic("team", "x")
    );
    assert_eq!(
        at(&environment, HOST, "nobody/else").credentials,
        Credentials::Anonymous
    );
    assert_eq!(
        at(&environment, "index.docker.io", "library/x").credentials,
        basic("hub", "x")
    );
}

#[test]
fn helpers_are_asked_and_their_faults_are_named_without_what_they_printed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let environment = Environment {
        docker_config: Some(path.to_owned()),
        helpers: Some(path.to_owned()),
        ..Environment::default()
    };
    let with = |script: &str| {
        helper(path, "tests", script);
        write(
            &path.join("config.json"),
            format!(r#"{{"credHelpers": {{"{HOST}": "tests"}}}}"#),
        );
        find(&environment, HOST, "team/filter")
    };
    let echo = r#"read host; echo "{\"Username\": \"$host\", \"Secret\": \"s3cret\"}""#;
    assert_eq!(
        with(&format!("[ $1 = get ] && {echo}"))
            .unwrap()
            .credentials,
        basic(HOST, "s3cret")
    );
    let token = with(r#"echo '{"Username": "<token>", "Secret": "refresh"}'"#).unwrap();
    assert_eq!(
        token.credentials,
        Credentials::Identity(Secret::new("refresh"))
    );
    assert!(!format!("{token:?}").contains("refresh"));
    let none = with("echo credentials not found in native keychain; exit 1").unwrap();
    assert_eq!(none.credentials, Credentials::Anonymous);
    for script in ["echo s3cret", "echo s3cret; echo locked >&2; exit 1"] {
        let error = with(script).unwrap_err();
        assert!(matches!(error, CredentialsError::Helper { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    write(&path.join("config.json"), r#"{"credsStore": "../evil"}"#);
    assert!(
        find(&environment, HOST, "team/filter")
            .unwrap_err()
            .to_string()
            .contains("no file name")
    );
    write(
        &path.join("config.json"),
        r#"{"credsStore": "that-is-not-there"}"#,
    );
    assert!(
        find(&environment, HOST, "team/filter")
            .unwrap_err()
            .to_string()
            .contains("can't be started")
    );
}

#[test]
fn a_broken_file_is_named_without_its_content() {
    let folder = TempDir::new().unwrap();
    let environment = Environment {
        docker_config: Some(folder.path().to_owned()),
        ..Environment::default()
    };
    for text in [
        r#"{"auths": {"x": {"auth": s3cret}}}"#,
        r#"{"auths": {"registry.example.com:5000": {"auth": "s3cret"}}}"#,
        "null",
        "[]",
    ] {
        write(&folder.path().join("config.json"), text);
        let error = find(&environment, HOST, "team/filter").unwrap_err();
        assert!(
            matches!(error, CredentialsError::Malformed { .. }),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
}
