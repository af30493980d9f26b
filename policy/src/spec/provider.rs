//! `spec.jwt.providers`, as written.

use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::{Algorithm, Key, KeySet, SECRET, Verify, read_jwks};
use crate::spec::describe::{Definitions, Described};
use crate::spec::kind::{
    Given, Kind, List, Name, NonEmpty, Seconds, Text, Whole, Written, names, object,
};
use crate::spec::leaves::{SourceHeader, is_token};
use crate::spec::read::{Fields, Node, Path, choice};
use crate::spec::sorted;
use crate::spec::{ConfigError, HeaderName, Problems};

object! {
    /// Somebody who issues tokens. Either `audiences`, or `anyAudience: true`.
    ProviderFields for Provider -> Provider {
        /// A name of its own.
        "name" name: required Name;
        /// What `iss` must equal.
        "issuer" issuer: required Name;
        /// `aud` must hold one of them. May be left out only with `anyAudience: true`.
        "audiences" audiences: optional NonEmpty<Name>;
        /// Whether every token of the issuer is taken; RFC 8725 section 3.9 advises against it.
        "anyAudience" any_audience: default bool = false;
        /// `sub` must be one of them. A last `*` matches any rest.
        "subjects" subjects: optional NonEmpty<Name>;
        /// Only these count. A key serves its `alg`; without `alg` it serves every algorithm of its type that is listed here, and without this list one: P-256 → ES256, P-384 → ES384, Ed25519 → EdDSA, RSA → RS256.
        "algorithms" algorithms: optional NonEmpty<Algorithm>;
        /// A JWK Set (RFC 7517). A private or symmetric key is refused, and so are two keys with one `kid` for one algorithm. Keys that can't be used (members missing or malformed, RSA below 2048 bits, numbers that are no public key of their kind, kinds not known here) are left out; `filter validate` and `filter deploy` warn of each. Keys for something else (`use` or `key_ops` without verification, other `algorithms`) are left out in silence. One key must be left.
        "jwks" jwks: later Jwks;
        /// Headers that carry a token. Of several prefixes for one header, of any provider, the longest that fits decides. A spelling with another mark for `-` (`x_jwt`, `x.jwt`) is the same place. Without `fromHeaders`, `fromCookies` and `fromParams` a token is looked for in `authorization`, behind `Bearer `.
        "fromHeaders" from_headers: optional NonEmpty<FromHeader>;
        /// Cookies that carry a token. An empty value is no token.
        "fromCookies" from_cookies: optional NonEmpty<CookieName>;
        /// Query parameters that carry a token, separated by `&` or `;`. An empty value is no token.
        "fromParams" from_params: optional NonEmpty<Name>;
        /// How far clocks may differ.
        "clockSkew" clock_skew: default Seconds<0, 600> = Duration::from_secs(60);
        /// Whether a token must have `exp`.
        "requireExpiration" require_expiration: default bool = true;
        /// The most that `exp` − `iat` may be. A token without both is `LifetimeTooLong`.
        "maxLifetime" max_lifetime: optional Seconds<1, { 3660 * 86400 }>;
        /// The longest token, in bytes.
        "maxTokenBytes" max_token_bytes: default Whole<256, 65536> = 8192;
        /// `typ` must be one of them, compared without case and without `application/`.
        "types" types: optional NonEmpty<Name>;
        /// Claims that the next hop gets as headers.
        "claimsToHeaders" claims_to_headers: optional List<ClaimToHeader>;
        /// A header for the payload as it came, in base64url.
        "payloadHeader" payload_header: optional HeaderName;
        /// What happens to a verified token.
        "token" token: default TokenAfter = TokenAfter::Keep;
        schema "oneOf" json!([
            {"required": ["audiences"]},
            {"required": ["anyAudience"], "properties": {"anyAudience": {"const": true}}},
        ]);
    }
}

object! {
    /// A header that carries a token.
    FromHeaderFields for FromHeader -> Location {
        /// The header's name.
        "name" name: required SourceHeader;
        /// What stands before the token. With a space at its end it is a scheme, as in `Bearer `, which is compared without case.
        "prefix" prefix: default Prefix = String::new();
    }
}

object! {
    /// A claim that the next hop gets as a header.
    ClaimToHeaderFields for ClaimToHeader -> ClaimToHeader {
        /// The claim: its name, or the names on the way to it.
        "claim" claim: required Claim;
        /// The header that gets it.
        "header" header: required HeaderName;
        /// How the claim is written. A number keeps the digits and the spelling that the token has; a value above 8 KiB gives no header.
        "encoding" encoding: default Encoding = Encoding::Text;
    }
}

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

names! {
    /// What happens to a verified token.
    pub(crate) TokenAfter {
        /// It stays where it is.
        Keep,
        /// Every copy of it is taken out of headers, cookies and query.
        Remove,
    }
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

names! {
    /// How a claim is written into a header.
    pub(crate) Encoding {
        /// A text, a number, `true` or `false` as it is, and a list of them with commas. What is no printable ASCII, an item with a comma in it, an object and `null` give no header.
        Text,
        /// JSON in ASCII: what is none is escaped.
        Json,
        /// A text's bytes, or JSON, in base64url.
        Base64Url,
    }
}

impl Provider {
    fn build(given: ProviderFields, mut fields: Fields<'_, '_>) -> Option<Self> {
        let (listed, any) = (given.audiences.is_there, &given.any_audience);
        // A value that can't be read was told already.
        let any = any.value || any.is_there && !any.is_whole;
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
        let algorithms = given.algorithms.value.unwrap_or_default();
        let keys = fields.required_with("jwks", |node| read_jwks(node, &algorithms));
        let types = given.types.value.unwrap_or_default();
        fields.finish();
        let KeySet { keys, left_out } = keys?;
        Some(Self {
            name: given.name.value?,
            issuer: given.issuer.value?,
            audiences: given.audiences.value.unwrap_or_default(),
            subjects: given.subjects.value.unwrap_or_default(),
            keys,
            left_out,
            locations: locations(given.from_headers, given.from_cookies, given.from_params),
            clock_skew: given.clock_skew.value,
            require_expiration: given.require_expiration.value,
            max_lifetime: given.max_lifetime.value,
            max_token_bytes: given.max_token_bytes.value,
            types: types.iter().map(|name| name.to_ascii_lowercase()).collect(),
            claims_to_headers: given.claims_to_headers.value.unwrap_or_default(),
            payload_header: given.payload_header.value,
            token: given.token.value,
        })
    }

    /// Leaves out keys whose numbers are no public key of their kind, such as a point that is not on its curve, and refuses a set in which `kid` and algorithm name two keys.
    pub fn check_keys(&mut self, path: Path<'_>, verify: &dyn Verify, problems: &mut Problems) {
        let jwks = Path::Field(&path, "jwks");
        let list = Path::Field(&jwks, "keys");
        let left_out = &mut self.left_out;
        let before = self.keys.len();
        self.keys.retain(|(place, key)| {
            let usable = verify.usable(key);
            if !usable && !left_out.passes_over() {
                let (found, expected) = (
                    "numbers that are no public key of their kind",
                    "a public key",
                );
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

/// The places of the three lists; without any of them a token is a Bearer credential (RFC 6750 section 2.1).
fn locations(
    headers: Given<Option<Vec<Location>>>,
    cookies: Given<Option<Vec<String>>>,
    params: Given<Option<Vec<String>>>,
) -> Vec<Location> {
    if !headers.is_there && !cookies.is_there && !params.is_there {
        return vec![Location::Header {
            name: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
        }];
    }
    let cookies = cookies.value.into_iter().flatten().map(Location::Cookie);
    let params = params.value.into_iter().flatten().map(Location::Param);
    let headers = headers.value.into_iter().flatten();
    headers.chain(cookies).chain(params).collect()
}

/// The name of a cookie (RFC 6265 section 4.1.1).
struct CookieName;

impl Kind for CookieName {
    type Value = String;

    fn read(node: Node<'_, '_>) -> Option<String> {
        let expected = "the name of a cookie: letters, digits and ``!#$%&'*+-.^_`|~``";
        node.parsed(expected, None, |text| {
            is_token(text).then(|| text.to_owned())
        })
    }

    fn describe(_: &mut Definitions) -> Described {
        let pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
        Described::new(json!({"type": "string", "pattern": pattern}), "cookie name")
    }
}

struct FromHeader;

impl FromHeader {
    fn build(given: FromHeaderFields, mut fields: Fields<'_, '_>) -> Option<Location> {
        if given.name.value.as_deref() == Some("cookie") {
            let hint = Some("`fromCookies` takes tokens out of cookies");
            fields.problem_with("name", "`cookie`", "another header", hint);
        }
        fields.finish();
        Some(Location::Header {
            name: given.name.value?,
            prefix: given.prefix.value,
        })
    }
}

/// What stands before a token in a header.
struct Prefix;

impl Kind for Prefix {
    type Value = String;

    fn read(node: Node<'_, '_>) -> Option<String> {
        let plain = |b: u8| (0x20..0x7f).contains(&b) && b != b',';
        if !node.is_text() {
            return Text::read(node);
        }
        match node
            .text()
            .filter(|text| text.bytes().all(plain) && !text.starts_with(' '))
        {
            Some(text) => Some(text.into_owned()),
            None => node.refuse_as(
                "another text",
                "printable ASCII without commas and without a space at its start",
            ),
        }
    }

    fn describe(_: &mut Definitions) -> Described {
        Described::new(
            json!({"type": "string", "pattern": "^([!-+--~][ -+--~]*)?$"}),
            "text",
        )
    }
}

impl Written for Prefix {
    fn written(value: &String) -> Value {
        Text::written(value)
    }
}

impl Kind for Algorithm {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        choice(
            node,
            &Self::ALL.map(|algorithm| (algorithm.name(), algorithm)),
        )
    }

    fn describe(definitions: &mut Definitions) -> Described {
        let names = Self::ALL.map(Self::name);
        let words = names.map(|name| format!("`{name}`")).join(", ");
        let schema = json!({"type": "string", "enum": names});
        definitions.named(
            "Algorithm",
            "An algorithm (RFC 7518 section 3.1, RFC 8037).",
            schema,
            words,
        )
    }
}

/// A JWK Set (RFC 7517), as an object or as its text. [`read_jwks`] reads it.
struct Jwks;

impl Jwks {
    fn describe(definitions: &mut Definitions) -> Described {
        // Of any type: keys that are malformed are left out, and refuse no policy.
        let member = |about: &str| json!({"description": about});
        let secret = SECRET.map(|name| json!({"required": [name]}));
        definitions.named(
            "Jwk",
            "A public key (RFC 7517 section 4) with the members of its kind; keys that lack some are left out.",
            json!({
                "properties": {
                    "kty": member("The kind of key."),
                    "use": member("What the key is for."),
                    "kid": member("The key's name in token headers."),
                    "alg": member("The one algorithm of the key."),
                    "crv": member("The curve."),
                },
                "not": {"type": "object", "anyOf": secret},
            }),
            "object",
        );
        definitions.named(
            "JwkSet",
            "A JWK Set (RFC 7517 section 5); other members are allowed.",
            json!({
                "type": "object",
                "properties": {"keys": {
                    "description": "The keys.", "type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Jwk"},
                }},
                "required": ["keys"],
            }),
            "object",
        )
        .or(Described::new(json!({"type": "string"}), "its text"))
    }
}

impl Kind for Claim {
    type Value = Self;

    fn read(node: Node<'_, '_>) -> Option<Self> {
        if node.is_text() {
            return Name::read(node).map(|name| Self(vec![name]));
        }
        let names = node.raw.elements().map(|names| {
            let texts = names
                .into_iter()
                .map(|name| Some(name.text()?.into_owned()));
            texts.collect::<Option<Vec<String>>>()
        });
        let Some(path) = names.flatten() else {
            return node.refuse("the name of a claim, or a list of names");
        };
        if path.is_empty() || path.iter().any(String::is_empty) {
            return node.refuse("names that are not empty, at least one");
        }
        Some(Self(path))
    }

    fn describe(definitions: &mut Definitions) -> Described {
        let name = Name::describe(definitions);
        let path = NonEmpty::<Name>::describe(definitions);
        let either = name.or(path);
        either.named(
            definitions,
            "Claim",
            "The name of a claim, or the names on the way to it.",
        )
    }
}

impl ClaimToHeader {
    fn build(given: ClaimToHeaderFields, fields: Fields<'_, '_>) -> Option<Self> {
        fields.finish();
        Some(Self {
            claim: given.claim.value?,
            header: given.header.value?,
            encoding: given.encoding.value,
        })
    }
}
