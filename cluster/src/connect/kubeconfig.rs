//! From flags and kubeconfig files to one cluster and one user. Not here: talking to it.

use std::path::{Path, PathBuf};

use kube::config::{
    AuthInfo, Cluster, Config, Context, KubeConfigOptions, Kubeconfig, KubeconfigError,
    NamedAuthInfo, NamedCluster, NamedContext,
};

use super::flags::{Environment, Flags};
use crate::error::{ClusterError, one_line};

/// The context's name where `--server` alone says where the cluster is.
const BY_FLAGS: &str = "--server";
/// The context's name inside a pod.
const IN_CLUSTER: &str = "in-cluster";

/// A configuration, and the name of the context that it comes from.
pub(super) async fn select(
    flags: &Flags,
    environment: &Environment,
) -> Result<(Config, String), ClusterError> {
    check(flags)?;
    let files = read(flags, environment)?;
    let is_empty = files.contexts.is_empty() && files.clusters.is_empty();
    if is_empty && flags.server.is_none() {
        if !environment.in_cluster {
            return Err(ClusterError::NoCluster {
                what: looked_at(flags, environment),
            });
        }
        let mut config = Config::incluster_env().map_err(|error| invalid(one_line(&error)))?;
        override_user(&mut config.auth_info, flags);
        return Ok((config, IN_CLUSTER.to_owned()));
    }
    let (name, mut context) = choose(&files, flags)?;
    let mut cluster = cluster_of(&files, &context.cluster)?;
    let mut user = user_of(&files, flags, context.user.as_deref())?;
    override_cluster(&mut cluster, flags);
    override_user(&mut user, flags);
    if let Some(namespace) = &flags.namespace {
        context.namespace = Some(namespace.clone());
    }
    if cluster.server.is_none() {
        return Err(invalid(format!(
            "the cluster of context `{name}` has no `server`, expected a URL"
        )));
    }
    let config = Config::from_custom_kubeconfig(
        only(&name, context, cluster, user),
        &KubeConfigOptions::default(),
    )
    .await
    .map_err(|error| invalid(describe(&error)))?;
    Ok((config, name))
}

/// What kubectl refuses too.
fn check(flags: &Flags) -> Result<(), ClusterError> {
    let wants_more = !flags.impersonate_groups.is_empty() || flags.impersonate_uid.is_some();
    if wants_more && flags.impersonate.is_none() {
        return Err(invalid(
            "`--as-group` or `--as-uid` without `--as`, expected the user to act as",
        ));
    }
    if flags.insecure_skip_tls_verify && flags.certificate_authority.is_some() {
        return Err(invalid(
            "`--insecure-skip-tls-verify` and `--certificate-authority` exclude each other",
        ));
    }
    if flags.client_certificate.is_some() != flags.client_key.is_some() {
        return Err(invalid(
            "`--client-certificate` and `--client-key` go together, found one of them",
        ));
    }
    Ok(())
}

/// One file that is named must be there; of a list, kubectl skips those that are missing.
fn read(flags: &Flags, environment: &Environment) -> Result<Kubeconfig, ClusterError> {
    if let Some(file) = &flags.kubeconfig {
        return read_file(file);
    }
    paths(environment)
        .iter()
        .filter(|path| path.exists())
        .try_fold(Kubeconfig::default(), |merged, path| {
            merged
                .merge(read_file(path)?)
                .map_err(|error| invalid(format!("`{}`: {}", path.display(), describe(&error))))
        })
}

fn paths(environment: &Environment) -> Vec<PathBuf> {
    match (&environment.kubeconfig, &environment.home) {
        (Some(list), _) => std::env::split_paths(list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        (None, Some(home)) => vec![home.join(".kube").join("config")],
        (None, None) => Vec::new(),
    }
}

fn read_file(path: &Path) -> Result<Kubeconfig, ClusterError> {
    Kubeconfig::read_from(path).map_err(|error| match error {
        KubeconfigError::ReadConfig(cause, path) => {
            invalid(format!("can't read `{}`: {cause}", path.display()))
        }
        other => invalid(format!(
            "`{}` is no kubeconfig: {}",
            path.display(),
            describe(&other)
        )),
    })
}

fn choose(files: &Kubeconfig, flags: &Flags) -> Result<(String, Context), ClusterError> {
    let wanted = flags
        .context
        .as_ref()
        .or(files.current_context.as_ref())
        .filter(|name| !name.is_empty());
    let names = || {
        files
            .contexts
            .iter()
            .map(|context| context.name.clone())
            .collect::<Vec<_>>()
    };
    let found = wanted.and_then(|name| files.contexts.iter().find(|context| &context.name == name));
    let (name, mut context) = match (wanted, found.and_then(|named| named.context.clone())) {
        (Some(name), Some(context)) => (name.clone(), context),
        (Some(name), None) if flags.context.is_some() || flags.server.is_none() => {
            return Err(ClusterError::Config {
                what: format!("the kubeconfig has no context `{name}`"),
                hint: Some(format!("it has: {}", list(&names()))),
            });
        }
        (None, _) if flags.server.is_none() && flags.cluster.is_none() => {
            return Err(ClusterError::Config {
                what: "the kubeconfig names no current context".to_owned(),
                hint: Some(format!(
                    "choose with `--context`; it has: {}",
                    list(&names())
                )),
            });
        }
        _ => (BY_FLAGS.to_owned(), Context::default()),
    };
    if let Some(cluster) = &flags.cluster {
        context.cluster.clone_from(cluster);
    }
    Ok((name, context))
}

fn cluster_of(files: &Kubeconfig, name: &str) -> Result<Cluster, ClusterError> {
    if name.is_empty() {
        return Ok(Cluster::default());
    }
    let found = files
        .clusters
        .iter()
        .find(|cluster| cluster.name == name)
        .and_then(|named| named.cluster.clone());
    found.ok_or_else(|| invalid(format!("the kubeconfig has no cluster `{name}`")))
}

/// A context may name a user that isn't there, as for kubectl; a flag may not.
fn user_of(
    files: &Kubeconfig,
    flags: &Flags,
    of_context: Option<&str>,
) -> Result<AuthInfo, ClusterError> {
    let name = flags.user.as_deref().or(of_context);
    let found = name.and_then(|name| files.auth_infos.iter().find(|user| user.name == name));
    match (found.and_then(|named| named.auth_info.clone()), &flags.user) {
        (None, Some(name)) => Err(invalid(format!("the kubeconfig has no user `{name}`"))),
        (found, _) => Ok(found.unwrap_or_default()),
    }
}

fn override_cluster(cluster: &mut Cluster, flags: &Flags) {
    if let Some(server) = &flags.server {
        cluster.server = Some(server.clone());
    }
    if let Some(file) = &flags.certificate_authority {
        cluster.certificate_authority = Some(text(file));
        cluster.certificate_authority_data = None;
    }
    if flags.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(true);
        cluster.certificate_authority = None;
        cluster.certificate_authority_data = None;
    }
    if let Some(name) = &flags.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
}

/// A flag that says who you are replaces what the kubeconfig says. (kubectl sends a client certificate beside `--token`,
/// and the API server then looks at the certificate only: nobody who writes `--token` wants that.)
fn override_user(user: &mut AuthInfo, flags: &Flags) {
    if flags.token.is_some() || flags.client_certificate.is_some() {
        let kept = std::mem::take(user);
        user.impersonate = kept.impersonate;
        user.impersonate_groups = kept.impersonate_groups;
        user.impersonate_uid = kept.impersonate_uid;
        user.impersonate_user_extra = kept.impersonate_user_extra;
    }
    if let Some(token) = &flags.token {
        user.token = Some(token.clone().into());
    }
    user.client_certificate = flags
        .client_certificate
        .as_deref()
        .map(text)
        .or(user.client_certificate.take());
    user.client_key = flags
        .client_key
        .as_deref()
        .map(text)
        .or(user.client_key.take());
    if let Some(name) = &flags.impersonate {
        user.impersonate = Some(name.clone());
        user.impersonate_groups = Some(flags.impersonate_groups.clone());
        user.impersonate_uid.clone_from(&flags.impersonate_uid);
    }
}

/// A kubeconfig with one context: what was chosen.
fn only(name: &str, context: Context, cluster: Cluster, user: AuthInfo) -> Kubeconfig {
    let context = Context {
        cluster: name.to_owned(),
        user: Some(name.to_owned()),
        ..context
    };
    Kubeconfig {
        clusters: vec![NamedCluster {
            name: name.to_owned(),
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: name.to_owned(),
            auth_info: Some(user),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: name.to_owned(),
            context: Some(context),
            ..NamedContext::default()
        }],
        current_context: Some(name.to_owned()),
        ..Kubeconfig::default()
    }
}

fn looked_at(flags: &Flags, environment: &Environment) -> String {
    let paths: Vec<String> = match &flags.kubeconfig {
        Some(file) => vec![text(file)],
        None => paths(environment).iter().map(|path| text(path)).collect(),
    };
    match paths.as_slice() {
        [] => "no $KUBECONFIG, no home directory, and this is no pod".to_owned(),
        paths => format!("no context in {}, and this is no pod", list(paths)),
    }
}

/// The reader's messages quote what stands there, which may be a token: only the place is passed on.
fn describe(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(cause) => match cause.location() {
            Some(at) => format!(
                "line {}, column {} is not as a kubeconfig should be",
                at.line(),
                at.column()
            ),
            None => "the YAML is not as a kubeconfig should be".to_owned(),
        },
        other => one_line(other),
    }
}

fn invalid(what: impl Into<String>) -> ClusterError {
    ClusterError::Config {
        what: what.into(),
        hint: None,
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}
