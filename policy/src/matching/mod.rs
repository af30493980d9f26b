//! Which rule? A request's method, host and path, each in one normal form, and the rules that are compared with them.
//!
//! A proxy, the router behind it and the server behind that may read one request in different ways. A request that the proxy routes to `/admin` and that a rule for
//! `/admin` does not match would meet a weaker rule. So each part of a request is parsed once, into *normal* or *ambiguous*. Rules and index see normal forms only, and
//! what is ambiguous is refused where any enforced rule of the policy looks at that part.

mod claims;
mod host;
mod index;
mod method;
mod path;
mod rule;
#[cfg(feature = "findings")]
mod unreachable;

pub(crate) use claims::holds;
pub(crate) use host::HostPattern;
pub(crate) use method::MethodPattern;
pub(crate) use path::{Path, PathPattern};
pub(crate) use rule::{CompiledRule, Terms};
#[cfg(feature = "findings")]
pub(crate) use unreachable::unreachable;

use crate::headers::same_header;
use crate::reason::Reason;
use crate::request::Request;
use crate::spec::AmbiguousPath;
use host::Host;
use index::RuleIndex;
use method::Method;

/// What two readers could take for two different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// A text that no pattern names: NUL is ambiguous in a path, and in no host and no method.
#[cfg(feature = "findings")]
const NOBODYS: &[u8] = b"\0";

/// The rules of a policy, compiled.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<CompiledRule>,
    index: RuleIndex,
    looks: Looks,
    /// Which parts of a request an enforced rule looks at: there, what is ambiguous refuses.
    refuses: Looks,
    ambiguous_path: AmbiguousPath,
}

/// Which parts of a request any rule looks at. The others are not parsed, and nothing about them is refused.
#[derive(Clone, Copy, Debug)]
struct Looks {
    method: bool,
    host: bool,
    path: bool,
}

impl Looks {
    fn of<'r>(rules: impl Iterator<Item = &'r CompiledRule> + Clone) -> Self {
        Self {
            method: rules.clone().any(CompiledRule::looks_at_methods),
            host: rules.clone().any(CompiledRule::looks_at_hosts),
            path: rules.clone().any(CompiledRule::looks_at_paths),
        }
    }
}

/// Which rule decides.
#[derive(Debug)]
pub(crate) struct Match<'p> {
    /// The first rule that matches, and its place.
    pub rule: Option<(usize, &'p CompiledRule)>,
    /// The request is ambiguous where only rules in shadow look. They matched nothing; enforced, they would have refused for this.
    pub shadow: Option<Reason>,
}

/// Headers by which some frameworks replace the method, then those for the path, after the proxy judged them: the names of Google, Microsoft and IBM, which Express'
/// method-override lists; then those of IIS' URL Rewrite, which Symfony and Zend read too (CVE-2018-14773).
const OVERRIDES: [&str; 5] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// Whether a header replaces the method or the path, in any spelling.
#[cfg(feature = "findings")]
pub(crate) fn is_override(name: &str) -> bool {
    OVERRIDES
        .iter()
        .any(|known| same_header(name.as_bytes(), known))
}

/// Whether a header asks frameworks for another method, in any spelling.
pub(crate) fn replaces_method(request: &Request<'_>) -> bool {
    let methods = OVERRIDES.split_at(3).0;
    request
        .headers
        .of_lengths(u64::MAX)
        .iter()
        .any(|(name, _)| methods.iter().any(|known| same_header(name, known)))
}

/// A request as rules see it. A part is `None` where no rule looks at it, or where it is ambiguous and only rules in shadow look at it.
#[derive(Debug)]
pub(crate) struct RequestKey<'r> {
    pub method: Option<Method<'r>>,
    pub host: Option<Host<'r>>,
    pub path: Option<Path<'r>>,
}

impl Rules {
    pub fn new(rules: Vec<CompiledRule>, ambiguous_path: AmbiguousPath) -> Self {
        Self {
            index: RuleIndex::new(&rules),
            looks: Looks::of(rules.iter()),
            refuses: Looks::of(rules.iter().filter(|rule| !rule.terms.shadow)),
            ambiguous_path,
            rules,
        }
    }

    /// Finds the rule that decides about a request.
    ///
    /// # Errors
    /// A part of the request that an enforced rule looks at is ambiguous.
    pub fn find(&self, request: &Request<'_>) -> Result<Match<'_>, Reason> {
        let mut shadow = None;
        let key = self.key(request, &mut shadow)?;
        let place = self.index.first(&self.rules, &key);
        Ok(Match {
            rule: place.and_then(|place| Some((place, self.rules.get(place)?))),
            shadow,
        })
    }

    fn key<'r>(
        &self,
        request: &Request<'r>,
        shadow: &mut Option<Reason>,
    ) -> Result<RequestKey<'r>, Reason> {
        let (mut method, mut host, mut path) = (None, None, None);
        if self.looks.method {
            let text = request.first(":method").unwrap_or_default();
            let parsed = Method::parse(text);
            method = normal(parsed, Reason::MethodAmbiguous, self.refuses.method, shadow)?;
        }
        if self.looks.host {
            let authority = request
                .first(":authority")
                .or_else(|| request.first("host"))
                .unwrap_or_default();
            let parsed = Host::parse(authority);
            host = normal(parsed, Reason::HostAmbiguous, self.refuses.host, shadow)?;
        }
        if self.looks.path {
            let target = request.first(":path").unwrap_or_default();
            let parsed = match self.ambiguous_path {
                AmbiguousPath::Reject => Path::parse(target),
                AmbiguousPath::Allow => Ok(Path::as_it_stands(target)),
            };
            path = normal(parsed, Reason::PathAmbiguous, self.refuses.path, shadow)?;
        }
        Ok(RequestKey { method, host, path })
    }

    /// The name of a rule.
    pub fn name(&self, place: usize) -> Option<&str> {
        self.rules.get(place)?.name.as_deref()
    }

    /// Headers that would tell the next hop another method or path than the one that was judged. They are removed from every judged request.
    pub fn overrides(&self) -> &'static [&'static str] {
        let (methods, paths) = OVERRIDES.split_at(3);
        match (self.looks.method, self.looks.path) {
            (true, true) => &OVERRIDES,
            (true, false) => methods,
            (false, true) => paths,
            (false, false) => &[],
        }
    }
}

/// A part of a request, unless it is ambiguous: that refuses the request, or counts for the rules in shadow that look there, which then don't match.
fn normal<T>(
    parsed: Result<T, Ambiguous>,
    reason: Reason,
    refuses: bool,
    shadow: &mut Option<Reason>,
) -> Result<Option<T>, Reason> {
    match parsed {
        Ok(part) => Ok(Some(part)),
        Err(Ambiguous) if refuses => Err(reason),
        Err(Ambiguous) => {
            shadow.get_or_insert(reason);
            Ok(None)
        }
    }
}
