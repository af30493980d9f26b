//! Whether verified claims satisfy what a rule asks of them.

use crate::caller::{Claims, Json};
use crate::spec::{Claim, ClaimTest, Scalar};

/// Whether verified claims satisfy a condition. A claim that is not there satisfies none.
pub(crate) fn holds(test: &ClaimTest, claims: &Claims<'_>) -> bool {
    match test {
        ClaimTest::Equals(Claim(path), value) => {
            claims.at(path).is_some_and(|claim| equals(claim, value))
        }
        ClaimTest::Contains(Claim(path), value) => match (claims.at(path), value) {
            (Some(Json::List(items)), value) => items.iter().any(|item| equals(item, value)),
            // A list in one text, as `scope` is (RFC 8693 section 4.2).
            (Some(Json::Text(text)), Scalar::Text(word)) => {
                text.split(' ').any(|item| item == word)
            }
            _ => false,
        },
    }
}

fn equals(claim: &Json<'_>, value: &Scalar) -> bool {
    match (claim, value) {
        (Json::Text(claim), Scalar::Text(value)) => claim == value,
        (Json::Bool(claim), Scalar::Bool(value)) => claim == value,
        // Whole numbers are compared as such where both are, since doubles would make neighbours of 2^53 equal.
        (Json::Number(claim), Scalar::Number(value)) => match (claim.as_i64(), value.as_i64()) {
            (Some(claim), Some(value)) => claim == value,
            _ => claim.as_f64() == value.as_f64(),
        },
        _ => false,
    }
}
