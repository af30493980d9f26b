//! Finds the first rule that matches a request without asking every rule.
//!
//! Each rule is filed under hashes of what a request must have to match it: one of its paths, or one of its hosts. A request looks up its own path, the folders
//! above it, its host and the domains above that, and asks only the rules it finds there. A hash never decides: the rule itself says whether it matches.

use crate::rules::{CompiledRule, Target};
use crate::sorted::sorted;

/// Rules by what they look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleIndex {
    /// Key and place of a rule, sorted.
    filed: Vec<(u64, usize)>,
    /// The rules that any path and host could match, in their order.
    unfiled: Vec<usize>,
    paths: bool,
    hosts: bool,
}

/// What a key stands for; hashed with it.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// This path.
    Path,
    /// This path and all below.
    Tree,
    /// This host, its bytes from the right.
    Host,
    /// All hosts that end so, its bytes from the right.
    Domain,
}

/// FNV-1a: byte by byte, so that one walk over a path gives the hashes of all folders above it.
#[derive(Clone, Copy)]
pub(crate) struct Key(u64);

impl Key {
    const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    fn and(self, byte: u8) -> Self {
        Self((self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    }

    fn of(self, kind: Kind) -> u64 {
        self.and(kind as u8).0
    }

    /// The key of a whole text.
    pub fn whole(kind: Kind, bytes: impl Iterator<Item = u8>) -> u64 {
        bytes.fold(Self::EMPTY, Self::and).of(kind)
    }
}

impl RuleIndex {
    pub fn new(rules: &[CompiledRule]) -> Self {
        let by_path: Vec<_> = rules.iter().map(CompiledRule::path_keys).collect();
        let by_host: Vec<_> = rules.iter().map(CompiledRule::host_keys).collect();
        let all = sorted(
            by_path
                .iter()
                .chain(&by_host)
                .flatten()
                .flatten()
                .copied()
                .collect(),
        );
        // A path that a thousand hosts share tells less than the host does.
        let crowd = |keys: &Option<Vec<u64>>| {
            let crowds = keys
                .iter()
                .flatten()
                .map(|key| equal(&all, |other| other.cmp(key)).len());
            crowds.max().unwrap_or(usize::MAX)
        };
        let mut index = Self::default();
        for (place, (paths, hosts)) in by_path.into_iter().zip(by_host).enumerate() {
            let chosen = if crowd(&paths) <= crowd(&hosts) {
                (paths, true)
            } else {
                (hosts, false)
            };
            match chosen {
                (Some(keys), path) => {
                    index.paths |= path;
                    index.hosts |= !path;
                    index.filed.extend(keys.into_iter().map(|key| (key, place)));
                }
                (None, _) => index.unfiled.push(place),
            }
        }
        index.filed = sorted(index.filed);
        index
    }

    /// The place of the first rule that matches.
    pub fn first(&self, rules: &[CompiledRule], target: &Target<'_>) -> Option<usize> {
        let matches = |place: usize| rules.get(place).is_some_and(|rule| rule.matches(target));
        let mut first = self.unfiled.iter().copied().find(|place| matches(*place));
        let mut ask = |key: u64| {
            for (_, place) in equal(&self.filed, |(other, _)| other.cmp(&key)) {
                if first.is_some_and(|first| first <= *place) {
                    break;
                }
                if matches(*place) {
                    first = Some(*place);
                }
            }
        };
        if self.paths {
            let mut key = Key::EMPTY;
            for byte in &*target.path {
                if *byte == b'/' {
                    ask(key.of(Kind::Tree));
                }
                key = key.and(*byte);
            }
            ask(key.of(Kind::Tree));
            ask(key.of(Kind::Path));
        }
        if self.hosts {
            let mut key = Key::EMPTY;
            for byte in target.host.iter().rev() {
                key = key.and(byte.to_ascii_lowercase());
                if *byte == b'.' {
                    ask(key.of(Kind::Domain));
                }
            }
            ask(key.of(Kind::Host));
        }
        first
    }
}

/// The items of a sorted list that are equal to what is looked for.
fn equal<T>(items: &[T], order: impl Fn(&T) -> std::cmp::Ordering) -> &[T] {
    let start = items.partition_point(|item| order(item).is_lt());
    let items = items.get(start..).unwrap_or_default();
    let count = items.partition_point(|item| order(item).is_eq());
    items.get(..count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Access, Rule};
    use crate::rules::Terms;
    use proptest::prelude::*;

    const PATHS: [&str; 8] = ["/", "/*", "/a", "/a/*", "/a/b", "/a/b/*", "*", "/b/*"];
    const HOSTS: [&str; 6] = [
        "x.example",
        "*.example",
        "y.x.example",
        "*.x.example",
        "z",
        "[::1]",
    ];
    const METHODS: [&str; 2] = ["GET", "PUT"];

    fn rule(paths: Vec<usize>, hosts: Vec<usize>, methods: Vec<usize>) -> CompiledRule {
        let named = |names: &[&str], chosen: Vec<usize>| {
            chosen.into_iter().map(|at| names[at].to_owned()).collect()
        };
        let rule = Rule {
            name: None,
            hosts: named(&HOSTS, hosts),
            paths: named(&PATHS, paths),
            methods: named(&METHODS, methods),
            access: Access::Open,
            providers: Vec::new(),
            claims: Vec::new(),
            shadow: false,
        };
        let terms = Terms {
            access: Access::Open,
            providers: 0,
            places: 0,
            claims: Vec::new(),
            shadow: false,
        };
        CompiledRule::new(&rule, terms)
    }

    fn some(of: usize) -> impl Strategy<Value = Vec<usize>> {
        proptest::collection::vec(0..of, 0..3)
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_search_through_all_rules_finds(
            rules in proptest::collection::vec((some(PATHS.len()), some(HOSTS.len()), some(2)), 0..12),
            path in prop::sample::select(&["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b", "", "a", "*", "//"][..]),
            host in prop::sample::select(&["x.example", "X.EXAMPLE", "y.x.example", "w.y.x.example", "example", ".example", "z", "[::1]", ""][..]),
            method in prop::sample::select(&["GET", "PUT", "POST"][..]),
        ) {
            let rules: Vec<CompiledRule> = rules.into_iter().map(|(p, h, m)| rule(p, h, m)).collect();
            let target = Target { host: host.as_bytes(), method: method.as_bytes(), path: path.as_bytes().into() };
            let slow = rules.iter().position(|rule| rule.matches(&target));
            prop_assert_eq!(RuleIndex::new(&rules).first(&rules, &target), slow);
        }
    }

    #[test]
    fn a_path_that_all_rules_share_is_not_what_they_are_filed_under() {
        let rules: Vec<CompiledRule> = (0..3)
            .map(|host| rule(vec![1], vec![host], vec![]))
            .collect();
        let index = RuleIndex::new(&rules);
        assert!(index.hosts && !index.paths && index.unfiled.is_empty());
    }
}
