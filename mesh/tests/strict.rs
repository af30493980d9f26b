//! What STRICT takes away, as far as the API shows it.

mod build;

use build::{destination_rule, healthy, pod, service, typed};
use mesh::observed::Forbidden;
use mesh::strict::without_sidecar;
use serde_json::{Value, json};

#[test]
fn a_workload_without_a_sidecar_next_to_meshed_ones_is_listed_with_what_it_loses() {
    let mut observed = healthy();
    observed.pods.extend([
        typed(pod("shop", "old", None)),
        typed(pod("plain", "far", None)),
    ]);
    observed.services.push(typed(service("shop", "old", "old")));
    let report = without_sidecar(&observed);
    let lines: Vec<String> = report
        .workloads
        .iter()
        .map(|bare| format!("{}: {} [{}]", bare.workload, bare.loses, bare.why))
        .collect();
    assert_eq!(
        lines,
        [
            "Deployment shop/old: its calls to workloads with a sidecar are reset; calls to shop/old stay plain text \
         [not restarted since a sidecar was asked for by namespace label `istio-injection: enabled`]",
        ]
    );
    assert_eq!(report.workloads[0].serves, ["shop/old"]);
    assert!(!report.is_empty() && !report.not_seen.is_empty());
}

#[test]
fn a_workload_says_why_it_has_no_sidecar() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 4] = [
        ("it uses the host's network", |pod| {
            pod["spec"]["hostNetwork"] = json!(true)
        }),
        ("its label `sidecar.istio.io/inject: false`", |pod| {
            pod["metadata"]["labels"]["sidecar.istio.io/inject"] = json!("false")
        }),
        ("its label `sidecar.istio.io/inject: false`", |pod| {
            pod["metadata"]["annotations"]["sidecar.istio.io/inject"] = json!("false")
        }),
        ("not restarted since a sidecar was asked for", |_| {}),
    ];
    for (why, change) in cases {
        let mut bare = pod("shop", "old", None);
        change(&mut bare);
        let mut observed = healthy();
        observed.pods.push(typed(bare));
        assert!(
            without_sidecar(&observed).workloads[0].why.starts_with(why),
            "{why}"
        );
    }
}

#[test]
fn nothing_is_lost_while_nothing_has_a_sidecar_and_ended_pods_call_nobody() {
    let mut ended = pod("shop", "job", None);
    ended["status"]["phase"] = json!("Succeeded");
    let mut observed = healthy();
    observed.pods.push(typed(ended));
    assert!(without_sidecar(&observed).is_empty());
    observed.pods = vec![typed(pod("shop", "old", None))];
    assert!(without_sidecar(&observed).is_empty());
}

#[test]
fn rules_that_turn_tls_off_are_listed_where_they_meet_the_mesh() {
    let off = json!({ "tls": { "mode": "DISABLE" } });
    let cases = [
        (
            json!({ "host": "api", "trafficPolicy": off }),
            Some("spec.trafficPolicy.tls.mode"),
        ),
        (
            json!({ "host": "api.shop.svc.cluster.local", "trafficPolicy": { "portLevelSettings": [{ "port": { "number": 80 }, "tls": { "mode": "DISABLE" } }] } }),
            Some("spec.trafficPolicy.portLevelSettings[80].tls.mode"),
        ),
        (
            json!({ "host": "*.local", "subsets": [{ "name": "v1", "trafficPolicy": off }] }),
            Some("spec.subsets[v1].trafficPolicy.tls.mode"),
        ),
        (
            json!({ "host": "*.shop.svc.cluster.local", "trafficPolicy": off }),
            Some("spec.trafficPolicy.tls.mode"),
        ),
        (
            json!({ "host": "api", "trafficPolicy": { "tls": { "mode": "ISTIO_MUTUAL" } } }),
            None,
        ),
        (json!({ "host": "example.com", "trafficPolicy": off }), None),
        (json!({ "host": "bare", "trafficPolicy": off }), None),
        (
            json!({ "host": "*.other.svc.cluster.local", "trafficPolicy": off }),
            None,
        ),
    ];
    for (spec, expected) in cases {
        let mut observed = healthy();
        observed.pods.push(typed(pod("shop", "bare", None)));
        observed
            .services
            .push(typed(service("shop", "bare", "bare")));
        observed.destination_rules = vec![destination_rule("shop", "r", spec.clone())];
        let rules = without_sidecar(&observed).rules;
        assert_eq!(
            rules.first().map(|rule| rule.path.as_str()),
            expected,
            "{spec}"
        );
        assert!(
            rules.iter().all(|rule| rule.services == ["shop/api"]),
            "{rules:?}"
        );
    }
}

#[test]
fn what_could_not_be_read_is_told() {
    let mut observed = healthy();
    observed.forbidden.push(Forbidden {
        verb: "list".to_owned(),
        resource: "pods".to_owned(),
    });
    assert!(
        without_sidecar(&observed)
            .not_seen
            .iter()
            .any(|line| line.contains("`list pods` is forbidden"))
    );
}
