//! What is wrong with a policy, in words for the person who wrote it.

use std::borrow::Cow;
use std::fmt;

/// Words of a message. Most are literals, which cost the module nothing until they are needed.
pub(crate) type Words = Cow<'static, str>;

/// A text without control characters: names and key ids come from others, and a line break in one would be a log line of its own.
fn plain(text: String) -> String {
    if text.contains(char::is_control) {
        return text.replace(char::is_control, "\u{fffd}");
    }
    text
}

/// One problem of a policy. A policy that can't be compiled yields all of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, as in `spec.jwt.providers[0].issuer`; empty for the document itself.
    pub path: String,
    /// What stands there. Never a token, never a private key.
    pub found: String,
    /// What was expected instead.
    pub expected: String,
    /// How to mend it, where that is not plain.
    pub hint: Option<String>,
}

impl ConfigError {
    pub(crate) fn new(
        path: impl fmt::Display,
        found: impl Into<Words>,
        expected: impl Into<Words>,
    ) -> Self {
        Self::made(&path, found.into(), expected.into())
    }

    // One copy of the code for the many places that report a problem.
    #[inline(never)]
    fn made(path: &dyn fmt::Display, found: Words, expected: Words) -> Self {
        #[cfg(test)]
        tests::MADE.set(tests::MADE.get() + 1);
        Self {
            path: plain(path.to_string()),
            found: plain(found.into_owned()),
            expected: plain(expected.into_owned()),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<Words>) -> Self {
        self.hint = Some(hint.into().into_owned());
        self
    }
}

/// The problems found so far: the first ones in words, the others counted. A document with more has one cause, and the worker that reads it has other work.
#[derive(Debug)]
pub(crate) struct Problems {
    told: Vec<ConfigError>,
    more: usize,
    /// How many are told.
    most: usize,
}

/// How many problems are told one by one.
const MOST_PROBLEMS: usize = 50;

impl Default for Problems {
    fn default() -> Self {
        Self {
            told: Vec::new(),
            more: 0,
            most: MOST_PROBLEMS,
        }
    }
}

impl Problems {
    /// An empty list for problems that this one may take over: it tells as many as there is room for here.
    pub fn beside(&self) -> Self {
        Self {
            most: self.most.saturating_sub(self.told.len()),
            ..Self::default()
        }
    }

    pub fn push(&mut self, problem: ConfigError) {
        if !self.passes_over() {
            self.told.push(problem);
        }
    }

    /// Counts a problem that would not be told, so that nobody puts it in words; false where it is to be told.
    pub fn passes_over(&mut self) -> bool {
        let full = self.told.len() >= self.most;
        self.more += usize::from(full);
        full
    }

    /// Takes over the problems of another list.
    pub fn append(&mut self, other: Self) {
        self.more += other.more;
        for problem in other.told {
            self.push(problem);
        }
    }

    /// Takes back one that was told.
    pub fn remove(&mut self, index: usize) {
        if self.told.get(index).is_some() {
            self.told.remove(index);
        }
    }

    /// How many there are, and the place in the list of the next one that is told.
    pub fn count(&self) -> usize {
        self.told.len() + self.more
    }

    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The list; what was only counted is its last entry.
    pub fn into_told(mut self) -> Vec<ConfigError> {
        if self.more > 0 {
            let found = format!("{} more problems", self.more);
            self.told.push(ConfigError::new("", found, "none"));
        }
        self.told
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;
    use std::fmt::Write as _;

    use crate::{Key, Policy, Verdict, Verify};

    thread_local! {
        /// How many problems were put in words.
        pub static MADE: Cell<usize> = const { Cell::new(0) };
    }

    struct Nobody;

    impl Verify for Nobody {
        fn verify(&self, _: &Key, _: &[u8], _: &[u8]) -> Verdict {
            Verdict::Unavailable
        }
        fn usable(&self, _: &Key) -> bool {
            true
        }
    }

    /// The work that a document with 20,000 mistakes of one kind makes: 50 are told and one line counts the others.
    #[test]
    fn a_worker_puts_fifty_problems_in_words_and_counts_the_others() {
        let many =
            |item: &dyn Fn(usize) -> String| (0..20_000).map(item).collect::<Vec<_>>().join(",");
        let block = |n: usize| format!("\"10.{}.{}.0/24\"", n / 250, n % 250);
        let provider =
            r#""jwt":{"otherwise":"Deny","providers":[{"name":"a","issuer":"a","anyAudience":true"#;
        for (what, spec) in [
            (
                "unknown fields",
                format!(
                    r#""forwarded":{{"trust":{{"hops":1}},{}}}"#,
                    many(&|n| format!(r#""limit{n}":1"#))
                ),
            ),
            (
                "a field again",
                format!(
                    r#""forwarded":{{"trust":{{"hops":1}},{}}}"#,
                    many(&|_| r#""mode":"Strict""#.to_owned())
                ),
            ),
            (
                "allowed and denied",
                format!(
                    r#""forwarded":{{"trust":{{"hops":1}},"allow":[{0}],"deny":[{0}]}}"#,
                    many(&block)
                ),
            ),
            (
                "no blocks",
                format!(
                    r#""forwarded":{{"trust":{{"hops":1}},"allow":[{}]}}"#,
                    many(&|n| n.to_string())
                ),
            ),
            (
                "no algorithms",
                format!(
                    r#"{provider},"jwks":{{"keys":[]}},"algorithms":[{}]}}]}}"#,
                    many(&|n| format!("\"RS25{n}\""))
                ),
            ),
            (
                "bad keys",
                format!(
                    r#"{provider},"jwks":{{"keys":[{}]}}}}]}}"#,
                    many(&|_| "7".to_owned())
                ),
            ),
            (
                "headers again",
                format!(
                    r#"{provider},"jwks":{{"keys":[]}},"claimsToHeaders":[{}]}}]}}"#,
                    many(&|_| r#"{"claim":"a","header":"b"}"#.to_owned())
                ),
            ),
        ] {
            let mut document = String::new();
            write!(
                document,
                r#"{{"apiVersion":"{}","spec":{{{spec}}}}}"#,
                crate::API_VERSION
            )
            .unwrap();
            MADE.set(0);
            crate::spec::read::tests::COMPARED.set(0);
            let told = Policy::from_json(document.as_bytes(), &Nobody).unwrap_err();
            assert!(told.len() <= 51, "{what}: {}", told.len());
            assert!(
                told.len() == 51 || what == "headers again",
                "{what}: {told:?}"
            );
            assert!(MADE.get() <= 110, "{what}: {} put in words", MADE.get());
            assert!(
                crate::spec::read::tests::COMPARED.get() <= 50,
                "{what}: {} compared",
                crate::spec::read::tests::COMPARED.get()
            );
        }
    }

    /// Names and key ids are others' texts: a line break in one is no line of the log, and what stands in the wrong place may be a secret.
    #[test]
    fn messages_hold_no_line_breaks_and_no_secrets() {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln";
        for spec in [
            r#"{"x\n[critical] header policy 00 runs":1}"#.to_owned(),
            r#"{"jwt":{"providers":[{"name":"a\nb"},{"name":"a\nb"}],"otherwise":"Deny"}}"#
                .to_owned(),
            format!(
                r#"{{"forwarded":{{"limits":{{"bytes":"{token}"}},"trust":{{"hops":"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF"}}}}}}"#
            ),
            format!(r#"{{"{token}":1,"revision":{{}}}}"#),
            format!(r#"{{"replies":{{"body":"{token}","{token}":1,"{token}":1}}}}"#),
            // The start of a private key's base64, and what cloud providers make as client secrets.
            r#"{"mode":"MIIEvQIBADANBgkqhkiG9w0BAQ"}"#.to_owned(),
            r#"{"mode":"Kx8Q~MIIEh4TqPz0aVbYw2RcXuD5nG7sLeJfOk"}"#.to_owned(),
        ] {
            let document = format!(r#"{{"apiVersion":"{}","spec":{spec}}}"#, crate::API_VERSION);
            for problem in Policy::from_json(document.as_bytes(), &Nobody).unwrap_err() {
                let line = problem.to_string();
                assert!(!line.contains(char::is_control), "{line:?}");
                assert!(!line.contains("eyJ") && !line.contains("MIIE"), "{line:?}");
            }
        }
    }
}
