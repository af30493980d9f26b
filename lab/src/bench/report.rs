//! What the rounds say: scenario by scenario.

use serde_json::{Map, Value, json};

use super::{
    Median,
    scenarios::{self, JWT_AUTHN, NONE},
};
use crate::{Error, Result};

/// All scenarios, in the order in which they ran.
#[derive(Clone, Debug)]
pub struct Report {
    /// By name.
    pub scenarios: Vec<(String, Measured)>,
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Over the rounds.
    pub cpu_us_per_request: Median,
    /// Of the ratios within each round.
    pub ratio_to_none: Median,
    /// The same to Envoy's own token check without a cache.
    pub ratio_to_jwt_authn: Median,
    /// Every round.
    pub rounds: Vec<f64>,
}

impl Report {
    pub(super) fn of(rounds: Vec<(String, Vec<f64>)>) -> Self {
        let base = |wanted: &str| {
            let found = rounds.iter().find(|(name, _)| name == wanted);
            found.map(|(_, rounds)| rounds.clone()).unwrap_or_default()
        };
        let (none, jwt_authn) = (base(NONE), base(JWT_AUTHN));
        let scenarios = rounds.into_iter().map(|(name, rounds)| {
            let measured = Measured {
                cpu_us_per_request: Median::of(rounds.iter().copied()),
                ratio_to_none: Median::of_ratios(&rounds, &none),
                ratio_to_jwt_authn: Median::of_ratios(&rounds, &jwt_authn),
                rounds,
            };
            (name, measured)
        });
        Self {
            scenarios: scenarios.collect(),
        }
    }

    /// How many times as much the one costs as the other; none when one of them did not run.
    pub fn ratio(&self, one: &str, other: &str) -> Option<Median> {
        let rounds = |name: &str| {
            let found = self.scenarios.iter().find(|(known, _)| known == name);
            found.map(|(_, measured)| &measured.rounds)
        };
        Some(Median::of_ratios(rounds(one)?, rounds(other)?))
    }

    /// Scenario → numbers.
    pub fn to_json(&self) -> Value {
        let scenarios = self.scenarios.iter().map(|(name, one)| {
            let interval = |of: Median| [of.low, of.high];
            let numbers = json!({
                "cpu_us_per_request": one.cpu_us_per_request.median,
                "cpu_us_per_request_interval": interval(one.cpu_us_per_request),
                "ratio_to_none": one.ratio_to_none.median,
                "ratio_to_none_interval": interval(one.ratio_to_none),
                "ratio_to_jwt_authn": one.ratio_to_jwt_authn.median,
                "ratio_to_jwt_authn_interval": interval(one.ratio_to_jwt_authn),
                "rounds": one.rounds,
            });
            (name.clone(), numbers)
        });
        Value::Object(scenarios.collect())
    }

    /// The rounds tell everything else anew.
    pub fn from_json(json: &Map<String, Value>) -> Result<Self> {
        let rounds = scenarios::ALL.iter().filter_map(|(name, _)| {
            let rounds = json.get(*name)?["rounds"].as_array()?;
            let rounds: Option<Vec<f64>> = rounds.iter().map(Value::as_f64).collect();
            Some(((*name).to_owned(), rounds?))
        });
        let rounds: Vec<_> = rounds.collect();
        if rounds.is_empty() {
            return Err(Error::Unusable(
                "found no scenario in the report, expected those of `bench`; hint: make bench"
                    .into(),
            ));
        }
        Ok(Self::of(rounds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_in_the_order_of_the_run() {
        let report = Report::of(vec![
            (NONE.into(), vec![10.0, 20.0]),
            (JWT_AUTHN.into(), vec![30.0, 80.0]),
        ]);
        let json = report.to_json();
        assert_eq!(json[JWT_AUTHN]["cpu_us_per_request"], 55.0);
        assert_eq!(json[JWT_AUTHN]["ratio_to_none"], 3.5);
        let back = Report::from_json(json.as_object().unwrap()).unwrap();
        assert_eq!(back.to_json(), json);
        assert_eq!(back.scenarios[0].0, NONE);
        assert_eq!(back.ratio(NONE, "lua"), None);
    }

    #[test]
    fn an_empty_report_is_refused() {
        assert!(Report::from_json(&Map::new()).is_err());
    }
}
