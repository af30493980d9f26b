//! `spec.jwt`, as written.

use std::time::Duration;

use serde_json::Number;

use crate::config::{HeaderName, leaves};
use crate::jwt::{Algorithm, Key, Verify, read_jwks};
use crate::read::{Fields, LARGEST_INTEGER, Node, Read, choice, whole};

pub(crate) struct Jwt {
    pub providers: Vec<Provider>,
    pub rules: Vec<Rule>,
    pub otherwise: Access,
    pub ambiguous_path: AmbiguousPath,
    pub preflight: Preflight,
}

#[derive(Debug)]
pub(crate) struct Provider {
    pub name: String,
    pub issuer: String,
    /// Empty: any audience will do.
    pub audiences: Vec<String>,
    pub subjects: Vec<String>,
    pub keys: Vec<Key>,
    pub locations: Vec<Location>,
    pub clock_skew: Duration,
    pub require_expiration: bool,
    pub max_lifetime: Option<Duration>,
    pub max_token_bytes: u32,
    pub types: Vec<String>,
    pub claims_to_headers: Vec<ClaimToHeader>,
    pub payload_header: Option<HeaderName>,
    pub token: TokenAfter,
}

/// Where a token may stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Location {
    /// A header's value after a prefix, which may be empty.
    Header {
        name: String,
        prefix: String,
    },
    Cookie(String),
    /// A parameter of the query.
    Param(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenAfter {
    Keep,
    Remove,
}

/// The name of a claim, or the names on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim(pub Vec<String>);

#[derive(Debug)]
pub(crate) struct ClaimToHeader {
    pub claim: Claim,
    pub header: HeaderName,
    pub encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Text,
    Json,
    Base64Url,
}

pub(crate) struct Rule {
    pub name: Option<String>,
    pub hosts: Vec<String>,
    pub paths: Vec<String>,
    pub methods: Vec<String>,
    pub access: Access,
    /// Names; empty: every provider.
    pub providers: Vec<String>,
    pub claims: Vec<ClaimTest>,
    pub shadow: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Require,
    Optional,
    Open,
    Deny,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AmbiguousPath {
    Reject,
    Allow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preflight {
    Pass,
    Judge,
}

impl Read for Jwt {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let providers: Option<Vec<Provider>> = fields.required("providers");
        if providers.as_ref().is_some_and(Vec::is_empty) {
            fields.problem("providers", "an empty list", "at least one provider");
        }
        let rules = fields.optional("rules").unwrap_or_default();
        let otherwise = if fields.has("otherwise") {
            fields.optional("otherwise")
        } else {
            fields
                .problem(
                    "otherwise",
                    "nothing",
                    "`Require`, `Optional`, `Open` or `Deny`, for requests that no rule matches",
                )
                .hint =
                Some("there is no default, so that nobody is let in by an omission".to_owned());
            None
        };
        let ambiguous_path = fields
            .with("ambiguousPath", |node| {
                choice(
                    node,
                    &[
                        ("Reject", AmbiguousPath::Reject),
                        ("Allow", AmbiguousPath::Allow),
                    ],
                )
            })
            .unwrap_or(AmbiguousPath::Reject);
        let preflight = fields
            .with("preflight", |node| {
                choice(
                    node,
                    &[("Pass", Preflight::Pass), ("Judge", Preflight::Judge)],
                )
            })
            .unwrap_or(Preflight::Pass);
        fields.finish();
        Some(Self {
            providers: providers?,
            rules,
            otherwise: otherwise?,
            ambiguous_path,
            preflight,
        })
    }
}

impl Read for Access {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        choice(
            node,
            &[
                ("Require", Self::Require),
                ("Optional", Self::Optional),
                ("Open", Self::Open),
                ("Deny", Self::Deny),
            ],
        )
    }
}

impl Read for Provider {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let name = fields.required_with("name", named);
        let issuer = fields.required_with("issuer", named);
        let (listed, any) = (fields.has("audiences"), fields.has("anyAudience"));
        let audiences = names(fields.filled("audiences"));
        let any = fields.optional("anyAudience").unwrap_or(any);
        if listed && any {
            fields.problem("anyAudience", "`true` beside `audiences`", "one of the two");
        } else if !listed && !any {
            let problem = fields.problem(
                "audiences",
                "nothing",
                "the audiences that tokens are made for",
            );
            problem.hint = Some("`anyAudience: true` takes every token of the issuer (RFC 8725 section 3.9 advises against it)".to_owned());
        }
        let subjects = names(fields.filled("subjects"));
        let algorithms = fields.filled::<Algorithm>("algorithms");
        let keys = fields.required_with("jwks", |node| read_jwks(node, &algorithms));
        let locations = locations(&mut fields);
        let clock_skew = fields
            .with("clockSkew", |node| leaves::duration(node, 0, 600))
            .unwrap_or(Duration::from_secs(60));
        let require_expiration = fields.optional("requireExpiration").unwrap_or(true);
        let max_lifetime = fields.with("maxLifetime", |node| {
            leaves::duration(node, 1, 3660 * 86400)
        });
        let max_token_bytes = fields
            .with("maxTokenBytes", |node| whole(node, 256, 65536))
            .unwrap_or(8192);
        let types = names(fields.filled("types"));
        let claims_to_headers = fields.optional("claimsToHeaders").unwrap_or_default();
        let payload_header = fields.optional("payloadHeader");
        let token = fields
            .with("token", |node| {
                choice(
                    node,
                    &[("Keep", TokenAfter::Keep), ("Remove", TokenAfter::Remove)],
                )
            })
            .unwrap_or(TokenAfter::Keep);
        fields.finish();
        Some(Self {
            name: name?,
            issuer: issuer?,
            audiences,
            subjects,
            keys: keys?,
            locations,
            clock_skew,
            require_expiration,
            max_lifetime,
            max_token_bytes,
            types: types.iter().map(|name| name.to_ascii_lowercase()).collect(),
            claims_to_headers,
            payload_header,
            token,
        })
    }
}

/// Reads the three lists of places; without any of them a token is a Bearer credential (RFC 6750 section 2.1).
fn locations(fields: &mut Fields<'_, '_>) -> Vec<Location> {
    let given = ["fromHeaders", "fromCookies", "fromParams"]
        .iter()
        .any(|name| fields.has(name));
    if !given {
        return vec![Location::Header {
            name: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
        }];
    }
    let headers = fields
        .filled::<FromHeader>("fromHeaders")
        .into_iter()
        .map(|from| from.0);
    let cookies = fields
        .filled::<Token>("fromCookies")
        .into_iter()
        .map(|name| Location::Cookie(name.0));
    let params = fields
        .filled::<Name>("fromParams")
        .into_iter()
        .map(|name| Location::Param(name.0));
    headers.chain(cookies).chain(params).collect()
}

/// The name of a cookie (RFC 6265 section 4.1.1).
struct Token(String);

impl Read for Token {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        match node.text().filter(|text| leaves::is_token(text)) {
            Some(text) => Some(Self(text)),
            None => node.refuse("the name of a cookie: letters, digits and ``!#$%&'*+-.^_`|~``"),
        }
    }
}

struct FromHeader(Location);

impl Read for FromHeader {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let name = fields.required_with("name", leaves::source_header);
        let prefix = fields.optional::<String>("prefix").unwrap_or_default();
        let plain = |b: u8| (0x20..0x7f).contains(&b) && b != b',';
        if !prefix.bytes().all(plain) || prefix.starts_with(' ') {
            let expected = "printable ASCII without commas and without a space at its start";
            fields.problem("prefix", "another text", expected);
        }
        if name.as_deref() == Some("cookie") {
            fields.problem("name", "`cookie`", "another header").hint =
                Some("`fromCookies` takes tokens out of cookies".to_owned());
        }
        fields.finish();
        Some(Self(Location::Header {
            name: name?,
            prefix,
        }))
    }
}

/// A text that is not empty.
struct Name(String);

impl Read for Name {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        named(node).map(Self)
    }
}

fn names(names: Vec<Name>) -> Vec<String> {
    names.into_iter().map(|name| name.0).collect()
}

fn named(node: Node<'_, '_>) -> Option<String> {
    match node.text().filter(|text| !text.is_empty()) {
        Some(text) => Some(text),
        None => node.refuse("a text that is not empty"),
    }
}

impl Read for Algorithm {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let known = Self::ALL.map(|algorithm| (algorithm.name(), algorithm));
        choice(node, &known)
    }
}

impl Read for Claim {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        if node.is_text() {
            return named(node).map(|name| Self(vec![name]));
        }
        let serde_json::Result::Ok(path) = serde_json::from_str::<Vec<String>>(node.raw.get())
        else {
            return node.refuse("the name of a claim, or a list of names");
        };
        if path.is_empty() || path.iter().any(String::is_empty) {
            return node.refuse("names that are not empty, at least one");
        }
        Some(Self(path))
    }
}

impl Read for ClaimToHeader {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let mut fields = Fields::open(node)?;
        let claim = fields.required("claim");
        let header = fields.required("header");
        let encoding = fields
            .with("encoding", |node| {
                choice(
                    node,
                    &[
                        ("Text", Encoding::Text),
                        ("Json", Encoding::Json),
                        ("Base64Url", Encoding::Base64Url),
                    ],
                )
            })
            .unwrap_or(Encoding::Text);
        fields.finish();
        Some(Self {
            claim: claim?,
            header: header?,
            encoding,
        })
    }
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
        let hosts = fields
            .filled::<Host>("hosts")
            .into_iter()
            .map(|host| host.0)
            .collect();
        let paths = fields
            .filled::<PathPattern>("paths")
            .into_iter()
            .map(|path| path.0)
            .collect();
        let methods = fields
            .filled::<Method>("methods")
            .into_iter()
            .map(|method| method.0)
            .collect();
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
        fields.finish();
        Some(Self {
            name,
            hosts,
            paths,
            methods,
            access: access?,
            providers,
            claims,
            shadow,
        })
    }
}

/// A host in lower case, or `*.` and a domain.
struct Host(String);

impl Read for Host {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        let good = |text: &str| match text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => text
                .strip_prefix("*.")
                .unwrap_or(text)
                .split('.')
                .all(label),
        };
        match node.text().filter(|text| good(text)) {
            Some(text) => Some(Self(text.to_ascii_lowercase())),
            None => node.refuse(
                "a host name without a port, `*.` and a domain, or an IPv6 address in brackets",
            ),
        }
    }
}

struct PathPattern(String);

impl Read for PathPattern {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let good = |text: &str| {
            let fixed = text.strip_suffix("/*").unwrap_or(text);
            let plain =
                !fixed.contains(['*', '?', '#']) && fixed.bytes().all(|b| b.is_ascii_graphic());
            text == "*"
                || (text.starts_with('/')
                    && plain
                    && !crate::path::Path::of(text.as_bytes()).ambiguous())
        };
        match node.text().filter(|text| good(text)) {
            Some(text) => Some(Self(text)),
            None => node.refuse_with(
                "`/exact`, `/tree/*` or `*`",
                "a path starts with `/`, has no query, parameters, dot segments or double slashes, and escapes what is no printable ASCII",
            ),
        }
    }
}

struct Method(String);

impl Read for Method {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        let upper = |b: u8| b.is_ascii_uppercase() || b == b'-';
        match node
            .text()
            .filter(|text| !text.is_empty() && text.bytes().all(upper))
        {
            Some(text) => Some(Self(text)),
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
            let found = if tests.0 {
                "`equals` and `contains`"
            } else {
                "neither `equals` nor `contains`"
            };
            fields.problem("equals", found, "one of them");
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
        match serde_json::from_str::<serde_json::Value>(node.raw.get()) {
            Ok(serde_json::Value::Bool(value)) => Some(Self::Bool(value)),
            Ok(serde_json::Value::Number(number)) => match exact(&number) {
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

/// Checks what the fields mean together.
pub(crate) fn check(
    jwt: &Jwt,
    path: crate::read::Path<'_>,
    verify: &dyn Verify,
    problems: &mut Vec<crate::ConfigError>,
) {
    use crate::ConfigError as Error;
    use crate::read::Path;
    let providers = Path::Field(&path, "providers");
    for (index, provider) in jwt.providers.iter().enumerate() {
        let here = Path::Item(&providers, index);
        let before = jwt.providers.iter().take(index);
        if before.clone().any(|other| other.name == provider.name) {
            problems.push(Error::new(
                Path::Field(&here, "name"),
                format!("`{}` again", provider.name),
                "a name of its own",
            ));
        }
        if before.clone().any(|other| other.issuer == provider.issuer) {
            problems.push(
                Error::new(Path::Field(&here, "issuer"), format!("`{}` again", provider.issuer), "an issuer of its own")
                    .hint("a token is judged by the one provider of its issuer: put all audiences and keys there"),
            );
        }
        for key in &provider.keys {
            if !verify.usable(key) {
                let id = key.id.as_deref().unwrap_or("without kid");
                problems.push(Error::new(
                    Path::Field(&here, "jwks"),
                    format!("key `{id}`, whose numbers make no key"),
                    "a public key",
                ));
            }
        }
    }
    let rules = Path::Field(&path, "rules");
    for (index, rule) in jwt.rules.iter().enumerate() {
        let here = Path::Item(&rules, index);
        if let Some(name) = &rule.name
            && jwt
                .rules
                .iter()
                .take(index)
                .any(|other| other.name.as_ref() == Some(name))
        {
            problems.push(Error::new(
                Path::Field(&here, "name"),
                format!("`{name}` again"),
                "a name of its own",
            ));
        }
        let all =
            |rule: &Rule| rule.hosts.is_empty() && rule.paths.is_empty() && rule.methods.is_empty();
        if let Some(before) = jwt.rules.iter().take(index).position(all) {
            let found = format!("a rule behind `rules[{before}]`, which matches everything");
            problems.push(Error::new(here, found, "a rule that can decide"));
        }
        let list = Path::Field(&here, "providers");
        for (index, name) in rule.providers.iter().enumerate() {
            if !jwt.providers.iter().any(|provider| &provider.name == name) {
                problems.push(Error::new(
                    Path::Item(&list, index),
                    format!("`{name}`, which is no provider"),
                    "the name of a provider",
                ));
            }
        }
    }
}
