//! What a cluster can't or won't do, for the person who must act. One line each; what helps is a hint of its own.

use std::time::Duration;

use http::StatusCode;
use mesh::object::Id;

/// Why nothing came of a request to the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The flags or the kubeconfig name something that isn't there.
    #[error("{what}")]
    Config {
        /// What was found, what was expected.
        what: String,
        /// What helps.
        hint: Option<String>,
    },
    /// Nobody says where a cluster is.
    #[error("no cluster: {what}")]
    NoCluster {
        /// Where was looked.
        what: String,
    },
    /// The API server doesn't answer.
    #[error("can't reach `{server}` of context `{context}`: {cause}")]
    Unreachable {
        /// The server's URL.
        server: String,
        /// The context that names it.
        context: String,
        /// What failed, one line.
        cause: String,
    },
    /// The server answers, but takes nobody by these credentials.
    #[error("`{server}` of context `{context}` doesn't accept these credentials: {cause}")]
    Unauthorized {
        /// The server's URL.
        server: String,
        /// The context that names it.
        context: String,
        /// What it says, one line.
        cause: String,
    },
    /// The user has no right to do this.
    #[error("forbidden: can't {verb} {resource}{}: {cause}", place(namespace.as_deref()))]
    Forbidden {
        /// `patch`, `list`.
        verb: &'static str,
        /// `deployments.apps`, or the plural alone for the core group.
        resource: String,
        /// Where.
        namespace: Option<String>,
        /// What the server says, one line.
        cause: String,
    },
    /// Fields belong to somebody else.
    #[error("`{id}` is partly owned by others: {}", owners(fields))]
    Conflict {
        /// The object.
        id: Id,
        /// Which field manager holds which fields.
        fields: Vec<Owned>,
    },
    /// The server, or a webhook of it, refuses the object.
    #[error("the cluster refuses `{id}` ({status}): {cause}")]
    Rejected {
        /// The object.
        id: Id,
        /// 400, 413, 422.
        status: StatusCode,
        /// What it says, one line.
        cause: String,
    },
    /// The server doesn't know this kind.
    #[error("the cluster has no kind `{kind}` in `{api_version}`")]
    NoKind {
        /// `security.istio.io/v1`.
        api_version: String,
        /// `PeerAuthentication`.
        kind: String,
    },
    /// It isn't there.
    #[error("there is no `{id}`")]
    Absent {
        /// The object.
        id: Id,
    },
    /// The pod isn't there, or not any more.
    #[error("there is no pod {pod}")]
    NoPod {
        /// `NAMESPACE/NAME`.
        pod: String,
    },
    /// It failed again and again.
    #[error("can't {verb} {what} after {tries} tries: {cause}")]
    GaveUp {
        /// `patch`, `list`.
        verb: &'static str,
        /// The object, or the resource.
        what: String,
        /// How often.
        tries: u32,
        /// The last failure, one line.
        cause: String,
    },
    /// The answer isn't what the Kubernetes API promises.
    #[error("can't {verb} {what}: {cause}")]
    Answer {
        /// `patch`, `list`.
        verb: &'static str,
        /// The object, or the resource.
        what: String,
        /// What came, one line.
        cause: String,
    },
    /// Another command works on this mesh.
    #[error("`{holder}` works on this mesh since {since}")]
    Busy {
        /// Who.
        holder: String,
        /// RFC 3339.
        since: String,
        /// How long until its lease runs out if it is dead.
        left: Duration,
    },
    /// The Lease that keeps commands apart is ours no more.
    #[error("{why}: stopped before the next write")]
    TurnLost {
        /// One line.
        why: String,
    },
    /// The dry run's guard stopped a write. This is a bug of ours.
    #[error("a dry run tried to write: {0}")]
    WroteInDryRun(String),
    /// The user stopped it.
    #[error("interrupted")]
    Interrupted,
}

/// A field that belongs to another field manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// `kubectl-edit`.
    pub manager: String,
    /// `.spec.replicas`.
    pub field: String,
}

/// Who must act; the plugin makes its exit codes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Wrong usage, or invalid input.
    Invalid,
    /// The cluster can't be reached, forbids it, or doesn't work.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// A gate refused.
    Refused,
    /// Stopped half-way; running it again continues.
    Partly,
}

impl ClusterError {
    /// Who must act.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Config { .. } | Self::Rejected { .. } | Self::NoKind { .. } => Class::Invalid,
            Self::NoCluster { .. }
            | Self::Unreachable { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::Absent { .. }
            | Self::NoPod { .. }
            | Self::GaveUp { .. }
            | Self::Answer { .. }
            | Self::WroteInDryRun(_) => Class::Unreachable,
            Self::Conflict { .. } | Self::Busy { .. } => Class::Refused,
            Self::Interrupted | Self::TurnLost { .. } => Class::Partly,
        }
    }

    /// What helps, where something does.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config { hint, .. } => hint.clone(),
            Self::NoCluster { .. } => {
                Some("name a kubeconfig with `--kubeconfig FILE` or $KUBECONFIG, or a server with `--server`".to_owned())
            }
            Self::Unreachable { .. } => {
                Some("is the cluster up, and is this the right context? `kubectl config get-contexts` lists them; `--context NAME` chooses".to_owned())
            }
            Self::Unauthorized { .. } => {
                Some("log in again, or choose another user with `--user`, `--token` or `--context`".to_owned())
            }
            Self::Forbidden { verb, resource, namespace, .. } => Some(format!(
                "`kubectl auth can-i {verb} {resource}{}` asks the cluster; somebody with more rights must grant it",
                namespace.as_ref().map(|name| format!(" -n {name}")).unwrap_or_default()
            )),
            Self::Conflict { .. } => {
                Some("let the owner give the fields up, or take them with `--force-conflicts`".to_owned())
            }
            Self::NoKind { .. } => Some("the CRD that brings it is missing, or of another version".to_owned()),
            Self::Busy { left, .. } => Some(format!(
                "wait for it; if it is dead, its lease runs out in {} s",
                left.as_secs()
            )),
            Self::TurnLost { .. } => Some(
                "look what the other command did, then run it again: it looks anew and continues".to_owned(),
            ),
            Self::WroteInDryRun(_) => Some("nothing was written; please report this".to_owned()),
            Self::GaveUp { cause, .. } if cause.contains("failed calling webhook") => Some(
                "the webhook's server doesn't answer; of Istio's, look at istiod: `kubectl get pods -n istio-system -l app=istiod`; \
                 then running it again continues"
                    .to_owned(),
            ),
            Self::GaveUp { .. } => Some("running it again continues".to_owned()),
            Self::Rejected { .. } | Self::Absent { .. } | Self::NoPod { .. } | Self::Answer { .. } | Self::Interrupted => None,
        }
    }
}

/// One line of an error and its causes, outermost first, nothing said twice.
pub(crate) fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = first_line(&cause.to_string());
        if !text.is_empty() && !parts.iter().any(|said| said.contains(&text)) {
            parts.push(text);
        }
        next = cause.source();
    }
    parts.join(": ")
}

/// The first line that says something, cut to a length that fits a terminal. Where it only announces a list, with the list.
pub(crate) fn first_line(text: &str) -> String {
    const LONGEST: usize = 400;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut line = lines.next().unwrap_or_default().to_owned();
    if line.ends_with(':') {
        let items: Vec<&str> = lines.map(|item| item.trim_start_matches("* ")).collect();
        line = format!("{line} {}", items.join("; "));
    }
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

fn place(namespace: Option<&str>) -> String {
    namespace
        .map(|name| format!(" in namespace `{name}`"))
        .unwrap_or_default()
}

fn owners(fields: &[Owned]) -> String {
    let said: Vec<String> = fields
        .iter()
        .map(|owned| format!("`{}` by `{}`", owned.field, owned.manager))
        .collect();
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_belongs_to_the_line_that_announces_it() {
        let istiod =
            "configuration is invalid: 2 errors occurred:\n\t* no such key\n\t* no rule\n\n";
        assert_eq!(
            first_line(istiod),
            "configuration is invalid: 2 errors occurred: no such key; no rule"
        );
        assert_eq!(first_line("\n one \n two"), "one");
    }
}
