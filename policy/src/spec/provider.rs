//! `spec.jwt.providers`, as written.

use std::time::Duration;

use super::jwt::{Name, named, names};
use crate::caller::{Algorithm, Key, KeySet, Verify, read_jwks};
use crate::spec::read::{Fields, Node, Path, Read, choice, elements, text, whole};
use crate::spec::sorted;
use crate::spec::{ConfigError, Problems};
use crate::spec::{HeaderName, leaves};

#[derive(Debug)]
pub(crate) struct Provider {
    pub name: String,
    pub issuer: String,
    /// Empty: any audience will do.
    pub audiences: Vec<String>,
    pub subjects: Vec<String>,
    /// Each with its place in the set.
    pub keys: Vec<(usize, Key)>,
    /// Why other keys of the set can't be used.
    pub left_out: Problems,
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
            fields.absent(
                &["audiences", "anyAudience"],
                "nothing",
                "the audiences that tokens are made for",
                Some("`anyAudience: true` takes every token of the issuer (RFC 8725 section 3.9 advises against it)"),
            );
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
        let KeySet { keys, left_out } = keys?;
        Some(Self {
            name: name?,
            issuer: issuer?,
            audiences,
            subjects,
            keys,
            left_out,
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

impl Provider {
    /// Leaves out keys whose numbers make none, and refuses a set in which `kid` and algorithm name two keys.
    pub fn check_keys(&mut self, path: Path<'_>, verify: &dyn Verify, problems: &mut Problems) {
        let jwks = Path::Field(&path, "jwks");
        let list = Path::Field(&jwks, "keys");
        let left_out = &mut self.left_out;
        let before = self.keys.len();
        self.keys.retain(|(place, key)| {
            let usable = verify.usable(key);
            if !usable && !left_out.passes_over() {
                let (found, expected) = ("numbers that make no key", "a public key");
                left_out.push(ConfigError::new(Path::Item(&list, *place), found, expected));
            }
            usable
        });
        if self.keys.is_empty() && before > 0 {
            problems.append(std::mem::take(left_out));
        }
        let named = self.keys.iter().filter_map(|(place, key)| {
            let id = key.id.as_deref()?;
            Some((format!("`{id}` for {}", key.algorithm.name()), *place))
        });
        let named: Vec<(String, usize)> = named.collect();
        let named = named.iter().map(|(name, place)| (name.as_str(), *place));
        for pair in sorted(named.collect()).windows(2) {
            if let [(name, _), (other, place)] = pair
                && name == other
                && !problems.passes_over()
            {
                let item = Path::Item(&list, *place);
                problems.push(ConfigError::new(
                    Path::Field(&item, "kid"),
                    format!("{name} again"),
                    "one key for a `kid` and an algorithm",
                ));
            }
        }
    }
}

/// Reads the three lists of places; without any of them a token is a Bearer credential (RFC 6750 section 2.1).
fn locations(fields: &mut Fields<'_, '_>) -> Vec<Location> {
    let given = ["fromHeaders", "fromCookies", "fromParams"]
        .iter()
        .any(|name| fields.has(name));
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
    let places = headers.chain(cookies).chain(params).collect();
    if given {
        return places;
    }
    vec![Location::Header {
        name: "authorization".to_owned(),
        prefix: "Bearer ".to_owned(),
    }]
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
            let hint = Some("`fromCookies` takes tokens out of cookies");
            fields.problem_with("name", "`cookie`", "another header", hint);
        }
        fields.finish();
        Some(Self(Location::Header {
            name: name?,
            prefix,
        }))
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
        let names = elements(node.raw);
        let names = names.map(|names| names.into_iter().map(text).collect::<Option<Vec<String>>>());
        let Some(path) = names.flatten() else {
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
