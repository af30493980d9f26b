//! The JSON Schema of a HeaderPolicy document.
//!
//! The types here mirror what `config` reads and are never filled: the reader reports every problem at once, which no derived reader does, and the filter carries no
//! schema. A test (tests/schema.rs) compares both sides field by field and name by name, so that they can't drift. What fields mean together, and what texts mean
//! beyond their pattern, is the reader's to say.
#![expect(
    dead_code,
    reason = "types are read by the derive macro only; nobody makes a value of them"
)]

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// The JSON Schema (draft 2020-12) of a HeaderPolicy document.
pub fn schema() -> Value {
    SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(plain))
        .into_generator()
        .into_root_schema_for::<HeaderPolicy>()
        .to_value()
}

/// An absent field has a default and `null` is no value, so nothing may be `null`; and `uint32` is no format of JSON Schema.
fn plain(schema: &mut Schema) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    schema.remove("format");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| *choice != json!({"type": "null"}));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (name, value) in only {
                schema.entry(name).or_insert(value);
            }
        }
    }
}

/// Whom a proxy believes about the client's address, and which tokens a request must carry.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct HeaderPolicy {
    /// The group and version of the API.
    #[schemars(extend("const" = crate::API_VERSION))]
    api_version: String,
    /// The kind of the document; may be left out.
    #[schemars(extend("const" = crate::KIND))]
    kind: Option<String>,
    /// Names and labels, as Kubernetes has them.
    metadata: Option<BTreeMap<String, Value>>,
    /// The policy.
    spec: Spec,
}

/// The policy. At least one of `forwarded` and `jwt` is required.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["forwarded"]}, {"required": ["jwt"]}]))]
struct Spec {
    /// For delivery only: where the policy goes. The engine ignores it and it is no part of the fingerprint.
    target: Option<BTreeMap<String, Value>>,
    /// Free text; `deploy` sets it so that no two roll-outs carry the same bytes.
    revision: Option<String>,
    /// Whether the policy acts or only counts.
    #[schemars(extend("default" = "Enforce"))]
    mode: Option<Mode>,
    /// Where the proxy stands.
    #[schemars(extend("default" = "Detect"))]
    position: Option<Position>,
    /// What happens to a sidecar's own outbound requests.
    #[schemars(extend("default" = "Pass"))]
    outbound_traffic: Option<OutboundTraffic>,
    /// Who is the client?
    forwarded: Option<Forwarded>,
    /// Who is calling, and may they?
    jwt: Option<Jwt>,
    /// How a refusal looks.
    replies: Option<Replies>,
}

#[derive(JsonSchema)]
enum Mode {
    /// Edits, strips and refuses.
    Enforce,
    /// Decides and counts. A shadowed policy edits, strips and refuses nothing; a shadowed rule strips, and what it would refuse goes on without claim headers.
    Shadow,
}

#[derive(JsonSchema)]
enum Position {
    /// Istio's node id and listener direction tell, for each stream; a stream that can't be placed is refused.
    Detect,
    /// An ingress gateway: Envoy has appended the direct peer.
    Gateway,
    /// A sidecar's inbound side: the peer is known by its mTLS identity.
    SidecarInbound,
    /// A sidecar's outbound side: the caller is the workload itself.
    SidecarOutbound,
}

#[derive(JsonSchema)]
enum OutboundTraffic {
    /// Untouched and counted.
    Pass,
    /// Judged as other traffic.
    Judge,
}

/// How a refusal looks.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Replies {
    /// The body of a refusal.
    #[schemars(extend("default" = "ProblemJson"))]
    body: Option<Body>,
    /// A header that carries the reason on refusals.
    reason_header: Option<HeaderName>,
    /// The realm in `WWW-Authenticate`.
    #[schemars(extend("pattern" = r"^[ !#-\[\]-~]{1,128}$"))]
    realm: Option<String>,
}

#[derive(JsonSchema)]
enum Body {
    /// RFC 9457.
    ProblemJson,
    /// A neutral phrase.
    Plain,
    /// No body.
    Empty,
}

/// Who is the client?
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Forwarded {
    /// How elements of the chain are read.
    #[schemars(extend("default" = "Strict"))]
    mode: Option<ChainMode>,
    /// Which proxies are trusted.
    trust: Trust,
    /// What the gateway in front of a sidecar sends.
    #[schemars(extend("default" = "Original"))]
    gateway_sends: Option<GatewaySends>,
    /// A longer chain is `tooLong`.
    limits: Option<Limits>,
    /// What follows from each anomaly.
    anomalies: Option<Anomalies>,
    /// What the next hop gets as `x-forwarded-for`.
    #[schemars(extend("default" = "Keep"))]
    outbound: Option<Outbound>,
    /// A header that is set to the client's address; absent when the client is unknown.
    client_ip_header: Option<HeaderName>,
    /// Clients that may come; the longest matching prefix of both lists decides.
    allow: Option<Vec<Cidr>>,
    /// Clients that may not.
    deny: Option<Vec<Cidr>>,
    /// What happens to headers that tell about the client beside the chain.
    #[schemars(extend("default" = "FromTrustedPeers"))]
    companions: Option<Companions>,
    /// Paths where a broken chain refuses nothing.
    exempt: Option<Exempt>,
}

#[derive(JsonSchema)]
enum ChainMode {
    /// Bare IPv4 or IPv6 addresses only.
    Strict,
    /// Also ports, brackets and IPv4-mapped addresses, which become the plain address.
    Lenient,
    /// As Envoy itself computes it, bit for bit.
    Envoy,
}

/// Which proxies are trusted: by number, by address, or by identity.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["hops"]}, {"required": ["cidrs"]}, {"required": ["identities"]}]))]
struct Trust {
    /// Trusted proxies in front of the gateway, the direct peer included.
    hops: Option<Hops>,
    /// Addresses of trusted proxies.
    #[schemars(length(min = 1))]
    cidrs: Option<Vec<Cidr>>,
    /// SPIFFE ids of trusted peers.
    #[schemars(length(min = 1))]
    identities: Option<Vec<Identity>>,
}

/// A number of proxies, or a range of numbers.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Hops {
    /// Exactly as many.
    Exactly(#[schemars(range(min = 0, max = 32))] u32),
    /// At least `min` and at most `max`; needs `cidrs` or `identities`.
    Between(HopRange),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct HopRange {
    /// The least number of trusted proxies.
    #[schemars(range(min = 0, max = 32))]
    min: u32,
    /// The greatest number of trusted proxies.
    #[schemars(range(min = 0, max = 32))]
    max: u32,
}

/// An address or a block of addresses, as in `192.0.2.0/24`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"))]
struct Cidr(String);

/// A SPIFFE id; a last `*` matches any rest.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^spiffe://[!-)+-.0-~]+/[!-)+-~]+\*?$"))]
struct Identity(String);

#[derive(JsonSchema)]
enum GatewaySends {
    /// The chain as it came.
    Original,
    /// One canonical address.
    Canonical,
}

/// Limits of a chain.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Limits {
    /// The most elements.
    #[schemars(range(min = 1, max = 1000), extend("default" = 32))]
    elements: Option<u32>,
    /// The most bytes.
    #[schemars(range(min = 64, max = 61440), extend("default" = 4096))]
    bytes: Option<u32>,
}

/// What follows from each anomaly of a chain.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Anomalies {
    /// Over a limit.
    #[schemars(extend("default" = "Reject"))]
    too_long: Option<Action>,
    /// An element at the client's place or right of it is no address.
    #[schemars(extend("default" = "Reject"))]
    malformed: Option<Action>,
    /// The peer is no trusted proxy.
    #[schemars(extend("default" = "Strip"))]
    untrusted_peer: Option<Action>,
    /// Fewer trusted hops than due.
    #[schemars(extend("default" = "Reject"))]
    too_few_hops: Option<Action>,
    /// More trusted hops than due.
    #[schemars(extend("default" = "Reject"))]
    too_many_hops: Option<Action>,
    /// A `forwarded` header that goes on names another chain, or can't be read.
    #[schemars(extend("default" = "Reject"))]
    conflict: Option<Action>,
    /// Every element is a trusted proxy.
    #[schemars(extend("default" = "Allow"))]
    all_trusted: Option<Action>,
    /// The client's address is private.
    #[schemars(extend("default" = "Allow"))]
    private_client: Option<Action>,
}

#[derive(JsonSchema)]
enum Action {
    /// The request goes on.
    Allow,
    /// The request goes on without the chain and its companions.
    Strip,
    /// The request is refused.
    Reject,
}

#[derive(JsonSchema)]
enum Outbound {
    /// The chain as Envoy sends it.
    Keep,
    /// The chain with the direct peer last.
    Append,
    /// The client's address alone; nothing when it is unknown.
    Replace,
    /// The client and everything right of it; nothing when it is unknown.
    Truncate,
    /// No `x-forwarded-for`.
    Strip,
}

/// One action for all companions, or lists of exceptions to `FromTrustedPeers`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Companions {
    /// For all of them.
    All(CompanionMode),
    /// Exceptions.
    Lists(CompanionLists),
}

#[derive(JsonSchema)]
enum CompanionMode {
    /// Addresses are removed; the others when the peer is not trusted.
    FromTrustedPeers,
    /// Removed, whoever the peer is.
    Strip,
    /// Left as they are.
    Keep,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["keep"]}, {"required": ["also"]}]))]
struct CompanionLists {
    /// Addresses that trusted peers write, and others that stay whoever the peer is.
    #[schemars(length(min = 1))]
    keep: Option<Vec<CompanionName>>,
    /// Headers that are removed as addresses are.
    #[schemars(length(min = 1))]
    also: Option<Vec<CompanionName>>,
}

/// The name of a header; in `also` a last `*` behind a `-` matches any rest.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"))]
struct CompanionName(String);

/// Paths where a request without a received chain has its peer as the client, and a broken chain leaves the client unknown.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Exempt {
    /// `/exact` or `/tree/*`.
    #[schemars(length(min = 1))]
    paths: Vec<PathPattern>,
}

/// Who is calling, and may they?
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Jwt {
    /// Who issues tokens; names and issuers are unique.
    #[schemars(length(min = 1))]
    providers: Vec<Provider>,
    /// The first rule whose `hosts`, `paths` and `methods` all match decides.
    rules: Option<Vec<Rule>>,
    /// For requests that no rule matches. There is no default, so that nobody is let in by an omission.
    otherwise: Access,
    /// What happens to a path that could be read in two ways, where a rule has `paths`.
    #[schemars(extend("default" = "Reject"))]
    ambiguous_path: Option<AmbiguousPath>,
    /// What happens to a CORS preflight where a token is asked for.
    #[schemars(extend("default" = "Pass"))]
    preflight: Option<Preflight>,
}

#[derive(JsonSchema)]
enum AmbiguousPath {
    /// It is refused.
    Reject,
    /// It is judged as it stands.
    Allow,
}

#[derive(JsonSchema)]
enum Preflight {
    /// It needs no token; a denial and what is ambiguous hold for it too.
    Pass,
    /// It is judged as any request.
    Judge,
}

/// Somebody who issues tokens. Either `audiences`, or `anyAudience: true`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["audiences"]},
    {"required": ["anyAudience"], "properties": {"anyAudience": {"const": true}}}
]))]
struct Provider {
    /// A name of its own.
    name: Name,
    /// What `iss` must equal.
    issuer: Name,
    /// `aud` must hold one of them.
    #[schemars(length(min = 1))]
    audiences: Option<Vec<Name>>,
    /// Takes tokens for any audience; RFC 8725 section 3.9 advises against it.
    #[schemars(extend("default" = false))]
    any_audience: Option<bool>,
    /// `sub` must be one of them; a last `*` matches any rest.
    subjects: Option<Vec<Name>>,
    /// Only these algorithms; each key is pinned to one.
    algorithms: Option<Vec<Algorithm>>,
    /// The public keys.
    jwks: Jwks,
    /// Headers that carry a token. Giving any of the three lists replaces the default, a Bearer credential.
    from_headers: Option<Vec<FromHeader>>,
    /// Cookies that carry a token.
    from_cookies: Option<Vec<Name>>,
    /// Query parameters that carry a token.
    from_params: Option<Vec<Name>>,
    /// How far clocks may differ, at most `10m`.
    #[schemars(extend("default" = "60s"))]
    clock_skew: Option<Duration>,
    /// Whether a token must have `exp`.
    #[schemars(extend("default" = true))]
    require_expiration: Option<bool>,
    /// The most that may lie between `iat` and `exp`, which are both needed then.
    max_lifetime: Option<Duration>,
    /// The longest token.
    #[schemars(range(min = 256, max = 65536), extend("default" = 8192))]
    max_token_bytes: Option<u32>,
    /// `typ` must be one of them, without case, `application/` left out.
    types: Option<Vec<Name>>,
    /// Claims that the next hop gets as headers.
    claims_to_headers: Option<Vec<ClaimToHeader>>,
    /// A header for the payload as it came, base64url.
    payload_header: Option<HeaderName>,
    /// What happens to a verified token.
    #[schemars(extend("default" = "Keep"))]
    token: Option<TokenAfter>,
}

#[derive(JsonSchema)]
enum Algorithm {
    #[schemars(rename = "RS256")]
    Rs256,
    #[schemars(rename = "RS384")]
    Rs384,
    #[schemars(rename = "RS512")]
    Rs512,
    #[schemars(rename = "PS256")]
    Ps256,
    #[schemars(rename = "ES256")]
    Es256,
    #[schemars(rename = "ES384")]
    Es384,
    #[schemars(rename = "EdDSA")]
    EdDsa,
}

/// A JWK Set (RFC 7517), as an object or as its text.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Jwks {
    /// Its text.
    Text(String),
    /// The object itself.
    Set(JwkSet),
}

/// A JWK Set (RFC 7517 section 5); other members are allowed.
#[derive(JsonSchema)]
struct JwkSet {
    /// The keys.
    #[schemars(length(min = 1))]
    keys: Vec<Jwk>,
}

/// A public key (RFC 7517 section 4) with the members of its kind; keys that lack some are left out.
#[derive(JsonSchema)]
#[schemars(extend("not" = {"anyOf": [
    {"required": ["d"]}, {"required": ["p"]}, {"required": ["q"]}, {"required": ["dp"]},
    {"required": ["dq"]}, {"required": ["qi"]}, {"required": ["oth"]}, {"required": ["k"]}
]}))]
struct Jwk {
    /// The kind of key.
    kty: Option<String>,
    /// What the key is for.
    #[schemars(rename = "use")]
    usage: Option<String>,
    /// The key's name in token headers.
    kid: Option<String>,
    /// The one algorithm of the key.
    alg: Option<String>,
    /// The curve.
    crv: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct FromHeader {
    /// The header's name.
    name: HeaderName,
    /// What stands before the token. With a space at its end it is a scheme, which is compared without case.
    #[schemars(extend("pattern" = "^[ -+--~]*$", "default" = ""))]
    prefix: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct ClaimToHeader {
    /// The claim.
    claim: Claim,
    /// The header that gets it.
    header: HeaderName,
    /// How it is written.
    #[schemars(extend("default" = "Text"))]
    encoding: Option<Encoding>,
}

#[derive(JsonSchema)]
enum Encoding {
    /// A text, number or truth value as it is; a list of them with commas.
    Text,
    /// JSON in ASCII.
    Json,
    /// A text's bytes, or JSON, in base64url.
    Base64Url,
}

#[derive(JsonSchema)]
enum TokenAfter {
    /// It stays where it is.
    Keep,
    /// Every copy of it is taken out of headers, cookies and query.
    Remove,
}

/// The name of a claim, or the names on the way to it.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Claim {
    /// A claim of the payload.
    Name(Name),
    /// A member of a claim.
    Path(#[schemars(length(min = 1))] Vec<Name>),
}

/// What a request must bring.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    /// A name of its own; stands in traces.
    name: Option<Name>,
    /// Hosts, without case and port. A host in another form than `name[:digits]` or `[IPv6][:digits]` is refused.
    #[schemars(length(min = 1))]
    hosts: Option<Vec<Host>>,
    /// Paths, without query, with every escape decoded; a slash at the end makes no other path.
    #[schemars(length(min = 1))]
    paths: Option<Vec<PathPattern>>,
    /// Methods, in upper case; `GET` means `HEAD` too. A method in another case is refused.
    #[schemars(length(min = 1))]
    methods: Option<Vec<Method>>,
    /// What is asked for.
    access: Access,
    /// The providers whose tokens count.
    #[schemars(length(min = 1))]
    providers: Option<Vec<Name>>,
    /// Conditions that must all hold for a verified token.
    claims: Option<Vec<ClaimTest>>,
    /// Whether the rule acts or only counts.
    #[schemars(extend("default" = "Enforce"))]
    mode: Option<Mode>,
}

#[derive(JsonSchema)]
enum Access {
    /// A good token is needed.
    Require,
    /// No token is fine, a bad one is not.
    Optional,
    /// TokenRules are not looked at.
    Open,
    /// Nobody is let in.
    Deny,
}

/// `shop.example.com`, or `*.example.com` for all hosts below a domain.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^(\*\.)?[A-Za-z0-9._\[\]:-]+$"))]
struct Host(String);

/// `/exact`, `/tree/*` (`/tree` and all below) or `*`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r##"^(\*|/([!-"$-)+->@-~]*/)?\*|/[!-"$-)+->@-~]*)$"##))]
struct PathPattern(String);

/// A method, as in `GET`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[A-Z-]+$"))]
struct Method(String);

/// A condition on a claim: either `equals` or `contains`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["equals"]}, {"required": ["contains"]}]))]
struct ClaimTest {
    /// The claim.
    claim: Claim,
    /// The value of the claim.
    equals: Option<Scalar>,
    /// An item of the list, or a word of the space-separated text.
    contains: Option<Scalar>,
}

/// A text, a number of at most 2^53, or a truth value.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Scalar {
    Text(String),
    Bool(bool),
    Number(#[schemars(range(min = -9_007_199_254_740_992.0, max = 9_007_199_254_740_992.0))] f64),
}

/// A text that is not empty.
#[derive(JsonSchema)]
#[schemars(extend("minLength" = 1))]
struct Name(String);

/// The name of a header (RFC 9110 section 5.1). Pseudo, hop-by-hop, framing and credential headers, `forwarded`, `x-forwarded-*` and `x-envoy-*` can't be set.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$"))]
struct HeaderName(String);

/// A number and a unit, as in `90s`, `5m`, `1h` or `2d`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[0-9]+[smhd]$"))]
struct Duration(String);
