//! Medians and how sure they are.

use serde::{Deserialize, Serialize};

/// A median with its 95 % confidence interval. With fewer than 6 values that is as wide as all of them, and less sure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Median {
    /// The median.
    pub median: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Median {
    /// Distribution-free: the interval's ends are order statistics.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let (count, low) = (values.len(), lower_end(values.len()));
        Self {
            median: f64::midpoint(at(count.saturating_sub(1) / 2), at(count / 2)),
            low: at(low),
            high: at(count.saturating_sub(1 + low)),
        }
    }

    /// Of the ratios within each round: what slows a whole round down, slows both.
    pub fn of_ratios(ones: &[f64], others: &[f64]) -> Self {
        Self::of(ones.iter().zip(others).map(|(one, other)| one / other))
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
        let of = Median::of([3.0, 1.0, 2.0, 5.0, 4.0]);
        assert_eq!((of.median, of.low, of.high), (3.0, 1.0, 5.0));
    }

    #[test]
    fn a_slow_round_changes_no_ratio() {
        let of = Median::of_ratios(&[2.0, 20.0, 2.0], &[1.0, 10.0, 1.0]);
        assert_eq!((of.median, of.low, of.high), (2.0, 2.0, 2.0));
    }
}
