//! Rules that can never decide, since earlier rules match all that they match.
//!
//! Each combination of a rule's host, path and method is asked as one request that nothing narrower matches: below a tree a segment that no pattern names, below a domain
//! such a label, for "any" what only "any" matches. Patterns are a text, all below one, or everything, so whatever matches that request matches the whole combination.
//! The index answers with the first rule that matches, as it does for a request.

use std::collections::BTreeSet;

use super::host::Host;
use super::method::Method;
use super::{CompiledRule, Path, RequestKey, Rules, Terms};
use crate::spec::{Access, AmbiguousPath, Rule};

/// A rule with more combinations than this is taken for one that can decide.
const MOST_COMBINATIONS: usize = 10_000;

/// The place of each rule that can never decide, with the places of those that do.
pub(crate) fn unreachable(rules: Vec<Rule>, ambiguous: AmbiguousPath) -> Vec<(usize, Vec<usize>)> {
    let compiled = rules
        .into_iter()
        .map(|rule| CompiledRule::new(rule, Terms::of(Access::Deny)));
    let rules = Rules::new(compiled.collect(), ambiguous);
    let all = rules.rules.iter().enumerate();
    all.filter_map(|(place, rule)| Some((place, deciding(&rules, place, rule)?)))
        .collect()
}

/// The earlier rules that decide each combination of a rule; `None` when none of them decides one.
fn deciding(rules: &Rules, place: usize, rule: &CompiledRule) -> Option<Vec<usize>> {
    let [hosts, paths, methods] = rule.samples();
    let combinations = hosts.len().saturating_mul(paths.len());
    if place == 0 || combinations.saturating_mul(methods.len()) > MOST_COMBINATIONS {
        return None;
    }
    let mut deciding = BTreeSet::new();
    for host in &hosts {
        for path in &paths {
            for method in &methods {
                let key = RequestKey {
                    method: Some(Method::sample(method)),
                    host: Some(Host::sample(host)),
                    path: Some(Path::sample(path)),
                };
                let first = rules.index.first(&rules.rules, &key);
                deciding.insert(first.filter(|first| *first < place)?);
            }
        }
    }
    Some(deciding.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::{HostPattern, MethodPattern, PathPattern};
    use proptest::prelude::*;

    const PATHS: [&str; 7] = ["/*", "/a", "/a/*", "/a/b", "/a/b/*", "*", "/b/*"];
    const HOSTS: [&str; 4] = ["x.example", "*.example", "*.x.example", "z"];
    const METHODS: [&str; 3] = ["GET", "HEAD", "PUT"];

    fn some(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
        proptest::collection::vec(proptest::sample::select(texts), 0..3)
    }

    fn rule(hosts: &[&str], paths: &[&str], methods: &[&str]) -> Rule {
        Rule {
            name: None,
            hosts: hosts
                .iter()
                .filter_map(|text| HostPattern::parse(text))
                .collect(),
            paths: paths
                .iter()
                .filter_map(|text| PathPattern::parse(text))
                .collect(),
            methods: methods
                .iter()
                .filter_map(|text| MethodPattern::parse(text))
                .collect(),
            access: Access::Open,
            providers: Vec::new(),
            claims: Vec::new(),
            shadow: false,
            whole: true,
        }
    }

    /// 73 × 137 is one more than 100 × 100.
    #[test]
    fn a_rule_with_too_many_combinations_is_not_looked_at() {
        for (hosts, paths, told) in [(100, 100, true), (73, 137, false)] {
            let named =
                |count: usize, name: fn(usize) -> String| (0..count).map(name).collect::<Vec<_>>();
            let (hosts, paths) = (
                named(hosts, |n| format!("h{n}.example")),
                named(paths, |n| format!("/p{n}")),
            );
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let rules = vec![rule(&[], &[], &[]), rule(&hosts, &paths, &[])];
            let found = unreachable(rules, AmbiguousPath::Reject);
            assert_eq!(found.iter().any(|(place, _)| *place == 1), told);
        }
    }

    proptest! {
        /// A rule is told exactly when it is the first to match no request of all these, which hold more segments, labels and methods than any pattern here.
        #[test]
        fn it_agrees_with_a_search_through_requests(lists in proptest::collection::vec((some(&HOSTS), some(&PATHS), some(&METHODS)), 1..5)) {
            let all = || lists.iter().map(|(hosts, paths, methods)| rule(hosts, paths, methods)).collect::<Vec<_>>();
            let mut decides = vec![false; lists.len()];
            let compiled: Vec<_> = all().into_iter().map(|rule| CompiledRule::new(rule, Terms::of(Access::Open))).collect();
            for host in ["x.example", "n.example", "n.x.example", "z", "n"] {
                for path in ["/", "/n", "/a", "/a/n", "/a/b", "/a/b/n", "/b", "/b/n", "*"] {
                    for method in ["GET", "HEAD", "PUT", "N"] {
                        let key = RequestKey {
                            method: Some(Method::sample(method.as_bytes())),
                            host: Some(Host::sample(host.as_bytes())),
                            path: Some(Path::sample(path.as_bytes())),
                        };
                        if let Some(first) = compiled.iter().position(|rule| rule.matches(&key)) {
                            decides[first] = true;
                        }
                    }
                }
            }
            let told: Vec<usize> = unreachable(all(), AmbiguousPath::Reject).into_iter().map(|(place, _)| place).collect();
            let never: Vec<usize> = decides.iter().enumerate().filter(|(_, decides)| !**decides).map(|(place, _)| place).collect();
            prop_assert_eq!(told, never);
        }
    }
}
