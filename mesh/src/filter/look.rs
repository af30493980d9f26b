//! What a proxy told when it was asked: facts, read from its administration port and its log. Not here: what they mean.

use std::collections::BTreeMap;

use serde_json::Value;

/// One look at one proxy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// The filters that istiod sent, by name. Envoy shows a rejected configuration too, as if it ran.
    pub resources: Vec<Resource>,
    /// The values of our gauges, by the name of the metric. They alone prove what runs.
    pub gauges: BTreeMap<String, u64>,
    /// The values of our counters.
    pub counters: BTreeMap<String, u64>,
    /// True while connections are open that came before the last change of listeners: they are served as before it, until
    /// Envoy has drained them.
    pub is_draining: bool,
    /// Seconds since 1970, by the proxy's own clock.
    pub now: i64,
    /// The last lines of its log.
    pub log: Vec<String>,
    /// How fetches of modules went, as the agent counts them.
    pub fetches: Fetches,
}

/// Envoy's gauges of what it drains. <https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats>
const DRAINING: [&str; 2] = [
    "listener_manager.total_filter_chains_draining",
    "listener_manager.total_listeners_draining",
];

/// `istio_agent_wasm_remote_fetch_count` by result. Of all modules of the proxy together, since its start.
pub type Fetches = BTreeMap<String, u64>;

/// One filter that istiod sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// `extensions.istio.io/…`.
    pub name: String,
    /// What the agent made of it.
    pub kind: ResourceKind,
    /// When Envoy took it in, seconds since 1970.
    pub updated: i64,
}

/// What a filter is, when it comes to Envoy.
#[derive(Debug, Clone, PartialEq)]
pub enum ResourceKind {
    /// A module, with its configuration as text.
    Wasm {
        /// What `on_configure` gets.
        config: String,
    },
    /// The agent couldn't get the module: every request is answered 403.
    DenyAll,
    /// The agent couldn't get the module: every request passes.
    AllowAll,
    /// Something else.
    Other {
        /// Its type.
        type_url: String,
    },
}

impl Look {
    /// Reads `/config_dump?resource=ecds_filters`.
    #[must_use]
    pub fn resources(dump: &Value) -> Vec<Resource> {
        let configs = dump.get("configs").and_then(Value::as_array);
        configs.into_iter().flatten().filter_map(resource).collect()
    }

    /// Reads our metrics from `/stats`: the gauges with the fingerprints, and the counters.
    #[must_use]
    pub fn metrics(stats: &str) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
        let lines = stats.lines().filter_map(|line| line.rsplit_once(": "));
        let ours = lines.filter_map(|(name, value)| {
            let ours = name.starts_with("wasmcustom.kyma_istio.header_policy.");
            Some((name.to_owned(), value.trim().parse().ok()?)).filter(|_| ours)
        });
        ours.partition(|(name, _): &(String, u64)| name.ends_with(".policy_fingerprint"))
    }

    /// Reads from `/stats` whether listeners, or some of their filter chains, are being drained.
    #[must_use]
    pub fn is_draining(stats: &str) -> bool {
        let lines = stats.lines().filter_map(|line| line.rsplit_once(": "));
        let mut gauges = lines.filter(|(name, _)| DRAINING.contains(name));
        gauges.any(|(_, value)| value.trim() != "0")
    }

    /// Reads the agent's own metrics, in Prometheus' form.
    #[must_use]
    pub fn fetches(metrics: &str) -> Fetches {
        let lines = metrics.lines().filter_map(|line| {
            let rest = line.strip_prefix("istio_agent_wasm_remote_fetch_count{")?;
            let (labels, value) = rest.rsplit_once("} ")?;
            let result = labels
                .split(',')
                .find_map(|label| label.strip_prefix("result="))?;
            let value: f64 = value.trim().parse().ok()?;
            // A count in a float: whole, and far below what one keeps exactly.
            Some((result.trim_matches('"').to_owned(), value.max(0.0) as u64))
        });
        lines.collect()
    }
}

impl Look {
    /// The entries of a log: what doesn't begin like one belongs to the one before, as the agent's lists of errors do.
    #[must_use]
    pub fn entries(log: &str) -> Vec<String> {
        let mut entries: Vec<String> = Vec::new();
        for line in log.lines() {
            let is_begin =
                line.starts_with(|first: char| first.is_ascii_digit() || "[{".contains(first));
            match entries.last_mut() {
                Some(entry) if !is_begin => {
                    entry.push(' ');
                    entry.push_str(line.trim());
                }
                _ => entries.push(line.to_owned()),
            }
        }
        entries
    }
}

fn resource(config: &Value) -> Option<Resource> {
    let filter = config.get("ecds_filter")?;
    let name = filter.get("name")?.as_str()?.to_owned();
    let typed = filter.get("typed_config")?;
    let type_url = typed
        .get("@type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let kind = match type_url.rsplit('.').next() {
        Some("Wasm") => ResourceKind::Wasm {
            config: configuration(typed.pointer("/config/configuration")),
        },
        Some("RBAC") => match typed.to_string() {
            // The prefix of its statistics is the agent's own word; its rules are the same for all versions.
            rules if rules.contains("wasm-default-allow") => ResourceKind::AllowAll,
            rules if rules.contains("wasm-default-deny") => ResourceKind::DenyAll,
            _ if typed.pointer("/rules/action").and_then(Value::as_str) == Some("DENY") => {
                ResourceKind::AllowAll
            }
            _ => ResourceKind::DenyAll,
        },
        _ => ResourceKind::Other {
            type_url: type_url.to_owned(),
        },
    };
    let updated = config
        .get("last_updated")
        .and_then(Value::as_str)
        .and_then(seconds);
    Some(Resource {
        name,
        kind,
        updated: updated.unwrap_or_default(),
    })
}

/// Istio sends text; Envoy would take a Struct too.
fn configuration(value: Option<&Value>) -> String {
    match value.and_then(|value| value.get("value")) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// `Sat, 21 Nov 2026 15:40:00 GMT`, as HTTP writes dates (RFC 9110 section 5.6.7), in seconds since 1970.
#[must_use]
pub fn http_date(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = date.split(' ').skip(1);
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    seconds(&format!("{year}-{month}-{day}T{clock}Z"))
}

/// `2026-11-21T15:40:00.123Z` in seconds since 1970. Days are counted from March, so that leap days come last.
pub(super) fn seconds(time: &str) -> Option<i64> {
    let (date, clock) = time.trim_end_matches('Z').split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let clock = clock.split('.').next()?;
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_as_date_says() {
        // `date -u -d … +%s`
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T15:40:00.123Z", 1_795_275_600),
            ("2024-02-29T23:59:59Z", 1_709_251_199),
        ] {
            assert_eq!(seconds(time), Some(expected), "{time}");
        }
        assert_eq!(seconds("yesterday"), None);
        assert_eq!(
            http_date("Sat, 21 Nov 2026 15:40:00 GMT"),
            Some(1_795_275_600)
        );
    }

    #[test]
    fn lists_in_a_log_belong_to_their_entry() {
        let log = "2026-11-21T16:17:20Z\terror\twasm\t2 errors occurred:\n\t* one\n\t* two\n\n. applying deny RBAC filter\n2026-11-21T16:17:21Z\tinfo\tnext\n";
        let entries = Look::entries(log);
        assert_eq!(entries.len(), 2);
        assert!(
            entries[0].ends_with("2 errors occurred: * one * two  . applying deny RBAC filter"),
            "{}",
            entries[0]
        );
    }

    #[test]
    fn stubs_are_told_from_modules() {
        let filter = |typed: Value| json!({"configs": [{"ecds_filter": {"name": "n", "typed_config": typed}, "last_updated": "1970-01-01T00:00:09Z"}]});
        let kind = |typed| Look::resources(&filter(typed)).pop().unwrap().kind;
        let rbac = |prefix: &str| json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC", "rules_stat_prefix": prefix});
        assert_eq!(kind(rbac("wasm-default-deny")), ResourceKind::DenyAll);
        assert_eq!(kind(rbac("wasm-default-allow")), ResourceKind::AllowAll);
        let wasm = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {"configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "{}"}}});
        assert_eq!(
            kind(wasm),
            ResourceKind::Wasm {
                config: "{}".to_owned()
            }
        );
    }

    #[test]
    fn metrics_of_others_are_left_out() {
        let (gauges, counters) = Look::metrics(
            "wasmcustom.kyma_istio.header_policy.a_b.policy_fingerprint: 4503599627370495\nwasmcustom.other: 1\nwasmcustom.kyma_istio.header_policy.a_b.denied.Expired: 3\n",
        );
        assert_eq!(
            gauges.values().collect::<Vec<_>>(),
            [&4_503_599_627_370_495]
        );
        assert_eq!(counters.len(), 1);
    }

    #[test]
    fn a_listener_or_a_part_of_one_drains() {
        let is_draining = |chains: u8, listeners: u8| {
            Look::is_draining(&format!(
                "listener_manager.listener_modified: 7\nlistener_manager.total_filter_chains_draining: {chains}\nlistener_manager.total_listeners_draining: {listeners}\n"
            ))
        };
        assert!(!is_draining(0, 0));
        assert!(is_draining(1, 0));
        assert!(is_draining(0, 2));
    }

    #[test]
    fn fetches_are_counted_by_result() {
        let found = Look::fetches(
            "# TYPE x\nistio_agent_wasm_remote_fetch_count{result=\"manifest_failure\"} 2\nistio_agent_other 1\n",
        );
        assert_eq!(found, Fetches::from([("manifest_failure".to_owned(), 2)]));
    }
}
