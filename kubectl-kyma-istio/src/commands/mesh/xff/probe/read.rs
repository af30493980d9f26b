//! What an access log and a backend's echo say of one request. Both come in the forms that are common; of others nothing is
//! read rather than something wrong.

use std::collections::BTreeMap;

use serde_json::Value;

/// `%DOWNSTREAM_REMOTE_ADDRESS%`, which is Envoy's trusted client: from a JSON log with Istio's names, or from Istio's
/// default text. <https://istio.io/latest/docs/tasks/observability/logs/access-log/#default-access-log-format>
pub(super) fn remote_address(line: &str) -> Option<String> {
    let json = line.find('{').and_then(|start| line.get(start..));
    let json: Option<Value> = json.and_then(|text| serde_json::from_str(text).ok());
    let address = match &json {
        Some(fields) => fields.get("downstream_remote_address")?.as_str()?,
        // Behind the last quoted field: upstream cluster, our address to it, the address asked for, the client's.
        None => line.rsplit_once('"')?.1.split_whitespace().nth(3)?,
    };
    without_port(address)
}

/// Why our filter refused it: the details of its local replies stand in any access log that has `%RESPONSE_CODE_DETAILS%`.
pub(super) fn refusal(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("kyma_istio_header_policy{")?;
    rest.split_once('}').map(|(reason, _)| reason)
}

fn without_port(address: &str) -> Option<String> {
    let ip = address.rsplit_once(':')?.0.trim_matches(['[', ']']);
    ip.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string())
}

/// The headers of a request as a backend echoes them, by names in lower case, lines of one name joined; empty where the
/// body doesn't show our mark, so is no echo.
pub(super) fn echoed(body: &str, mark: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if !body.contains(mark) {
        return found;
    }
    match serde_json::from_str(body) {
        Ok(value) => in_json(&value, &mut found),
        Err(_) => body.lines().for_each(|line| {
            let pair = line.split_once(": ").or_else(|| line.split_once('='));
            if let Some((name, value)) = pair {
                note(name, value, &mut found);
            }
        }),
    }
    found
}

/// `{name: value}`, `{name: [value]}`, `[name, value]` at any depth.
fn in_json(value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Value::String(text) => note(name, text, found),
            Value::Array(lines) if lines.iter().all(Value::is_string) => {
                let lines = lines.iter().filter_map(Value::as_str);
                lines.for_each(|line| note(name, line, found));
            }
            other => in_json(other, found),
        }),
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(name), Value::String(value)] => note(name, value, found),
            other => other.iter().for_each(|value| in_json(value, found)),
        },
        _ => {}
    }
}

fn note(name: &str, value: &str, found: &mut BTreeMap<String, String>) {
    let name = name.trim().to_lowercase();
    // Only addresses are looked for; tokens of the echo stay where they are.
    if !name.starts_with("x-") {
        return;
    }
    let value = crate::redact::anything(value.trim());
    found
        .entry(name)
        .and_modify(|before| {
            before.push(',');
            before.push_str(&value);
        })
        .or_insert(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoys_client_is_read_from_both_forms_of_log() {
        // What a gateway of Istio 1.30 with `accessLogFile` wrote: a request that went on, and one that the filter refused.
        let text = r#"[2026-11-21T17:49:33.908Z] "GET / HTTP/1.1" 200 - via_upstream - "-" 0 575 1 1 "198.51.100.1" "m/1" "289e8f1e-0910-4dcb-a816-43e19036fd11" "172.18.0.3:31767" "10.244.0.8:8080" outbound|80||echo.shop.svc.cluster.local 10.244.0.6:38010 10.244.0.6:8080 10.244.0.1:50722 - -"#;
        assert_eq!(remote_address(text).as_deref(), Some("10.244.0.1"));
        let text = r#"[2026-11-21T17:49:36.219Z] "GET / HTTP/1.1" 400 - kyma_istio_header_policy{TooFewHops} - "-" 0 57 0 - "10.244.0.1" "m/1" "e31b8dbd-93ff-4fef-bd3a-c60e13c3e0a0" "172.18.0.3:31767" "-" outbound|80||echo.shop.svc.cluster.local - 10.244.0.6:8080 10.244.0.7:53912 - -"#;
        assert_eq!(remote_address(text).as_deref(), Some("10.244.0.7"));
        assert_eq!(refusal(text), Some("TooFewHops"));
        // With Kyma's provider `stdout-json`, cut to what is read; port 0 is an address from the chain.
        let json = r#"{"downstream_remote_address":"[2001:db8::1]:0","user_agent":"kyma-istio-xff-probe/1-1"}"#;
        assert_eq!(remote_address(json).as_deref(), Some("2001:db8::1"));
        assert_eq!(remote_address("something else"), None);
    }

    #[test]
    fn the_reason_of_a_refusal_stands_in_the_details() {
        let line = r#"{"response_code":400,"response_code_details":"kyma_istio_header_policy{TooFewHops}"}"#;
        assert_eq!(refusal(line), Some("TooFewHops"));
        assert_eq!(refusal(r#"{"response_code_details":"via_upstream"}"#), None);
    }

    #[test]
    fn echoes_of_several_forms_are_read_and_pages_are_not() {
        for echo in [
            r#"{"headers": [["user-agent", "m/1"], ["x-client-ip", "192.0.2.1"]]}"#,
            r#"{"headers": {"User-Agent": "m/1", "X-Client-Ip": "192.0.2.1"}}"#,
            r#"{"headers": {"User-Agent": ["m/1"], "X-Client-Ip": ["192.0.2.1"]}}"#,
            "User-Agent: m/1\r\nX-Client-Ip: 192.0.2.1\r\n",
            "User-Agent=m/1\nX-Client-Ip=192.0.2.1\n",
        ] {
            let found = echoed(echo, "m/1");
            assert_eq!(
                found.get("x-client-ip").map(String::as_str),
                Some("192.0.2.1"),
                "{echo}"
            );
        }
        assert!(echoed(r#"{"x-client-ip": "192.0.2.1"}"#, "m/1").is_empty());
    }

    #[test]
    fn what_is_no_address_header_stays_in_the_echo() {
        assert!(
            echoed(
                r#"{"user-agent": "m/1", "authorization": "Bearer x"}"#,
                "m/1"
            )
            .is_empty()
        );
    }
}
