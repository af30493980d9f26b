//! A rule, compiled.

use std::ops::Range;

use super::{HostPattern, MethodPattern, PathPattern, RequestKey};
use crate::spec::{Access, Rule};

/// A rule, compiled: names became bits.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub name: Option<String>,
    hosts: Vec<HostPattern>,
    paths: Vec<PathPattern>,
    methods: Vec<MethodPattern>,
    pub terms: Terms,
}

/// What a rule asks for.
#[derive(Debug)]
pub(crate) struct Terms {
    pub access: Access,
    /// A bit for each provider whose tokens count.
    pub providers: u64,
    /// A bit for each place to look for tokens.
    pub places: u64,
    /// Places of its claim tests among those of the policy.
    pub claims: Range<usize>,
    pub shadow: bool,
}

impl Terms {
    /// Of nobody's tokens, in no place.
    pub fn of(access: Access) -> Self {
        Self {
            access,
            providers: 0,
            places: 0,
            claims: 0..0,
            shadow: false,
        }
    }
}

impl CompiledRule {
    pub fn new(rule: Rule, terms: Terms) -> Self {
        Self {
            name: rule.name,
            hosts: rule.hosts,
            paths: rule.paths,
            methods: rule.methods,
            terms,
        }
    }

    /// Whether hosts, paths and methods all match; a list that is not there matches anything.
    pub fn matches(&self, key: &RequestKey<'_>) -> bool {
        any(&self.methods, key.method.as_ref(), |pattern, method| {
            pattern.matches(*method)
        }) && any(&self.paths, key.path.as_ref(), PathPattern::matches)
            && any(&self.hosts, key.host.as_ref(), |pattern, host| {
                pattern.matches(*host)
            })
    }

    /// A host for each of its host patterns, or for "any", which nothing narrower matches; the same of paths and methods.
    #[cfg(feature = "findings")]
    pub fn samples(&self) -> [Vec<Vec<u8>>; 3] {
        fn each<P>(patterns: &[P], sample: impl Fn(&P) -> Vec<u8>) -> Vec<Vec<u8>> {
            if patterns.is_empty() {
                return vec![super::NOBODYS.to_vec()];
            }
            patterns.iter().map(sample).collect()
        }
        [
            each(&self.hosts, HostPattern::sample),
            each(&self.paths, PathPattern::sample),
            each(&self.methods, MethodPattern::sample),
        ]
    }

    /// Keys of which a request has at least one when a path of this rule matches it, each with the number of bytes it is made of; `None` when any path may.
    pub fn path_keys(&self) -> Option<Vec<(u64, usize)>> {
        let keys: Vec<_> = self
            .paths
            .iter()
            .map(PathPattern::key)
            .collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(keys)
    }

    /// As [`Self::path_keys`], of hosts.
    pub fn host_keys(&self) -> Option<Vec<(u64, usize)>> {
        (!self.hosts.is_empty()).then(|| self.hosts.iter().map(HostPattern::key).collect())
    }

    pub fn looks_at_methods(&self) -> bool {
        !self.methods.is_empty()
    }

    pub fn looks_at_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    pub fn looks_at_paths(&self) -> bool {
        !self.paths.is_empty()
    }
}

/// Whether one of the patterns matches. A part that was not read, or is ambiguous, matches no pattern.
fn any<P, T>(patterns: &[P], part: Option<&T>, matches: impl Fn(&P, &T) -> bool) -> bool {
    patterns.is_empty()
        || part.is_some_and(|part| patterns.iter().any(|pattern| matches(pattern, part)))
}
