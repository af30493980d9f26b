//! What is wrong with an input, in words for the person who wrote it.

use std::fmt;

/// A line and a column of a text, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from one.
    pub line: u64,
    /// Column in characters, from one.
    pub column: u64,
}

/// One problem of an input. An input that can't be used yields all of them at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where in the text, when the input is one.
    pub place: Option<Place>,
    /// Which value, as in `spec.config.authorizers[0].port`; empty for the document itself.
    pub path: String,
    /// What stands there.
    pub found: String,
    /// What was expected instead.
    pub expected: String,
    /// How to mend it, where that is not plain.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without place and hint.
    pub fn new(
        path: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            place: None,
            path: path.into(),
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }
    }

    /// The same problem with its place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same problem with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// One line; the hint is printed by whoever prints the problem.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{}:{}: ", place.line, place.column)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for Problem {}

/// Names in backticks, with commas.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    quoted.join(", ")
}

/// The known name that `name` is a slip of, if it is one: the same but for case, or at most two letters away.
pub(crate) fn nearest<'k, S: AsRef<str>>(name: &str, known: &'k [S]) -> Option<&'k str> {
    known
        .iter()
        .map(AsRef::as_ref)
        .map(|candidate| {
            let apart = distance(&name.to_ascii_lowercase(), &candidate.to_ascii_lowercase());
            (apart, candidate)
        })
        .min()
        .filter(|(apart, candidate)| *apart <= 2 && *apart < candidate.len())
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in bytes, for short names.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, r) in right.bytes().enumerate() {
            let swap = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = swap.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_it_was_meant_to_be() {
        let known = ["numTrustedProxies", "trustDomain", "cpu"];
        assert_eq!(nearest("numtrustedproxy", &known), None);
        assert_eq!(
            nearest("numTrustedProxie", &known),
            Some("numTrustedProxies")
        );
        assert_eq!(nearest("TRUSTDOMAIN", &known), Some("trustDomain"));
        assert_eq!(
            nearest("xyz", &known),
            None,
            "three letters of three are no slip"
        );
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
