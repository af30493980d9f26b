//! Looks at every selected proxy of a plugin, several at a time.

use std::collections::BTreeMap;

use cluster::connect::Connection;
use cluster::error::ClusterError;
use cluster::proxy::{self, Pod};
use futures_util::stream::{self, StreamExt};
use mesh::filter::{Plugin, Selected, State, selected};
use mesh::observed::{ISTIO_SYSTEM, ProxyKind};
use policy::Policy;
use serde_json::Value;
use signature::Software;

use crate::error::Error;
use crate::report::{Mode, PolicyStatus, ProxyStatus};

/// Proxies that are asked at once.
const AT_ONCE: usize = 4;

/// The gauge of a configuration; none if it doesn't compile. As the filter itself computes it.
pub fn gauge(config: &str) -> Option<u64> {
    compiled(config.as_bytes())
        .ok()
        .map(|policy| policy.fingerprint().gauge())
}

/// A configuration as the filter compiles it.
pub fn compiled(config: &[u8]) -> Result<Policy, Vec<policy::ConfigError>> {
    Policy::from_json(config, &Software)
}

/// The plugins of ours, or the one that is named `[NAMESPACE/]NAME`.
pub async fn plugins(
    connection: &Connection,
    named: Option<&str>,
    namespace: Option<&str>,
) -> Result<Vec<Plugin>, Error> {
    let (namespace, name) = match named.map(|named| {
        named
            .split_once('/')
            .map_or((None, named), |(space, name)| (Some(space), name))
    }) {
        Some((space, name)) => (space.or(namespace), Some(name)),
        None => (namespace, None),
    };
    let found = cluster::filter::plugins(connection, namespace).await?;
    let ours = found.iter().map(Plugin::of).filter(Plugin::is_ours);
    let ours: Vec<Plugin> = ours
        .filter(|plugin| name.is_none_or(|name| name == plugin.name))
        .collect();
    match (named, ours.is_empty()) {
        (Some(named), true) => Err(Error::input_hint(
            format!(
                "found no policy `{named}` on the cluster, expected one that `filter deploy` brought"
            ),
            "`kubectl kyma-istio filter list` shows them",
        )),
        _ => Ok(ours),
    }
}

/// The one plugin of this name.
pub async fn plugin(
    connection: &Connection,
    named: &str,
    namespace: Option<&str>,
) -> Result<Plugin, Error> {
    let mut found = plugins(connection, Some(named), namespace).await?;
    match (found.len(), found.pop()) {
        (1, Some(plugin)) => Ok(plugin),
        (count, _) => Err(Error::input_hint(
            format!("found {count} policies `{named}`, expected one"),
            "write NAMESPACE/NAME",
        )),
    }
}

/// The proxies that a plugin selects.
pub async fn proxies(
    connection: &Connection,
    plugin: &Plugin,
) -> Result<Vec<Selected>, ClusterError> {
    // The root namespace reaches all.
    let namespace = Some(plugin.namespace.as_str()).filter(|name| *name != ISTIO_SYSTEM);
    let pods = cluster::filter::pods(connection, namespace).await?;
    Ok(selected(&pods, &plugin.namespace, &plugin.select))
}

/// What each selected proxy makes of a plugin.
pub async fn status(
    connection: &Connection,
    plugin: &Plugin,
) -> Result<PolicyStatus, ClusterError> {
    let config = plugin.config().unwrap_or(&Value::Null).to_string();
    let (fingerprint, problems) = match compiled(config.as_bytes()) {
        Ok(policy) => (Some(policy.fingerprint()), Vec::new()),
        Err(problems) => (
            None,
            problems
                .iter()
                .map(|problem| crate::redact::anything(&problem.to_string()))
                .collect(),
        ),
    };
    let proxies = proxies(connection, plugin).await?;
    let asked = proxies.into_iter().map(|proxy| async move {
        let (state, is_draining) = one(connection, plugin, &proxy).await;
        ProxyStatus::new(&proxy, state, is_draining, plugin)
    });
    let asked: Vec<_> = asked.collect();
    let proxies = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let is_shadow = plugin
        .config()
        .and_then(|config| config.pointer("/spec/mode"))
        .and_then(Value::as_str)
        == Some("Shadow");
    Ok(PolicyStatus {
        namespace: plugin.namespace.clone(),
        name: plugin.name.clone(),
        image: plugin.url().to_owned(),
        digest: plugin.digest(),
        fingerprint: fingerprint.map(|fingerprint| fingerprint.to_string()),
        mode: if is_shadow {
            Mode::Shadow
        } else {
            Mode::Enforce
        },
        fails_open: plugin.fails_open(),
        canary_of: plugin.canary_of().map(str::to_owned),
        has_previous: plugin.previous().is_some(),
        problems,
        proxies,
    })
}

/// What a proxy makes of it, and whether it still drains connections of before.
async fn one(connection: &Connection, plugin: &Plugin, proxy: &Selected) -> (State, bool) {
    let unknown = |why: String| (State::Unknown { why }, false);
    if proxy.kind == ProxyKind::Waypoint {
        return unknown("it is a waypoint, which isn't supported".to_owned());
    }
    let pod = Pod {
        namespace: proxy.namespace.clone(),
        name: proxy.name.clone(),
    };
    let judged = proxy::judged(connection, &pod, plugin, &gauge).await;
    judged.unwrap_or_else(|error| unknown(error.to_string()))
}

/// What a policy counted, by what and why, in all proxies together.
pub async fn counts(
    connection: &Connection,
    plugin: &Plugin,
) -> Result<BTreeMap<String, u64>, Error> {
    let prefixes = plugin.metrics();
    let mut counts = BTreeMap::new();
    for proxy in proxies(connection, plugin).await? {
        let pod = Pod {
            namespace: proxy.namespace,
            name: proxy.name,
        };
        for (name, value) in proxy::look(connection, &pod).await?.counters {
            let rest = prefixes
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix.as_str()));
            if let Some(rest) = rest {
                *counts.entry(rest.to_owned()).or_default() += value;
            }
        }
    }
    Ok(counts)
}

/// What came between two looks. A proxy that restarted in between counts from 0.
pub fn since(before: &BTreeMap<String, u64>, now: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let more = now.into_iter().map(|(name, count)| {
        let before = before.get(&name).copied().unwrap_or(0);
        (name, count.checked_sub(before).unwrap_or(count))
    });
    more.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_in_between_is_left_and_a_restart_begins_at_0() {
        let counts = |allowed: u64, expired: u64| {
            BTreeMap::from([
                ("allowed".to_owned(), allowed),
                ("denied.Expired".to_owned(), expired),
            ])
        };
        assert_eq!(
            since(&counts(5, 2), counts(9, 2)),
            BTreeMap::from([("allowed".to_owned(), 4)])
        );
        assert_eq!(
            since(&counts(5, 2), counts(1, 0)),
            BTreeMap::from([("allowed".to_owned(), 1)])
        );
    }
}
