//! Checks that a JSON Schema can't express: regular expressions, durations, Kubernetes' own types.

use k8s_openapi::api::core::v1::{NodeAffinity, PodAffinity, PodAntiAffinity};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is wrong with a value whose type is right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The path below the value, as in `.nodeSelectorTerms[0]`; empty for the value itself.
    pub below: String,
    pub found: String,
    pub expected: String,
    pub hint: Option<String>,
}

/// Runs the check called `name`.
pub(crate) fn check(name: &str, value: &Value) -> Result<(), Wrong> {
    let text = value.as_str().unwrap_or_default();
    match name {
        "regexp" => regexp(text),
        "duration" => duration(text).map(drop),
        "node-affinity" => typed::<NodeAffinity>(value),
        "pod-affinity" => typed::<PodAffinity>(value),
        "pod-anti-affinity" => typed::<PodAntiAffinity>(value),
        _ => Ok(()),
    }
}

impl Wrong {
    fn new(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            below: String::new(),
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }
    }
}

/// Envoy and the module read RE2, we have Rust's `regex`: what only one of them takes, or takes for something else, is refused.
fn regexp(text: &str) -> Result<(), Wrong> {
    let expected = "a regular expression in RE2 syntax";
    if let Err(error) = regex::Regex::new(text) {
        // The last line of the message says what is wrong, the others draw where.
        let message = error.to_string();
        let last = message
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        return Err(Wrong::new(format!("`{text}` ({last})"), expected));
    }
    match beyond_re2(text) {
        Some(what) => Err(Wrong::new(
            format!("`{text}` with {what}, which RE2 does not know"),
            expected,
        )),
        None => Ok(()),
    }
}

/// Syntax of Rust's `regex` that RE2 does not know, or takes for something else.
fn beyond_re2(text: &str) -> Option<&'static str> {
    let mut in_class = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let behind = rest.get(first.len_utf8()..).unwrap_or_default();
        let starts = |tokens: &[&str]| tokens.iter().any(|token| rest.starts_with(token));
        if first == '\\' {
            if starts(&["\\b{", "\\B{", "\\<", "\\>"]) {
                return Some("a word boundary other than `\\b` and `\\B`");
            }
            let escaped = behind.chars().next().map_or(0, char::len_utf8);
            rest = behind.get(escaped..).unwrap_or_default();
            continue;
        }
        if in_class {
            if first == '[' && !behind.starts_with(':') {
                return Some("`[` inside of a class");
            }
            if starts(&["&&", "--", "~~"]) {
                return Some("an operation on classes");
            }
            // In `[[:word:]]` the first `]` ends the inner name.
            if let Some(name) = rest.strip_prefix("[:") {
                rest = name.split_once(":]").map_or("", |(_, behind)| behind);
                continue;
            }
        } else if let Some(group) = rest.strip_prefix("(?") {
            let flags = group.split([':', ')', '<', 'P']).next().unwrap_or_default();
            if flags.contains(['x', 'u', 'R']) {
                return Some("the flag `x`, `u` or `R`");
            }
        } else if first == '{' {
            let bounds = behind.split('}').next().unwrap_or_default();
            if bounds
                .split(',')
                .any(|bound| bound.parse::<u64>().is_ok_and(|times| times > 1000))
            {
                return Some("more than 1000 repetitions");
            }
        }
        in_class = match first {
            '[' => true,
            ']' => false,
            _ => in_class,
        };
        rest = behind;
    }
    None
}

/// A Go duration (`1h2m`, `500ms`) in nanoseconds.
pub(crate) fn duration(text: &str) -> Result<u64, Wrong> {
    const UNITS: [(&str, u64); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let wrong = || {
        Wrong::new(
            format!("`{text}`"),
            "a duration above zero, such as `500ms` or `1m30s`",
        )
    };
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let number = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (digits, behind) = rest.split_at(number);
        let unit = behind
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let (_, size) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        let part = scaled(digits, *size).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = behind;
    }
    if total == 0 { Err(wrong()) } else { Ok(total) }
}

/// A decimal number times a whole one, without a float between; what is below one is cut, as Go does.
fn scaled(digits: &str, size: u64) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?
    };
    let mut total = whole.checked_mul(size)?;
    let mut weight = size;
    for digit in fraction.bytes() {
        weight /= 10;
        total = total.checked_add(weight.checked_mul(u64::from(digit.checked_sub(b'0')?))?)?;
    }
    Some(total)
}

/// Reads a Kubernetes type and looks for what it does not know: its reader passes over unknown fields.
fn typed<T: DeserializeOwned + Serialize>(value: &Value) -> Result<(), Wrong> {
    let expected = "what Kubernetes expects here";
    let typed: T = serde_json::from_value(value.clone())
        .map_err(|error| Wrong::new(error.to_string(), expected))?;
    let known =
        serde_json::to_value(typed).map_err(|error| Wrong::new(error.to_string(), expected))?;
    match lost(value, &known, "") {
        Some(below) => Err(Wrong {
            below,
            found: "a field that Kubernetes does not know".to_owned(),
            expected: "no such field".to_owned(),
            hint: None,
        }),
        None => Ok(()),
    }
}

/// The path of the first field that `known` does not have.
fn lost(value: &Value, known: &Value, path: &str) -> Option<String> {
    match (value, known) {
        (Value::Object(value), Value::Object(known)) => value.iter().find_map(|(name, value)| {
            let path = format!("{path}.{name}");
            match known.get(name) {
                Some(known) => lost(value, known, &path),
                None if value.is_null() => None,
                None => Some(path),
            }
        }),
        (Value::Array(value), Value::Array(known)) => {
            let mut pairs = value.iter().zip(known).enumerate();
            pairs
                .find_map(|(index, (value, known))| lost(value, known, &format!("{path}[{index}]")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanoseconds) in [
            ("500ms", 500_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5s", 1_500_000_000),
            (".25h", 900_000_000_000),
            ("7ns", 7),
        ] {
            assert_eq!(duration(text), Ok(nanoseconds), "{text}");
        }
        for text in [
            "",
            "5",
            "1 s",
            "-1s",
            "0s",
            "1x",
            "s",
            ".s",
            "99999999999999h",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_re2_and_we_read_alike_is_a_regular_expression() {
        for fine in [
            "http.*",
            r"(?i)a|b",
            r"[[:word:]\]x-]+",
            r"\bup\b",
            "(?P<n>a){2,1000}",
            r"[^\[]",
            "(?s:a)",
        ] {
            assert_eq!(regexp(fine), Ok(()), "{fine}");
        }
        for wrong in [
            "(",
            "a{1,1001}",
            "(?x)a b",
            "[a[b]]",
            "[a-z&&[^b]]",
            r"\b{start}a",
            r"(?u)a",
            "(?<!a)b",
            r"\Qa.b\E",
            r"(?iu:a)",
        ] {
            assert!(regexp(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_field_that_kubernetes_does_not_know_is_found() {
        let term = json!({"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}});
        let good = json!({"preferredDuringSchedulingIgnoredDuringExecution": [term]});
        assert_eq!(check("node-affinity", &good), Ok(()));
        let mut bad = good;
        bad["preferredDuringSchedulingIgnoredDuringExecution"][0]["wieght"] = json!(1);
        let wrong = check("node-affinity", &bad).unwrap_err();
        assert_eq!(
            wrong.below,
            ".preferredDuringSchedulingIgnoredDuringExecution[0].wieght"
        );
        assert!(
            check(
                "node-affinity",
                &json!({"preferredDuringSchedulingIgnoredDuringExecution": 1})
            )
            .is_err()
        );
    }
}
