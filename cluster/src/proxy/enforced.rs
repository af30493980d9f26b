//! One question about all policies together: does every selected proxy run its own?

use futures_util::stream::{self, StreamExt};
use mesh::filter::{FINGERPRINT, Plugin, State, judge, selected};
use mesh::observed::ProbeResult;

use super::{Pod, look};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::filter::{plugins, pods};

/// Proxies that are asked at once.
const AT_ONCE: usize = 4;
/// Hex digits of a fingerprint that the gauge keeps.
const DIGITS: usize = 13;

/// Asks every proxy that a policy of ours selects.
pub async fn enforced(connection: &Connection) -> ProbeResult {
    match asked(connection).await {
        Ok(answer) => answer,
        Err(error) => ProbeResult::Unproved {
            why: error.to_string(),
        },
    }
}

async fn asked(connection: &Connection) -> Result<ProbeResult, ClusterError> {
    let found = plugins(connection, None).await?;
    let ours: Vec<Plugin> = found
        .iter()
        .map(Plugin::of)
        .filter(Plugin::is_ours)
        .collect();
    if ours.is_empty() {
        return Ok(ProbeResult::Unproved {
            why: "no policy of ours is deployed".to_owned(),
        });
    }
    let pods = pods(connection, None).await?;
    let mut questions = Vec::new();
    for plugin in &ours {
        for proxy in selected(&pods, &plugin.namespace, &plugin.select) {
            questions.push(async move {
                let pod = Pod {
                    namespace: proxy.namespace,
                    name: proxy.name,
                };
                let state = match look(connection, &pod).await {
                    Ok(look) => judge(plugin, recorded(plugin), &look, &|_| None),
                    Err(error) => State::Unknown {
                        why: error.to_string(),
                    },
                };
                (pod, plugin, state)
            });
        }
    }
    let answers: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
    let is_bad = |state: &State| !state.is_running() && !matches!(state, State::Unknown { .. });
    let bad = answers.iter().find(|(_, _, state)| is_bad(state));
    let unknown = answers.iter().find(|(_, _, state)| !state.is_running());
    Ok(match (bad, unknown) {
        (Some((pod, plugin, state)), _) => ProbeResult::No {
            evidence: format!("policy {plugin}: {pod} {}", state.sentence()),
        },
        (None, Some((pod, plugin, state))) => ProbeResult::Unproved {
            why: format!("policy {plugin}: {pod} {}", state.sentence()),
        },
        (None, None) => ProbeResult::Yes {
            evidence: format!(
                "each of {} proxies says itself that it runs its policy",
                answers.len()
            ),
        },
    })
}

/// The gauge of what was deployed, as the plugin's annotation has it.
fn recorded(plugin: &Plugin) -> Option<u64> {
    let digits = plugin.object.annotation(FINGERPRINT)?.get(..DIGITS)?;
    u64::from_str_radix(digits, 16).ok()
}
