//! One question about all policies together: does every selected proxy run its own?

use futures_util::stream::{self, StreamExt};
use mesh::filter::{Plugin, State, selected};
use mesh::observed::{ProbeResult, ProxyKind};

use super::{Pod, judged};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::filter::{plugins, pods};

/// Proxies that are asked at once.
const AT_ONCE: usize = 4;

/// Asks every proxy that a policy of ours selects. `gauge` computes the gauge of a configuration as the filter does, none
/// where that doesn't compile.
pub async fn enforced(connection: &Connection, gauge: &dyn Fn(&str) -> Option<u64>) -> ProbeResult {
    match asked(connection, gauge).await {
        Ok(policies) => together(&policies),
        Err(error) => ProbeResult::Unproved {
            why: error.to_string(),
        },
    }
}

/// A policy, and what each proxy that it selects makes of it.
struct Policy {
    name: String,
    proxies: Vec<(Pod, State)>,
}

async fn asked(
    connection: &Connection,
    gauge: &dyn Fn(&str) -> Option<u64>,
) -> Result<Vec<Policy>, ClusterError> {
    let found = plugins(connection, None).await?;
    let ours = found.iter().map(Plugin::of).filter(Plugin::is_ours);
    let pods = pods(connection, None).await?;
    let mut policies = Vec::new();
    for plugin in ours {
        let plugin = &plugin;
        let proxies = selected(&pods, &plugin.namespace, &plugin.select);
        let questions = proxies.into_iter().map(|proxy| async move {
            let is_waypoint = proxy.kind == ProxyKind::Waypoint;
            let pod = Pod {
                namespace: proxy.namespace,
                name: proxy.name,
            };
            let unknown = |why: String| State::Unknown { why };
            if is_waypoint {
                return (
                    pod,
                    unknown("it is a waypoint, which isn't supported".to_owned()),
                );
            }
            let state = match judged(connection, &pod, plugin, gauge).await {
                Ok((state, _)) => state,
                Err(error) => unknown(error.to_string()),
            };
            (pod, state)
        });
        // Collected first: a stream over a borrowing iterator has no single lifetime.
        let questions: Vec<_> = questions.collect();
        let proxies = stream::iter(questions).buffered(AT_ONCE).collect().await;
        policies.push(Policy {
            name: plugin.to_string(),
            proxies,
        });
    }
    Ok(policies)
}

/// A no of one proxy is a no, even where others can't be asked. Each policy that isn't enforced is named.
fn together(policies: &[Policy]) -> ProbeResult {
    if policies.is_empty() {
        return ProbeResult::Unproved {
            why: "no policy of ours is deployed".to_owned(),
        };
    }
    let no: Vec<String> = policies.iter().filter_map(Policy::no).collect();
    let unknown: Vec<String> = policies.iter().filter_map(Policy::unknown).collect();
    match (no.is_empty(), unknown.is_empty()) {
        (false, _) => ProbeResult::No {
            evidence: no.join("; "),
        },
        (true, false) => ProbeResult::Unproved {
            why: unknown.join("; "),
        },
        (true, true) => ProbeResult::Yes {
            evidence: format!(
                "each of {} proxies says itself that it runs its policy",
                policies
                    .iter()
                    .map(|policy| policy.proxies.len())
                    .sum::<usize>()
            ),
        },
    }
}

impl Policy {
    fn no(&self) -> Option<String> {
        if self.proxies.is_empty() {
            return Some(format!("policy {}: no proxy is selected", self.name));
        }
        self.first(|state| !state.is_running() && !matches!(state, State::Unknown { .. }))
    }

    fn unknown(&self) -> Option<String> {
        self.first(|state| matches!(state, State::Unknown { .. }))
    }

    /// The first proxy in such a state, and how many more there are.
    fn first(&self, is_such: impl Fn(&State) -> bool) -> Option<String> {
        let mut such = self.proxies.iter().filter(|(_, state)| is_such(state));
        let (pod, state) = such.next()?;
        let more = match such.count() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        Some(format!(
            "policy {}: {pod} {}{more}",
            self.name,
            state.sentence()
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn policy(name: &str, states: &[State]) -> Policy {
        let pod = |number: usize| Pod {
            namespace: "shop".to_owned(),
            name: format!("p{number}"),
        };
        let proxies = states.iter().cloned().enumerate();
        Policy {
            name: name.to_owned(),
            proxies: proxies
                .map(|(number, state)| (pod(number), state))
                .collect(),
        }
    }

    fn running() -> State {
        State::Running {
            fingerprint: "1".to_owned(),
        }
    }

    fn rejected() -> State {
        State::Rejected {
            running: "0".to_owned(),
            cause: None,
        }
    }

    fn no(policies: &[Policy]) -> String {
        match together(policies) {
            ProbeResult::No { evidence } => evidence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_policy_that_selects_nobody_is_not_enforced() {
        let all = [policy("a/good", &[running()]), policy("a/empty", &[])];
        assert_eq!(no(&all), "policy a/empty: no proxy is selected");
    }

    #[test]
    fn every_policy_that_is_not_enforced_is_named_before_what_nobody_knows() {
        let unknown = State::Unknown {
            why: "gone".to_owned(),
        };
        let all = [
            policy("a/blind", from_ref(&unknown)),
            policy("a/bad", &[running(), rejected(), rejected()]),
            policy("b/missing", &[State::Missing]),
        ];
        let evidence = no(&all);
        assert!(
            evidence.starts_with("policy a/bad: shop/p1 rejected the update")
                && evidence.contains(", and 1 more; policy b/missing: shop/p0 has no such filter")
                && !evidence.contains("a/blind"),
            "{evidence}"
        );
        assert!(matches!(
            together(&[policy("a/blind", &[running(), unknown])]),
            ProbeResult::Unproved { why } if why == "policy a/blind: shop/p1 can't be asked: gone"
        ));
        assert!(matches!(
            together(&[policy("a/good", &[running(), running()])]),
            ProbeResult::Yes { evidence } if evidence.contains("each of 2 proxies")
        ));
    }
}
