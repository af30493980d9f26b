//! What a proxy makes of a plugin. Only the filter's own gauge proves that it runs; everything else explains.

use std::time::Duration;

use super::live::Plugin;
use super::look::{Look, Resource, ResourceKind, seconds};
use crate::codes::Code;

/// So long an update may be under way, in seconds: the filter repeats its gauge every five.
const SETTLED: i64 = 12;
/// A gauge that read 0 is looked at again after this: the filter repeats it every five seconds, and a policy that goes takes
/// back the value that the same policy has set anew.
pub const AGAIN: Duration = Duration::from_secs(6);
/// How the filter begins a line about a configuration that it can't take.
const REFUSED: &str = "header policy refused:";
/// Of a fingerprint as text, the digits that the gauge keeps: 52 bits.
const DIGITS: usize = 13;

/// What a proxy makes of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
pub enum State {
    /// It runs what is wanted.
    Running {
        /// The first 13 hex digits of the fingerprint.
        fingerprint: String,
    },
    /// It has been told lately, or is about to be.
    Updating {
        /// What it runs meanwhile, if anything.
        running: Option<String>,
    },
    /// It was told, refused it, and runs what it ran before. When it restarts, it refuses every request.
    Rejected {
        /// What it runs.
        running: String,
        /// From its log, if there is something.
        cause: Option<String>,
    },
    /// It started with what it can't run: every request is answered 500, and the pod is ready all the same.
    Refusing {
        /// From its log, if there is something.
        cause: Option<String>,
    },
    /// It couldn't get the module: every request is answered 403.
    DenyAll {
        /// From its log or its counters, if there is something.
        cause: Option<String>,
    },
    /// It couldn't get the module: every request passes, unjudged.
    AllowAll {
        /// From its log or its counters, if there is something.
        cause: Option<String>,
    },
    /// istiod has sent it no such filter: every request passes, unjudged.
    Missing,
    /// It can't be asked.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Judges. `wanted` is the gauge of the plugin's own configuration, none if that doesn't compile; `gauge` computes it for
/// another configuration.
#[must_use]
pub fn judge(
    plugin: &Plugin,
    wanted: Option<u64>,
    look: &Look,
    gauge: &dyn Fn(&str) -> Option<u64>,
) -> State {
    let names = plugin.resources();
    let sent = look
        .resources
        .iter()
        .filter(|resource| names.contains(&resource.name));
    let Some(resource) = sent.max_by_key(|resource| resource.updated) else {
        return State::Missing;
    };
    let running = running(plugin, look);
    let config = match &resource.kind {
        ResourceKind::DenyAll => {
            return State::DenyAll {
                cause: fetch_failure(plugin, look),
            };
        }
        ResourceKind::AllowAll => {
            return State::AllowAll {
                cause: fetch_failure(plugin, look),
            };
        }
        ResourceKind::Other { type_url } => {
            return State::Unknown {
                why: format!("istiod sent a filter of type `{type_url}` under its name"),
            };
        }
        ResourceKind::Wasm { config } => config,
    };
    match running {
        Some(running) if Some(running) == wanted => State::Running {
            fingerprint: digits(running),
        },
        // It runs what it was sent; what is wanted is still on its way.
        Some(running) if gauge(config) == Some(running) => State::Updating {
            running: Some(digits(running)),
        },
        running => refused(plugin, resource, running, look),
    }
}

/// The gauge of the plugin in a proxy; none where the filter never spoke, or took its word back.
fn running(plugin: &Plugin, look: &Look) -> Option<u64> {
    let names = plugin
        .metrics()
        .map(|prefix| format!("{prefix}policy_fingerprint"));
    let value = names.iter().find_map(|name| look.gauges.get(name).copied());
    value.filter(|value| *value != 0)
}

fn refused(plugin: &Plugin, resource: &Resource, running: Option<u64>, look: &Look) -> State {
    let cause = rejection(plugin, look, resource.updated);
    let is_settled = look.now - resource.updated >= SETTLED;
    match running {
        running if !is_settled && cause.is_none() => State::Updating {
            running: running.map(digits),
        },
        Some(running) => State::Rejected {
            running: digits(running),
            cause,
        },
        None => State::Refusing { cause },
    }
}

/// The last line of the log that says that Envoy or the filter refused this configuration, not an earlier one.
fn rejection(plugin: &Plugin, look: &Look, since: i64) -> Option<String> {
    let is_of_it = |line: &&String| {
        let time = line.split_whitespace().next().and_then(seconds);
        time.is_none_or(|time| time >= since - 1)
    };
    let lines = || look.log.iter().rev().filter(is_of_it);
    // The filter's own word says more than Envoy's.
    let own = lines().find(|line| line.contains(REFUSED));
    let envoys = || lines().find(|line| line.contains("rejected") && plugin.is_named_in(line));
    own.or_else(envoys).map(|line| message(line))
}

/// Why the agent has no module: its log says it best, its counters at least in a word.
fn fetch_failure(plugin: &Plugin, look: &Look) -> Option<String> {
    let is_failure = |line: &&String| {
        let words = ["error", "fail", "cannot", "could not"];
        plugin.is_named_in(line) && words.iter().any(|word| line.contains(word))
    };
    let said = look
        .log
        .iter()
        .rev()
        .find(is_failure)
        .map(|line| message(line));
    said.or_else(|| {
        let failures = look
            .fetches
            .iter()
            .filter(|(result, count)| *result != "success" && **count > 0);
        let failures: Vec<String> = failures
            .map(|(result, count)| format!("{result} {count} times"))
            .collect();
        (!failures.is_empty()).then(|| format!("istio-agent counts {}", failures.join(", ")))
    })
}

/// What a line of the log says, without the time and the level before it.
fn message(line: &str) -> String {
    const LONGEST: usize = 700;
    // Envoy's lines end in a field with the thread.
    let mut fields = line
        .split('\t')
        .filter(|field| !field.starts_with("thread="));
    let rest = fields.next_back().unwrap_or(line);
    let rest = rest.split_once(REFUSED).map_or(rest, |(_, rest)| rest);
    let rest = rest
        .trim()
        .trim_start_matches("error in converting the wasm config to local: ");
    rest.chars()
        .filter(|character| !character.is_control())
        .take(LONGEST)
        .collect()
}

fn digits(gauge: u64) -> String {
    format!("{gauge:0width$x}", width = DIGITS)
}

impl State {
    /// True when the proxy does what is wanted.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }

    /// True when waiting won't help.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Running { .. }
                | Self::Rejected { .. }
                | Self::Refusing { .. }
                | Self::DenyAll { .. }
                | Self::AllowAll { .. }
        )
    }

    /// True when nothing but the filter's silence speaks against it. Between two of its words that means nothing: look again,
    /// [`AGAIN`] later.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Refusing { cause: None })
    }

    /// True when the proxy's log can say more, or that it was refused lately.
    #[must_use]
    pub fn needs_log(&self) -> bool {
        match self {
            Self::Running { .. } | Self::Missing | Self::Unknown { .. } => false,
            Self::Updating { .. }
            | Self::Rejected { .. }
            | Self::Refusing { .. }
            | Self::DenyAll { .. }
            | Self::AllowAll { .. } => true,
        }
    }

    /// One word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running { .. } => "Running",
            Self::Updating { .. } => "Updating",
            Self::Rejected { .. } => "Rejected",
            Self::Refusing { .. } => "Refusing",
            Self::DenyAll { .. } => "DenyAll",
            Self::AllowAll { .. } => "AllowAll",
            Self::Missing => "Missing",
            Self::Unknown { .. } => "Unknown",
        }
    }

    /// The code that explains it; none when all is well.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Running { .. } | Self::Updating { .. } => None,
            Self::Rejected { .. } => Some(Code::PolicyRejected),
            Self::Refusing { .. } => Some(Code::PolicyRefusing),
            Self::DenyAll { .. } => Some(Code::FilterDenyAll),
            Self::AllowAll { .. } => Some(Code::FilterAllowAll),
            Self::Missing => Some(Code::FilterMissing),
            Self::Unknown { .. } => Some(Code::FilterUnknown),
        }
    }

    /// One line for people.
    #[must_use]
    pub fn sentence(&self) -> String {
        let because = |cause: &Option<String>| {
            cause
                .as_ref()
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default()
        };
        match self {
            Self::Running { fingerprint } => format!("runs {fingerprint}"),
            Self::Updating { running: Some(old) } => {
                format!("still runs {old}, the update is under way")
            }
            Self::Updating { running: None } => "the filter is starting".to_owned(),
            Self::Rejected { running, cause } => format!(
                "rejected the update and still runs {running}; its next restart answers 500 to every request{}",
                because(cause)
            ),
            Self::Refusing { cause } => {
                format!(
                    "answers 500 to every request: it started with what it can't run{}",
                    because(cause)
                )
            }
            Self::DenyAll { cause } => {
                format!(
                    "answers 403 to every request: istio-agent has no module{}",
                    because(cause)
                )
            }
            Self::AllowAll { cause } => {
                format!(
                    "lets every request pass unjudged: istio-agent has no module{}",
                    because(cause)
                )
            }
            Self::Missing => "has no such filter: every request passes unjudged".to_owned(),
            Self::Unknown { why } => format!("can't be asked: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
