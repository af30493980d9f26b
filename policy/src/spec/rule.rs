//! `spec.jwt.rules`, as written.

use serde_json::{Number, json};

use crate::caller::Json;
use crate::matching::{HostPattern, MethodPattern, PathPattern};
use crate::spec::describe::{Definitions, Described};
use crate::spec::kind::{Kind, List, Name, NonEmpty, object};
use crate::spec::read::{Fields, LARGEST_INTEGER, Node};
use crate::spec::{Access, Claim, Mode};

object! {
    /// What a request must bring.
    RuleFields for Rule -> Rule {
        /// A name of its own. It stands in traces, where without it the rule's place in the list does.
        "name" name: optional Name;
        /// Without the field any host: `shop.example.com`, `*.example.com` (not the bare domain), `[2001:db8::1]`. Compared without case and port.
        "hosts" hosts: optional NonEmpty<HostPattern>;
        /// Without the field any path: `/exact` (and `/exact/`), `/tree/*` (`/tree` and all below), `*`. Compared without the query.
        "paths" paths: optional NonEmpty<PathPattern>;
        /// Without the field any method: in upper case, and `GET` means `HEAD` too.
        "methods" methods: optional NonEmpty<MethodPattern>;
        /// What is asked for.
        "access" access: required Access;
        /// Whose tokens count; without the field those of all providers. Places that only other providers use are not looked at, and what stands there goes on.
        "providers" providers: optional NonEmpty<Name>;
        /// What must hold for a verified token, all of it. Only with `Require` and `Optional`.
        "claims" claims: optional List<ClaimTest>;
        /// Whether the rule acts or only counts.
        "mode" mode: default Mode = Mode::Enforce;
    }
}

object! {
    /// A condition on a claim: either `equals` or `contains`.
    ClaimTestFields for ClaimTest -> ClaimTest {
        /// The claim: its name, or the names on the way to it.
        "claim" claim: required Claim;
        /// What the claim must be.
        "equals" equals: optional Scalar;
        /// What must be an item of the claim's list, or a word of its space-separated text.
        "contains" contains: optional Scalar;
        one of "equals" "contains";
    }
}

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

impl Rule {
    fn build(given: RuleFields, mut fields: Fields<'_, '_>) -> Option<Self> {
        let name = given.name.value;
        if name.as_deref() == Some("otherwise") {
            fields.problem(
                "name",
                "`otherwise`",
                "another name: this one means that no rule matched",
            );
        }
        let access = given.access.value;
        let providers = given.providers.value.unwrap_or_default();
        let claims = given.claims.value.unwrap_or_default();
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
        let whole = fields.finish()
            && given.hosts.is_whole
            && given.paths.is_whole
            && given.methods.is_whole;
        Some(Self {
            name,
            hosts: given.hosts.value.unwrap_or_default(),
            paths: given.paths.value.unwrap_or_default(),
            methods: given.methods.value.unwrap_or_default(),
            access: access?,
            providers,
            claims,
            shadow: given.mode.value == Mode::Shadow,
            whole,
        })
    }
}

impl Kind for HostPattern {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        let expected =
            "a host name without a port, `*.` and a domain, or an IPv6 address in brackets";
        node.parsed(expected, None, Self::parse)
    }

    fn describe(definitions: &mut Definitions) -> Described {
        definitions.named(
            "Host",
            "`shop.example.com`, or `*.example.com` for all hosts below a domain.",
            json!({"type": "string", "pattern": r"^(\*\.)?[A-Za-z0-9._\[\]:-]+$"}),
            "host",
        )
    }
}

/// What a path is made of.
pub(super) const PATHS: &str = "a path starts with `/`, has no query, parameters, dot segments, double slashes or escapes of escapes, and escapes what is no printable ASCII";

impl Kind for PathPattern {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        node.parsed("`/exact`, `/tree/*` or `*`", Some(PATHS), Self::parse)
    }

    fn describe(definitions: &mut Definitions) -> Described {
        definitions.named(
            "PathPattern",
            "`/exact`, `/tree/*` (`/tree` and all below) or `*`.",
            json!({"type": "string", "pattern": r##"^(\*|/([!-"$-)+->@-~]*/)?\*|/[!-"$-)+->@-~]*)$"##}),
            "path",
        )
    }
}

impl Kind for MethodPattern {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        node.parsed("a method in upper case, as in `GET`", None, Self::parse)
    }

    fn describe(definitions: &mut Definitions) -> Described {
        definitions.named(
            "Method",
            "A method, as in `GET`.",
            json!({"type": "string", "pattern": "^[A-Z-]+$"}),
            "method",
        )
    }
}

impl ClaimTest {
    fn build(given: ClaimTestFields, mut fields: Fields<'_, '_>) -> Option<Self> {
        let (claim, equals, contains) =
            (given.claim.value, given.equals.value, given.contains.value);
        if contains == Some(Scalar::Text(String::new())) {
            fields.problem(
                "contains",
                "an empty text",
                "what the list or text must hold",
            );
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

impl Kind for Scalar {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        let expected = "a text, a number, `true` or `false`";
        if node.is_text() {
            return node.parsed(expected, None, |text| Some(Self::Text(text.to_owned())));
        }
        match Json::parse(node.raw.get()) {
            Some(Json::Bool(value)) => Some(Self::Bool(value)),
            Some(Json::Number(number)) => match exact(&number) {
                Some(number) => Some(Self::Number(number)),
                None => node.refuse_with(
                    "a number of at most 2^53",
                    "larger integers change on their way to the proxy",
                ),
            },
            _ => node.refuse(expected),
        }
    }

    fn describe(definitions: &mut Definitions) -> Described {
        definitions.named(
            "Scalar",
            "A text, a number of at most 2^53, or a truth value.",
            json!({"anyOf": [
                {"type": "string"},
                {"type": "boolean"},
                {"type": "number", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
            ]}),
            "text, number, `true`, `false`",
        )
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
