//! From flags and kubeconfig files to what the server sees.

mod common;

use std::ffi::OsString;
use std::path::Path;

use cluster::connect::{Connection, Environment, Flags, connect_with};
use cluster::error::{Class, ClusterError};
use cluster::guard::Mode;
use common::{FakeApi, PATIENCE, file};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A kubeconfig with one context; `user` is YAML in flow style.
fn kubeconfig(name: &str, server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {name}\n\
         clusters: [{{name: {name}-cluster, cluster: {{server: '{server}'}}}}]\n\
         users: [{{name: {name}-user, user: {user}}}]\n\
         contexts: [{{name: {name}, context: {{cluster: {name}-cluster, user: {name}-user, namespace: {name}-namespace}}}}]\n"
    )
}

fn list(paths: &[&Path]) -> Environment {
    let kubeconfig: OsString = std::env::join_paths(paths).expect("paths");
    Environment {
        kubeconfig: Some(kubeconfig),
        ..Environment::default()
    }
}

async fn connect(flags: &Flags, environment: &Environment) -> Result<Connection, ClusterError> {
    connect_with(flags, environment, Mode::Write, PATIENCE).await
}

/// A header of the last request, after one request more: kube asks for a token when it needs one.
async fn header(api: &FakeApi, connection: &Connection, name: &str) -> Option<String> {
    let request = http::Request::get("/api/v1")
        .body(Vec::new())
        .expect("a request");
    connection
        .client
        .request_text(request)
        .await
        .expect("an answer");
    api.seen().last()?.headers.get(name).cloned()
}

#[tokio::test]
async fn a_list_of_files_is_merged_and_the_first_wins() {
    let (one, two, here) = (FakeApi::usual().await, FakeApi::usual().await, folder());
    let url = |api: &FakeApi| format!("http://{}", api.address);
    let first = file(
        &here,
        "first",
        &kubeconfig("one", &url(&one), "{token: first}"),
    );
    let second = file(
        &here,
        "second",
        &(kubeconfig("two", &url(&two), "{token: second}")),
    );
    let missing = here.path().join("missing");
    let environment = list(&[&missing, &first, &second]);

    let connection = connect(&Flags::default(), &environment)
        .await
        .expect("the first file's context");
    assert_eq!(
        (connection.context.as_str(), connection.server.clone()),
        ("one", url(&one))
    );
    assert_eq!(
        (
            connection.namespace.as_str(),
            connection.version.to_string().as_str()
        ),
        ("one-namespace", "1.33")
    );
    assert_eq!(
        header(&one, &connection, "authorization").await.as_deref(),
        Some("Bearer first")
    );

    let flags = Flags {
        context: Some("two".to_owned()),
        ..Flags::default()
    };
    let connection = connect(&flags, &environment)
        .await
        .expect("the second file's context");
    assert_eq!(
        header(&two, &connection, "authorization").await.as_deref(),
        Some("Bearer second")
    );

    let mixed = Flags {
        user: Some("two-user".to_owned()),
        namespace: Some("n".to_owned()),
        ..Flags::default()
    };
    let connection = connect(&mixed, &environment)
        .await
        .expect("a cluster and another's user");
    assert_eq!(connection.namespace, "n");
    assert_eq!(
        header(&one, &connection, "authorization").await.as_deref(),
        Some("Bearer second")
    );

    let other = Flags {
        cluster: Some("two-cluster".to_owned()),
        ..Flags::default()
    };
    assert_eq!(
        connect(&other, &environment)
            .await
            .expect("another cluster")
            .server,
        url(&two)
    );

    let only = Flags {
        kubeconfig: Some(second),
        ..Flags::default()
    };
    assert_eq!(
        connect(&only, &environment)
            .await
            .expect("the flag's file alone")
            .context,
        "two"
    );
}

#[tokio::test]
async fn flags_say_who_acts_and_as_whom() {
    let (api, here) = (FakeApi::usual().await, folder());
    let path = file(
        &here,
        "config",
        &kubeconfig(
            "one",
            &format!("http://{}", api.address),
            "{username: u, password: p}",
        ),
    );
    let flags = Flags {
        token: Some("secret".to_owned()),
        impersonate: Some("eve".to_owned()),
        impersonate_groups: vec!["a".to_owned()],
        impersonate_uid: Some("42".to_owned()),
        ..Flags::default()
    };
    let connection = connect(&flags, &list(&[&path]))
        .await
        .expect("a connection");
    let sent = |name: &'static str| header(&api, &connection, name);
    assert_eq!(
        sent("authorization").await.as_deref(),
        Some("Bearer secret")
    );
    assert_eq!(sent("impersonate-user").await.as_deref(), Some("eve"));
    assert_eq!(sent("impersonate-group").await.as_deref(), Some("a"));
    assert_eq!(sent("impersonate-uid").await.as_deref(), Some("42"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_credential_plugin_is_asked() {
    use std::os::unix::fs::PermissionsExt;
    let (api, here) = (FakeApi::usual().await, folder());
    let url = format!("http://{}", api.address);
    let plugin = |name: &str, text: &str| {
        let path = file(&here, name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
        let user = "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: ./NAME}}";
        let config = kubeconfig("one", &url, &user.replace("NAME", name));
        list(&[&file(&here, &format!("{name}.yaml"), &config)])
    };
    let good = plugin(
        "good",
        "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"of-plugin\"}}'\n",
    );
    let connection = connect(&Flags::default(), &good)
        .await
        .expect("a connection");
    assert_eq!(
        header(&api, &connection, "authorization").await.as_deref(),
        Some("Bearer of-plugin")
    );

    let bad = plugin(
        "bad",
        "#!/bin/sh\necho secret-output; echo 'login first' >&2; exit 3\n",
    );
    let error = connect(&Flags::default(), &bad)
        .await
        .err()
        .expect("no credential");
    let text = error.to_string();
    assert!(
        text.ends_with(": the credential plugin failed (exit status: 3): login first"),
        "{text}"
    );
    assert!(!text.contains("secret-output"), "{text}");
    assert_eq!(error.class(), Class::Unreachable);
}

#[tokio::test]
async fn what_is_named_but_not_there_is_said_in_one_line() {
    let here = folder();
    let good = file(
        &here,
        "good",
        &kubeconfig("one", "http://127.0.0.1:1", "{}"),
    );
    let bad = file(&here, "bad", "clusters:\n- name: [secret-token\n");
    let with = |change: fn(&mut Flags)| {
        let mut flags = Flags::default();
        change(&mut flags);
        flags
    };
    let missing = here.path().join("missing");
    let cases: Vec<(Flags, &Path, String)> = vec![
        (
            with(|f| f.context = Some("x".into())),
            &good,
            "the kubeconfig has no context `x`".into(),
        ),
        (
            with(|f| f.cluster = Some("x".into())),
            &good,
            "the kubeconfig has no cluster `x`".into(),
        ),
        (
            with(|f| f.user = Some("x".into())),
            &good,
            "the kubeconfig has no user `x`".into(),
        ),
        (
            with(|f| f.impersonate_uid = Some("x".into())),
            &good,
            "`--as-group` or `--as-uid` without `--as`, expected the user to act as".into(),
        ),
        (
            with(|_| {}),
            &missing,
            format!(
                "no cluster: no context in `{}`, and this is no pod",
                missing.display()
            ),
        ),
        (
            with(|f| f.kubeconfig = Some("/nowhere".into())),
            &good,
            "can't read `/nowhere`: No such file or directory (os error 2)".into(),
        ),
        (
            with(|f| f.client_key = Some("k".into())),
            &good,
            "`--client-certificate` and `--client-key` go together, found one of them".into(),
        ),
    ];
    for (flags, path, message) in cases {
        let error = connect(&flags, &list(&[path])).await.err().expect(&message);
        assert_eq!(error.to_string(), message);
    }
    let error = connect(&Flags::default(), &list(&[&bad]))
        .await
        .err()
        .expect("no YAML");
    assert!(
        error
            .to_string()
            .starts_with(&format!("`{}` is no kubeconfig: line ", bad.display())),
        "{error}"
    );
    assert!(!error.to_string().contains("secret-token"), "{error}");
    assert_eq!(error.class(), Class::Invalid);
}
