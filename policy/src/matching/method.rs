//! A request's method as rules see it.

use super::Ambiguous;

/// A method that every reader takes for the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method<'r>(&'r [u8]);

impl<'r> Method<'r> {
    /// Methods are case-sensitive (RFC 9110 section 9.1), and HTTP/2 carries any case, yet Werkzeug and others turn them to upper case: so one with a lower-case letter
    /// is ambiguous, and so is what is no token (section 5.6.2).
    pub fn parse(method: &'r [u8]) -> Result<Self, Ambiguous> {
        let plain = |byte: &u8| {
            byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(byte)
        };
        if method.is_empty() || !method.iter().all(plain) {
            return Err(Ambiguous);
        }
        Ok(Self(method))
    }

    /// These bytes, whatever they are.
    #[cfg(feature = "findings")]
    pub(super) fn sample(bytes: &'r [u8]) -> Self {
        Self(bytes)
    }
}

/// A method that a rule names.
#[derive(Debug)]
pub(crate) struct MethodPattern(String);

impl MethodPattern {
    /// `None`: not a method in upper case. Narrower than [`Method`], so that a `*` is not taken for a method.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        let method = Method::parse(text.as_bytes()).ok()?;
        method
            .0
            .iter()
            .copied()
            .all(plain)
            .then(|| Self(text.to_owned()))
    }

    /// A method that only this pattern matches. `GET`: whatever matches it matches `HEAD` too.
    #[cfg(feature = "findings")]
    pub fn sample(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    /// `GET` means `HEAD` too: servers answer HEAD by running their GET handler (RFC 9110 section 9.3.2).
    pub fn matches(&self, method: Method<'_>) -> bool {
        self.0.as_bytes() == method.0 || (self.0 == "GET" && method.0 == b"HEAD")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_in_another_case_is_ambiguous() {
        for method in [
            "get", "Get", "GEt", "delete", "", "GET ", "G\u{e9}T", "GET\0", "G/T",
        ] {
            assert_eq!(Method::parse(method.as_bytes()), Err(Ambiguous), "{method}");
        }
        for method in ["GET", "M-SEARCH", "PURGE2", "X_Y"] {
            assert!(Method::parse(method.as_bytes()).is_ok(), "{method}");
        }
    }

    #[test]
    fn get_means_head_and_no_other_method_means_a_second_one() {
        let matches = |pattern: &str, method: &str| {
            let pattern = MethodPattern::parse(pattern).unwrap();
            pattern.matches(Method::parse(method.as_bytes()).unwrap())
        };
        for (pattern, method, expected) in [
            ("GET", "GET", true),
            ("GET", "HEAD", true),
            ("HEAD", "GET", false),
            ("HEAD", "HEAD", true),
            ("POST", "HEAD", false),
            ("GET", "POST", false),
        ] {
            assert_eq!(matches(pattern, method), expected, "{pattern} {method}");
        }
    }

    #[test]
    fn a_pattern_is_a_method_in_upper_case() {
        for text in ["get", "*", "", "GET POST", "GET2"] {
            assert!(MethodPattern::parse(text).is_none(), "{text}");
        }
    }
}
