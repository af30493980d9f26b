//! Which rule judges a request, and whether verified claims satisfy it.

use crate::config::{Access, Claim, ClaimTest, Rule, Scalar};
use crate::jwt::{Claims, Json};
use crate::path::Path;
use crate::request::Request;
use crate::rule_index::{Key, Kind};

/// A rule, compiled: names became bits.
#[derive(Clone, Debug)]
pub(crate) struct CompiledRule {
    pub name: Option<String>,
    hosts: Vec<String>,
    paths: Vec<PathPattern>,
    methods: Vec<String>,
    pub terms: Terms,
}

/// What a rule asks for.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub access: Access,
    /// A bit for each provider whose tokens count.
    pub providers: u64,
    /// A bit for each place to look for tokens.
    pub places: u64,
    pub claims: Vec<ClaimTest>,
    pub shadow: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum PathPattern {
    Any,
    Exact(Vec<u8>),
    /// This path and all below it; without the slash at the end.
    Tree(Vec<u8>),
}

/// What rules look at, prepared once for all of them.
pub(crate) struct Target<'r> {
    pub host: &'r [u8],
    pub method: &'r [u8],
    pub path: std::borrow::Cow<'r, [u8]>,
}

impl<'r> Target<'r> {
    pub fn of(request: &Request<'r>) -> Self {
        let host = request
            .first(":authority")
            .or_else(|| request.first("host"))
            .unwrap_or_default();
        Self {
            host: bare_host(host),
            method: request.first(":method").unwrap_or_default(),
            path: Path::of(request.first(":path").unwrap_or_default()).normal(),
        }
    }
}

/// A host without its port and without the dot that ends a full name.
fn bare_host(authority: &[u8]) -> &[u8] {
    let colon = authority.iter().rposition(|b| *b == b':');
    let host = match colon.and_then(|colon| authority.split_at_checked(colon)) {
        // In `[::1]` the last colon starts no port.
        Some((host, port))
            if port.iter().skip(1).all(u8::is_ascii_digit)
                && (!host.contains(&b':') || host.ends_with(b"]")) =>
        {
            host
        }
        _ => authority,
    };
    host.strip_suffix(b".").unwrap_or(host)
}

impl CompiledRule {
    pub fn new(rule: &Rule, terms: Terms) -> Self {
        Self {
            name: rule.name.clone(),
            hosts: rule.hosts.clone(),
            paths: rule
                .paths
                .iter()
                .map(|path| PathPattern::new(path))
                .collect(),
            methods: rule.methods.clone(),
            terms,
        }
    }

    /// Whether hosts, paths and methods all match; a list that is not there matches anything.
    pub fn matches(&self, target: &Target<'_>) -> bool {
        let any = |empty: bool, found: bool| empty || found;
        any(
            self.methods.is_empty(),
            self.methods
                .iter()
                .any(|method| method.as_bytes() == target.method),
        ) && any(
            self.paths.is_empty(),
            self.paths
                .iter()
                .any(|pattern| pattern.matches(&target.path)),
        ) && any(
            self.hosts.is_empty(),
            self.hosts
                .iter()
                .any(|pattern| host_matches(pattern, target.host)),
        )
    }

    /// Keys of which a request has at least one when a path of this rule matches it; `None` when any path may.
    pub fn path_keys(&self) -> Option<Vec<u64>> {
        let key = |pattern: &PathPattern| match pattern {
            PathPattern::Any => None,
            PathPattern::Exact(path) => Some(Key::whole(Kind::Path, path.iter().copied())),
            PathPattern::Tree(path) => Some(Key::whole(Kind::Tree, path.iter().copied())),
        };
        let keys: Vec<u64> = self.paths.iter().map(key).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(keys)
    }

    /// As [`Self::path_keys`], of hosts.
    pub fn host_keys(&self) -> Option<Vec<u64>> {
        let key = |pattern: &String| match pattern.strip_prefix('*') {
            None => Key::whole(Kind::Host, pattern.bytes().rev()),
            Some(domain) => Key::whole(Kind::Domain, domain.bytes().rev()),
        };
        (!self.hosts.is_empty()).then(|| self.hosts.iter().map(key).collect())
    }

    pub fn looks_at_paths(&self) -> bool {
        !self.paths.is_empty()
    }
}

/// `*.example.com` matches every host below the domain, at any depth, and not the domain itself.
fn host_matches(pattern: &str, host: &[u8]) -> bool {
    match pattern.strip_prefix('*') {
        None => host.eq_ignore_ascii_case(pattern.as_bytes()),
        Some(domain) => host
            .len()
            .checked_sub(domain.len())
            .filter(|left| *left > 0)
            .and_then(|left| host.get(left..))
            .is_some_and(|end| end.eq_ignore_ascii_case(domain.as_bytes())),
    }
}

impl PathPattern {
    pub fn new(pattern: &str) -> Self {
        let normal = |path: &str| Path::of(path.as_bytes()).normal().into_owned();
        match (pattern, pattern.strip_suffix("/*")) {
            ("*", _) => Self::Any,
            (_, Some(tree)) => Self::Tree(normal(tree)),
            (exact, None) => Self::Exact(normal(exact)),
        }
    }

    pub fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == path,
            Self::Tree(tree) => path
                .strip_prefix(tree.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")),
        }
    }
}

/// Whether verified claims satisfy a condition. A claim that is not there satisfies none.
pub(crate) fn holds(test: &ClaimTest, claims: &Claims) -> bool {
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

fn equals(claim: &Json, value: &Scalar) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_without_port_case_and_last_dot() {
        for (authority, host) in [
            ("a.b:80", "a.b"),
            ("A.b.", "A.b"),
            ("a.b.:80", "a.b"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("a:b", "a:b"),
            ("", ""),
        ] {
            assert_eq!(
                bare_host(authority.as_bytes()),
                host.as_bytes(),
                "{authority}"
            );
        }
        for (pattern, host, matches) in [
            ("example.com", "EXAMPLE.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.Example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "badexample.com", false),
        ] {
            assert_eq!(
                host_matches(pattern, host.as_bytes()),
                matches,
                "{pattern} {host}"
            );
        }
    }

    #[test]
    fn a_tree_is_its_root_and_all_below() {
        let tree = PathPattern::new("/a/*");
        for (path, matches) in [
            ("/a", true),
            ("/a/", true),
            ("/a/b", true),
            ("/ab", false),
            ("/", false),
        ] {
            assert_eq!(tree.matches(path.as_bytes()), matches, "{path}");
        }
        assert!(PathPattern::new("/*").matches(b"/x"));
    }
}
