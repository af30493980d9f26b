//! `spec.jwt.rules`, as written.

use serde_json::Number;

use super::jwt::{named, names};
use crate::caller::Json;
use crate::matching::{HostPattern, MethodPattern, PathPattern};
use crate::spec::read::{Fields, LARGEST_INTEGER, Node, Read};
use crate::spec::{Access, Claim};

pub(crate) struct Rule {
    pub name: Option<String>,
    pub hosts: Vec<HostPattern>,
    pub paths: Vec<PathPattern>,
    pub methods: Vec<MethodPattern>,
    pub access: Access,
    /// Names; empty: every provider.
    pub providers: Vec<String>,
    pub claims: Vec<ClaimTest>,
    pub shadow: bool,
    /// Whether hosts, paths and methods could be read; else nobody knows what the rule matches.
    pub whole: bool,
}

/// A condition on a verified claim.
#[derive(Clone, Debug)]
pub(crate) enum ClaimTest {
    Equals(Claim, Scalar),
    Contains(Claim, Scalar),
}

/// A value that a claim can be compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Bool(bool),
    Number(Number),
}

impl Read for Rule {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let name = fields.with("name", named);
        if name.as_deref() == Some("otherwise") {
            fields.problem(
                "name",
                "`otherwise`",
                "another name: this one means that no rule matched",
            );
        }
        let before = fields.problems.count();
        let hosts = fields.filled("hosts");
        let paths = fields.filled("paths");
        let methods = fields.filled("methods");
        let lists = fields.problems.count() == before;
        let access = fields.required("access");
        let providers = names(fields.filled("providers"));
        let claims: Vec<ClaimTest> = fields.optional("claims").unwrap_or_default();
        let shadow = fields.with("mode", super::shadow_mode).unwrap_or(false);
        if matches!(access, Some(Access::Open | Access::Deny)) {
            for (name, set) in [
                ("claims", !claims.is_empty()),
                ("providers", !providers.is_empty()),
            ] {
                if set {
                    fields.problem(
                        name,
                        "a condition on tokens",
                        "none, since `access` does not look at tokens",
                    );
                }
            }
        }
        // An unknown field may be a slip of one of the lists.
        let read = fields.problems.count();
        let whole = lists && fields.finish() == read;
        Some(Self {
            name,
            hosts,
            paths,
            methods,
            access: access?,
            providers,
            claims,
            shadow,
            whole,
        })
    }
}

impl Read for HostPattern {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        match node.text().as_deref().and_then(Self::parse) {
            Some(pattern) => Some(pattern),
            None => node.refuse(
                "a host name without a port, `*.` and a domain, or an IPv6 address in brackets",
            ),
        }
    }
}

/// What a path is made of.
pub(super) const PATHS: &str = "a path starts with `/`, has no query, parameters, dot segments, double slashes or escapes of escapes, and escapes what is no printable ASCII";

impl Read for PathPattern {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        match node.text().as_deref().and_then(Self::parse) {
            Some(pattern) => Some(pattern),
            None => node.refuse_with("`/exact`, `/tree/*` or `*`", PATHS),
        }
    }
}

impl Read for MethodPattern {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        match node.text().as_deref().and_then(Self::parse) {
            Some(pattern) => Some(pattern),
            None => node.refuse("a method in upper case, as in `GET`"),
        }
    }
}

impl Read for ClaimTest {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let claim = fields.required("claim");
        let tests = (fields.has("equals"), fields.has("contains"));
        let equals = fields.optional("equals");
        let contains = fields.optional("contains");
        if contains == Some(Scalar::Text(String::new())) {
            fields.problem(
                "contains",
                "an empty text",
                "what the list or text must hold",
            );
        }
        if tests.0 == tests.1 {
            if tests.0 {
                fields.problem("equals", "`equals` and `contains`", "one of them");
            } else {
                fields.absent(
                    &["equals", "contains"],
                    "neither `equals` nor `contains`",
                    "one of them",
                    None,
                );
            }
        }
        fields.finish();
        match (equals, contains) {
            (Some(value), None) => Some(Self::Equals(claim?, value)),
            (None, Some(Scalar::Text(text))) if text.is_empty() => None,
            (None, Some(value)) => Some(Self::Contains(claim?, value)),
            _ => None,
        }
    }
}

impl Read for Scalar {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        if node.is_text() {
            return node.text().map(Self::Text);
        }
        match Json::parse(node.raw.get().as_bytes()) {
            Some(Json::Bool(value)) => Some(Self::Bool(value)),
            Some(Json::Number(number)) => match exact(&number) {
                Some(number) => Some(Self::Number(number)),
                None => node.refuse_with(
                    "a number of at most 2^53",
                    "larger integers change on their way to the proxy",
                ),
            },
            _ => node.refuse("a text, a number, `true` or `false`"),
        }
    }
}

/// A number that a double keeps, in one form however it was spelled: `1.0` is `1`.
fn exact(number: &Number) -> Option<Number> {
    let double = number
        .as_f64()
        .filter(|double| double.abs() <= LARGEST_INTEGER)?;
    match number.as_i64() {
        Some(whole) => (whole.unsigned_abs() <= LARGEST_INTEGER as u64).then(|| whole.into()),
        None if double.fract() == 0.0 => Some((double as i64).into()),
        None => Some(number.clone()),
    }
}
