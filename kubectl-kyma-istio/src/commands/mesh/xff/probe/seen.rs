//! What gateways logged of our requests, and what policies counted: both come late.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use cluster::connect::Connection;
use cluster::error::ClusterError;
use cluster::proxy;
use mesh::filter::{Plugin, Selected};

use super::super::super::filter::looking;
use super::pod;
use super::send::Answer;

/// Within this time the filter hands its counts to Envoy, and Envoy its log to the kubelet.
const PATIENCE: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(500);
/// Lines of a gateway's log in which our marks are looked for.
const LINES: u32 = 1000;
pub(super) type Counts = BTreeMap<String, BTreeMap<String, u64>>;

/// What policies counted so far. One whose proxies can't be asked isn't among them; why not is noted.
pub(super) async fn counts(
    connection: &Connection,
    policies: &[Plugin],
    not_seen: &mut BTreeSet<String>,
) -> Counts {
    let mut all = Counts::new();
    for plugin in policies {
        match looking::counts(connection, plugin).await {
            Ok(counts) => drop(all.insert(plugin.to_string(), counts)),
            Err(error) => drop(not_seen.insert(format!("counts of {plugin}: {error}"))),
        }
    }
    all
}

/// Lines of the gateways' logs with our marks.
async fn logged(
    connection: &Connection,
    gateways: &[Selected],
    answers: &[Answer],
    not_seen: &mut BTreeSet<String>,
) -> Vec<String> {
    let mut log = Vec::new();
    for gateway in gateways {
        let read = async {
            let mut lines = proxy::past(connection, &pod(gateway), LINES).await?;
            while let Some(line) = lines.next().await? {
                if answers.iter().any(|answer| line.contains(&answer.mark)) {
                    log.push(line);
                }
            }
            Ok::<(), ClusterError>(())
        };
        if let Err(error) = read.await {
            not_seen.insert(format!("the log of {gateway}: {error}"));
        }
    }
    log
}

/// Our lines of the gateways' logs, and what policies counted: looked for until both are there.
pub(super) async fn seen(
    connection: &Connection,
    (gateways, policies): (&[Selected], &[Plugin]),
    before: &Counts,
    answers: &[Answer],
    not_seen: &mut BTreeSet<String>,
) -> (Vec<String>, Counts) {
    let started = Instant::now();
    loop {
        let log = logged(connection, gateways, answers, not_seen).await;
        let mut counted = counts(connection, policies, not_seen).await;
        // Without a first look nobody knows what came since.
        counted.retain(|policy, _| before.contains_key(policy));
        for (policy, counts) in &mut counted {
            if let Some(before) = before.get(policy) {
                *counts = looking::since(before, std::mem::take(counts));
            }
        }
        let marks: Vec<&str> = answers.iter().map(|answer| answer.mark.as_str()).collect();
        if is_all_there(&marks, &log, &counted) || started.elapsed() >= PATIENCE {
            return (log, counted);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Every request has its line, and each policy counted it. Envoy keeps its log back for a while, and where no policy counts
/// nothing else tells that the line is still to come; whether there is an access log at all nobody says.
fn is_all_there(marks: &[&str], log: &[String], counted: &Counts) -> bool {
    let is_logged = |mark: &&str| log.iter().any(|line| line.contains(mark));
    // A shadow notes a refusal beside what it lets through.
    let is_counted = |counts: &BTreeMap<String, u64>| {
        let names = counts
            .iter()
            .filter(|(name, _)| !name.starts_with("shadow."));
        names.map(|(_, count)| count).sum::<u64>() >= marks.len() as u64
    };
    marks.iter().all(is_logged) && counted.values().all(is_counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_still_to_come_is_waited_for_with_and_without_policies() {
        let log = |marks: &[&str]| -> Vec<String> {
            marks
                .iter()
                .map(|mark| format!("GET / {mark} 200"))
                .collect()
        };
        let counted = |allowed: u64| {
            let counts = [("allowed", allowed), ("shadow.Expired", 9)];
            let counts = counts.map(|(name, count)| (name.to_owned(), count));
            Counts::from([("a/b".to_owned(), BTreeMap::from(counts))])
        };
        let marks = ["m-1", "m-2"];
        let none = Counts::new();
        assert!(!is_all_there(&marks, &[], &none));
        assert!(!is_all_there(&marks, &log(&["m-1"]), &none));
        assert!(is_all_there(&marks, &log(&["m-2", "m-1"]), &none));
        assert!(!is_all_there(&marks, &log(&marks), &counted(1)));
        assert!(!is_all_there(&marks, &log(&["m-1"]), &counted(2)));
        assert!(is_all_there(&marks, &log(&marks), &counted(2)));
    }
}
