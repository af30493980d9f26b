//! Kubernetes quantities, as far as they can be compared and added.

/// A quantity in thousandths of its unit: CPUs or bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(pub u128);

impl Quantity {
    /// Reads `500m`, `0.5`, `128Mi`, `1e9`; `None` for anything else. Digits beyond a thousandth are cut.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (digits, suffix) = text.split_at(end);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole: u128 = whole.parse().ok()?;
        let scale = scale(suffix)?;
        let mut thousandths = whole.checked_mul(scale)?;
        let mut weight = scale;
        for digit in fraction.bytes() {
            weight /= 10;
            thousandths = thousandths
                .checked_add(weight.checked_mul(u128::from(digit.checked_sub(b'0')?))?)?;
        }
        Some(Self(thousandths))
    }
}

/// Thousandths in one of what the suffix names.
fn scale(suffix: &str) -> Option<u128> {
    let power = |base: u128, exponent: u32| {
        base.checked_pow(exponent)
            .and_then(|size| size.checked_mul(1000))
    };
    match suffix {
        "m" => Some(1),
        "" => Some(1000),
        "k" => power(1000, 1),
        "M" => power(1000, 2),
        "G" => power(1000, 3),
        "T" => power(1000, 4),
        "P" => power(1000, 5),
        "E" => power(1000, 6),
        "Ki" => power(1024, 1),
        "Mi" => power(1024, 2),
        "Gi" => power(1024, 3),
        "Ti" => power(1024, 4),
        "Pi" => power(1024, 5),
        "Ei" => power(1024, 6),
        _ => power(
            10,
            suffix
                .strip_prefix('e')
                .or(suffix.strip_prefix('E'))?
                .parse()
                .ok()?,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_compared_across_spellings() {
        let parse = |text: &str| Quantity::parse(text).map(|quantity| quantity.0);
        assert_eq!(parse("500m"), Some(500));
        assert_eq!(parse("0.5"), Some(500));
        assert_eq!(parse("1024Mi"), parse("1Gi"));
        assert_eq!(parse("1.5Gi"), parse("1536Mi"));
        assert_eq!(parse("1e3"), parse("1k"));
        for text in ["", "Mi", "1X", "-1", "1.2.3", ".5", "1e99", "1e"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
