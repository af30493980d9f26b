//! `--set path=value`, in istioctl's spelling.

use serde_json::{Number, Value};

use super::known;
use super::path::Path;
use crate::problem::Problem;

/// One `--set`: a path below `spec` of the `IstioOperator`, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// Where.
    pub path: Path,
    /// What.
    pub value: Value,
}

impl Set {
    /// Reads `path=value`. Unknown paths are refused; `values.…` and `components.….k8s.…` are checked as deep as `known` goes.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let problem = |found: String, expected: &str| Problem::new("--set", found, expected);
        let Some((path, value)) = text.split_once('=') else {
            return Err(problem(format!("`{text}`"), "`path=value`"));
        };
        let (path, value) = (path.trim(), value.trim());
        let path = Path::parse(path).map_err(|wrong| {
            let found = format!("`{path}` with {wrong}");
            problem(
                found,
                "a path such as `components.ingressGateways[0].k8s.replicaCount`",
            )
        })?;
        known::check(&path)?;
        let value = match is_text(&path) {
            true => Value::String(value.to_owned()),
            false => typed(value),
        };
        Ok(Self { path, value })
    }
}

/// A number, `true`, `false`, or else a text. (istioctl takes `t` and `F` for booleans too; here they are texts.)
fn typed(text: &str) -> Value {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
    if plain {
        if let Ok(number) = text.parse::<i64>() {
            return Value::from(number);
        }
        let decimal = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if let Some(number) = text
            .parse()
            .ok()
            .filter(|_| decimal)
            .and_then(Number::from_f64)
        {
            return Value::Number(number);
        }
    }
    match text {
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => Value::String(text.replace("\\,", ",")),
    }
}

/// Where Istio wants a text whatever it looks like: `tag=1.30` is no number, an environment variable never is.
fn is_text(path: &Path) -> bool {
    const MAPS_OF_TEXTS: [&str; 11] = [
        "env",
        "injectedAnnotations",
        "label",
        "labels",
        "limits",
        "nodeSelector",
        "podAnnotations",
        "podLabels",
        "proxyMetadata",
        "requests",
        "serviceAnnotations",
    ];
    match path.keys()[..] {
        [.., "tag" | "revision" | "compatibilityVersion"] => true,
        [.., above, _] => MAPS_OF_TEXTS.contains(&above),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_have_the_type_that_istio_wants() {
        for (text, value) in [
            ("values.pilot.autoscaleMin=2", json!(2)),
            ("values.pilot.traceSampling=0.5", json!(0.5)),
            ("meshConfig.enableTracing=true", json!(true)),
            ("tag=1.30", json!("1.30")),
            ("meshConfig.accessLogFile=/dev/stdout", json!("/dev/stdout")),
            (
                "meshConfig.defaultConfig.proxyMetadata.ISTIO_DUAL_STACK=true",
                json!("true"),
            ),
            ("values.global.proxy.resources.limits.cpu=2", json!("2")),
            ("values.pilot.env.PILOT_HTTP10=1", json!("1")),
            (
                "components.pilot.k8s.env[name:PILOT_HTTP10].value=1",
                json!("1"),
            ),
            (
                r"components.pilot.k8s.podAnnotations.prometheus\.io/port=15014",
                json!("15014"),
            ),
            ("values.global.network=007", json!("007")),
            ("values.global.network=a=b", json!("a=b")),
            ("values.global.network=", json!("")),
        ] {
            assert_eq!(Set::parse(text).expect(text).value, value, "{text}");
        }
    }

    #[test]
    fn unknown_paths_are_refused_with_the_nearest_one() {
        for (text, hint) in [
            (
                "component.pilot.enabled=true",
                Some("did you mean `components`?"),
            ),
            (
                "components.pilots.enabled=true",
                Some("did you mean `components.pilot`?"),
            ),
            (
                "components.pilot.k8s.hpaspec.minReplicas=1",
                Some("did you mean `components.pilot.k8s.hpaSpec`?"),
            ),
            (
                "meshConfig.acessLogFile=x",
                Some("did you mean `meshConfig.accessLogFile`?"),
            ),
            ("values.globl.tag=x", Some("did you mean `values.global`?")),
            (
                "values.pilot.autoscalemin=1",
                Some("did you mean `values.pilot.autoscaleMin`?"),
            ),
            ("spec.hub=x", Some("paths begin below `spec`")),
            ("nonsense.here=1", None),
        ] {
            let problem = Set::parse(text).expect_err(text);
            assert_eq!(problem.hint.as_deref(), hint, "{text}: {problem}");
        }
        for fine in [
            "values.pilot.env.ANY=1",
            "unvalidatedValues.a.b=1",
            "components.egressGateways[0].k8s.service.type=NodePort",
        ] {
            assert!(Set::parse(fine).is_ok(), "{fine}");
        }
        for broken in ["hub", "=x", "a..b=1"] {
            assert!(Set::parse(broken).is_err(), "{broken}");
        }
    }
}
