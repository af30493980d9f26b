//! Numbers into words.

use std::{fmt, fs, path::Path};

use serde_json::{Value, json};

use super::scenarios::{JWT_AUTHN, NONE};
use crate::{Result, error::Doing};

/// All scenarios, in the order in which they ran.
#[derive(Clone, Debug)]
pub struct Report {
    /// By name.
    pub scenarios: Vec<(String, Measured)>,
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The median over the rounds.
    pub cpu_us_per_request: f64,
    /// The median of the ratios within each round, with its interval.
    pub ratio_to_none: Option<Ratio>,
    /// The same to Envoy's own token check without a cache.
    pub ratio_to_jwt_authn: Option<Ratio>,
    /// Every round.
    pub rounds: Vec<f64>,
}

/// A median with its 95 % confidence interval. With fewer than 6 rounds that is as wide as all of them, and less sure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median.
    pub median: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Report {
    pub(super) fn of(rounds: Vec<(String, Vec<f64>)>) -> Self {
        let base = |wanted: &str| {
            let found = rounds.iter().find(|(name, _)| name == wanted);
            found.map(|(_, rounds)| rounds.clone())
        };
        let (none, jwt_authn) = (base(NONE), base(JWT_AUTHN));
        let ratio = |rounds: &[f64], base: &Option<Vec<f64>>| {
            let pairs = rounds.iter().zip(base.as_ref()?);
            Some(Ratio::of(pairs.map(|(one, base)| one / base).collect()))
        };
        let scenarios = rounds.into_iter().map(|(name, rounds)| {
            let measured = Measured {
                cpu_us_per_request: Ratio::of(rounds.clone()).median,
                ratio_to_none: ratio(&rounds, &none),
                ratio_to_jwt_authn: ratio(&rounds, &jwt_authn),
                rounds,
            };
            (name, measured)
        });
        Self {
            scenarios: scenarios.collect(),
        }
    }

    /// Scenario → numbers.
    pub fn to_json(&self) -> Value {
        let scenarios = self.scenarios.iter().map(|(name, one)| {
            let median = |ratio: Option<Ratio>| ratio.map(|ratio| ratio.median);
            let interval = |ratio: Option<Ratio>| ratio.map(|ratio| [ratio.low, ratio.high]);
            let numbers = json!({
                "cpu_us_per_request": one.cpu_us_per_request,
                "ratio_to_none": median(one.ratio_to_none),
                "ratio_to_none_interval": interval(one.ratio_to_none),
                "ratio_to_jwt_authn": median(one.ratio_to_jwt_authn),
                "ratio_to_jwt_authn_interval": interval(one.ratio_to_jwt_authn),
                "rounds": one.rounds,
            });
            (name.clone(), numbers)
        });
        Value::Object(scenarios.collect())
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).doing(|| format!("making {}", folder.display()))?;
        }
        fs::write(path, format!("{:#}\n", self.to_json()))
            .doing(|| format!("writing {}", path.display()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = |ratio: Option<Ratio>| match ratio {
            Some(Ratio { median, low, high }) => format!("{median:.3} [{low:.3}, {high:.3}]"),
            None => "-".into(),
        };
        writeln!(
            to,
            "{:<18} {:>10}  {:<22}  to jwt_authn",
            "scenario", "CPU µs", "to none"
        )?;
        for (name, one) in &self.scenarios {
            let (cpu, none) = (one.cpu_us_per_request, ratio(one.ratio_to_none));
            let jwt_authn = ratio(one.ratio_to_jwt_authn);
            writeln!(to, "{name:<18} {cpu:>10.2}  {none:<22}  {jwt_authn}")?;
        }
        Ok(())
    }
}

impl Ratio {
    /// Distribution-free: the interval's ends are order statistics.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let (count, low) = (values.len(), lower_end(values.len()));
        let median = (at(count.saturating_sub(1) / 2) + at(count / 2)) / 2.0;
        Self {
            median,
            low: at(low),
            high: at(count.saturating_sub(1 + low)),
        }
    }
}

/// The place, from 0, of the lower end of the median's 95 % interval: k - 1 for the largest k with P(Binomial(n, ½) < k) of at
/// most 2.5 %. With too few values it is the first.
fn lower_end(count: usize) -> usize {
    let mut chance = 0.5_f64.powf(count as f64);
    let mut sum = chance;
    let mut k = 0;
    while sum <= 0.025 && k < count {
        chance *= (count - k) as f64 / (k + 1) as f64;
        sum += chance;
        k += 1;
    }
    k.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_has_the_tabulated_places() {
        let places = [5, 6, 9, 15, 20].map(lower_end);
        assert_eq!(places, [0, 0, 1, 3, 5]);
    }

    #[test]
    fn five_rounds_give_the_middle_one_and_both_ends() {
        let ratio = Ratio::of(vec![3.0, 1.0, 2.0, 5.0, 4.0]);
        assert_eq!((ratio.median, ratio.low, ratio.high), (3.0, 1.0, 5.0));
    }
}
