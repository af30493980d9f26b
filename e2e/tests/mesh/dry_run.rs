//! What only looks, or is told to, writes nothing.

use std::collections::BTreeMap;

use crate::support::{Cluster, Snapshot, manifests};

/// Every verb that talks to a cluster, so that it only looks, and the exit codes that it may end with.
const VERBS: [(&[&str], &[i32]); 13] = [
    (&["install", "--dry-run"], &[0]),
    (&["install", "--dry-run", "--yes", "-o", "json"], &[0]),
    (&["upgrade", "--dry-run"], &[0, 5]),
    (&["uninstall", "--dry-run"], &[0, 5]),
    (
        &["patch", "--dry-run", "--domain=kyma.example.com"],
        &[0, 5],
    ),
    (&["patch", "--verify-only"], &[0, 1]),
    (&["diff"], &[0, 1]),
    (&["verify"], &[0, 1]),
    (&["status"], &[0]),
    (&["check"], &[0, 1]),
    (&["check", "--pre"], &[0, 1]),
    (&["check", "--proxy"], &[0, 1]),
    (&["render"], &[0]),
];

/// Verbs that take inputs.
const TAKES_INPUTS: [&str; 4] = ["install", "upgrade", "diff", "render"];

#[test]
fn the_api_server_counts_no_write_of_a_dry_run() {
    let cluster = Cluster::quiet();
    cluster.apply(&manifests::istio_crd());
    let file = cluster.file("cr.yaml", &manifests::istio(" {}"));
    let before = Requests::of(&cluster);
    // Without nodes nothing tells the profile.
    let profile = ["--profile", "evaluation"];
    run_all(&cluster, &profile);
    run_all(&cluster, &[&profile[..], &["-f", &file]].concat());
    let after = Requests::of(&cluster);
    assert_eq!(before.writes, after.writes);
    // The same counter does see dry runs, and it would see a write.
    assert!(
        after.dry_runs > before.dry_runs + 100,
        "{} dry runs were counted, then {}",
        before.dry_runs,
        after.dry_runs
    );
    cluster.kubectl(&["create", "configmap", "written"]);
    assert_ne!(Requests::of(&cluster).writes, after.writes);
}

/// Runs all of them with these inputs; nothing in the cluster is another afterwards.
pub fn is_harmless(cluster: &Cluster, inputs: &[&str]) {
    let before = Snapshot::of(cluster);
    run_all(cluster, inputs);
    before.assert_same(&Snapshot::of(cluster), "a dry run");
}

fn run_all(cluster: &Cluster, inputs: &[&str]) {
    for (arguments, codes) in VERBS {
        let inputs = match TAKES_INPUTS.contains(&arguments[0]) {
            true => inputs,
            false => &[],
        };
        let ran = cluster.plugin(&[arguments, inputs].concat());
        assert!(codes.contains(&ran.code), "{ran}");
    }
}

/// Requests as the API server counts them.
struct Requests {
    /// Each counter of a write.
    writes: BTreeMap<String, String>,
    dry_runs: u64,
}

/// What the API server writes for itself, and questions that are asked by POST.
const NOT_OURS: [&str; 9] = [
    "leases",
    "flowschemas",
    "prioritylevelconfigurations",
    "apiservices",
    "events",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
    "tokenreviews",
];

impl Requests {
    fn of(cluster: &Cluster) -> Self {
        let metrics = cluster.kubectl(&["get", "--raw=/metrics"]);
        let mut requests = Self {
            writes: BTreeMap::new(),
            dry_runs: 0,
        };
        let counters = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("apiserver_request_total{"));
        for counter in counters {
            let (labels, count) = counter.rsplit_once(' ').expect("a count");
            let is = |label: &str, values: &[&str]| {
                values
                    .iter()
                    .any(|value| labels.contains(&format!("{label}=\"{value}\"")))
            };
            let verbs = [
                "POST",
                "PUT",
                "PATCH",
                "APPLY",
                "DELETE",
                "DELETECOLLECTION",
            ];
            if !is("verb", &verbs) || is("resource", &NOT_OURS) {
                continue;
            }
            match is("dry_run", &[""]) {
                true => {
                    requests.writes.insert(labels.to_owned(), count.to_owned());
                }
                false => requests.dry_runs += count.parse::<f64>().expect("a number") as u64,
            }
        }
        requests
    }
}
