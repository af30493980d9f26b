//! From flags to a connection that is known to work: the server has told its version.

mod flags;
mod kubeconfig;
mod proxy;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use kube::config::Config;
use mesh::observed::ServerVersion;
use tower::buffer::BufferLayer;
use tower::limit::ConcurrencyLimitLayer;
use tower::retry::RetryLayer;

pub use flags::{Environment, Flags};

use crate::error::{ClusterError, first_line, one_line};
use crate::guard::{Audit, Guard, Mode};
use crate::kinds::Kinds;
use crate::retry::{Once, Patience, Retry};

/// The longest wait for a connection: a cluster that is farther away is none.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest silence of the server, where no flag says another. The API server's own limit for a request is a minute.
const SILENCE: Duration = Duration::from_secs(65);
/// Requests on their way at once. Each is a TLS connection of its own, and the server is shared with others.
const AT_ONCE: usize = 8;
/// Requests that wait for their turn.
const QUEUE: usize = 256;

/// A connection to a cluster. Cloning is cheap.
#[derive(Clone)]
pub struct Connection {
    /// The client; every request of it passes the guard and the retries.
    pub client: Client,
    /// The context's name.
    pub context: String,
    /// The server's URL.
    pub server: String,
    /// The namespace of flags and context.
    pub namespace: String,
    /// The API server's version.
    pub version: ServerVersion,
    /// May it write?
    pub mode: Mode,
    /// Every request that was made.
    pub audit: Audit,
    pub(crate) kinds: Arc<Kinds>,
    pub(crate) patience: Patience,
}

/// Connects: reads the kubeconfig, runs its exec plugin if it has one, asks the server for its version.
///
/// # Errors
/// Flags or a kubeconfig that name what isn't there; a server that can't be reached or doesn't accept the credentials.
pub async fn connect(
    flags: &Flags,
    environment: &Environment,
    mode: Mode,
) -> Result<Connection, ClusterError> {
    connect_with(flags, environment, mode, Patience::USUAL).await
}

/// As [`connect`], with another patience for requests that fail.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with(
    flags: &Flags,
    environment: &Environment,
    mode: Mode,
    patience: Patience,
) -> Result<Connection, ClusterError> {
    let (mut config, context) = kubeconfig::select(flags, environment).await?;
    settle(&mut config, flags)?;
    let place = Place {
        server: shown(&config.cluster_url),
        context,
    };
    let namespace = config.default_namespace.clone();
    let audit = Audit::default();
    let client = client(config, mode, &audit, patience).map_err(|error| place.error(&error))?;
    let version = version(&client, &place).await?;
    Ok(Connection {
        client,
        context: place.context,
        server: place.server,
        namespace,
        version,
        mode,
        audit,
        kinds: Arc::default(),
        patience,
    })
}

/// The server as messages name it: a password in the URL is nobody's business.
fn shown(url: &http::Uri) -> String {
    let text = url.to_string();
    let text = text.trim_end_matches('/');
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// What kube doesn't take from a kubeconfig, and time limits.
fn settle(config: &mut Config, flags: &Flags) -> Result<(), ClusterError> {
    let silence = flags
        .request_timeout
        .filter(|limit| !limit.is_zero())
        .unwrap_or(SILENCE);
    config.connect_timeout = Some(CONNECT.min(silence));
    config.read_timeout = Some(silence);
    config.write_timeout = Some(silence);
    config.reset_reader_on_write = true;
    // Ours repeats more kinds of failures, and knows which requests may be repeated.
    config.default_retry = false;
    proxy::spare(config);
    if let Some(uid) = config.auth_info.impersonate_uid.take() {
        config.headers.push((
            HeaderName::from_static("impersonate-uid"),
            header(&uid, "--as-uid")?,
        ));
    }
    for (key, values) in config
        .auth_info
        .impersonate_user_extra
        .take()
        .unwrap_or_default()
    {
        let name = format!("impersonate-extra-{}", key.to_lowercase());
        let name = HeaderName::try_from(&name).map_err(|_| unusable("as-user-extra", &key))?;
        for value in values {
            config
                .headers
                .push((name.clone(), header(&value, "as-user-extra")?));
        }
    }
    Ok(())
}

/// Outermost first: retries, then the guard, which so sees and counts every try, then kube's own layers.
fn client(
    config: Config,
    mode: Mode,
    audit: &Audit,
    patience: Patience,
) -> Result<Client, kube::Error> {
    let service = ClientBuilder::try_from(config)?
        .with_layer(&Guard::new(mode, audit.clone()))
        .with_layer(&ConcurrencyLimitLayer::new(AT_ONCE))
        // A retried service must be cloned, and kube's can't be.
        .with_layer(&BufferLayer::<http::Request<Body>>::new(QUEUE))
        .with_layer(&RetryLayer::new(Retry::new(patience)));
    Ok(service.build())
}

/// The first request: tells whether there is a cluster. It is tried once, so that nobody waits for an answer that is no.
async fn version(client: &Client, place: &Place) -> Result<ServerVersion, ClusterError> {
    #[derive(serde::Deserialize)]
    struct Version {
        major: String,
        minor: String,
    }
    let mut request = http::Request::new(Vec::new());
    *request.uri_mut() = http::Uri::from_static("/version");
    request.extensions_mut().insert(Once);
    let found: Version = client
        .request(request)
        .await
        .map_err(|error| place.error(&error))?;
    // Some providers say `33+`.
    let number = |text: &str| {
        text.trim_end_matches(|c: char| !c.is_ascii_digit())
            .parse::<u32>()
            .ok()
    };
    match (number(&found.major), number(&found.minor)) {
        (Some(major), Some(minor)) => Ok(ServerVersion { major, minor }),
        _ => Err(place.unreachable(format!(
            "its version is `{}.{}`, expected that of a Kubernetes API server",
            first_line(&found.major),
            first_line(&found.minor)
        ))),
    }
}

struct Place {
    server: String,
    context: String,
}

impl Place {
    fn error(&self, error: &kube::Error) -> ClusterError {
        match error {
            kube::Error::Api(status) if status.code == 401 => ClusterError::Unauthorized {
                server: self.server.clone(),
                context: self.context.clone(),
                cause: first_line(&status.message),
            },
            kube::Error::Api(status) if status.code == 403 => ClusterError::Forbidden {
                verb: "get",
                resource: "/version".to_owned(),
                namespace: None,
                cause: first_line(&status.message),
            },
            kube::Error::Api(status) => self.unreachable(format!(
                "it answers {}: {}",
                status.code,
                first_line(&status.message)
            )),
            kube::Error::SerdeError(_) => {
                self.unreachable("what answers there is no Kubernetes API server".to_owned())
            }
            kube::Error::Auth(error) => ClusterError::Unauthorized {
                server: self.server.clone(),
                context: self.context.clone(),
                cause: credentials(error),
            },
            other => self.unreachable(transport(other)),
        }
    }

    fn unreachable(&self, cause: String) -> ClusterError {
        ClusterError::Unreachable {
            server: self.server.clone(),
            context: self.context.clone(),
            cause,
        }
    }
}

/// What went wrong below HTTP: the innermost cause says it best.
pub(crate) fn transport(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    first_line(&innermost.to_string())
}

/// kube's message of a failed exec plugin shows its output, which is a credential when only its form was wrong.
fn credentials(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError;
    match error {
        // Not the command that it names: its environment and arguments may hold a secret.
        AuthError::AuthExecRun { cmd: _, out } => {
            let stderr = String::from_utf8_lossy(&out.stderr);
            let mut lines = stderr.lines().rev().map(str::trim);
            let last = lines.find(|line| !line.is_empty());
            let last = first_line(last.unwrap_or("it says nothing"));
            format!("the credential plugin failed ({}): {last}", out.status)
        }
        AuthError::AuthExecParse(_) => {
            "the credential plugin's answer is no ExecCredential".to_owned()
        }
        other => one_line(other),
    }
}

fn header(value: &str, what: &str) -> Result<HeaderValue, ClusterError> {
    HeaderValue::from_str(value).map_err(|_| unusable(what, value))
}

fn unusable(what: &str, value: &str) -> ClusterError {
    ClusterError::Config {
        what: format!("`{value}` of {what} can't be sent in a header"),
        hint: None,
    }
}
