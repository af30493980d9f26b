//! What each reason means to the person who runs the mesh: one sentence, and what to look at.

/// What a reason means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// One sentence.
    pub sentence: &'static str,
    /// What to look at.
    pub hint: &'static str,
}

/// The words for a reason's label.
#[must_use]
pub fn words(reason: &str) -> Option<Words> {
    TABLE
        .iter()
        .find(|(label, ..)| *label == reason)
        .map(|(_, sentence, hint)| Words { sentence, hint })
}

const TABLE: &[(&str, &str, &str)] = &[
    (
        "ChainMalformed",
        "An element of x-forwarded-for is no address in the form that the policy's mode reads.",
        "a proxy that writes ports or brackets needs `mode: Lenient`; anything else was sent by the client",
    ),
    (
        "ChainTooLong",
        "x-forwarded-for has more elements or bytes than the policy's limits.",
        "honest chains have a handful of elements; `spec.forwarded.limits` sets both limits",
    ),
    (
        "TooFewHops",
        "The chain has fewer trusted proxies than `trust.hops` says stand in front of the gateway.",
        "the request came around a proxy, or `trust.hops` counts one too many; the direct peer counts",
    ),
    (
        "TooManyHops",
        "The chain has more trusted proxies than `trust.hops` allows.",
        "a proxy was added in front, or `trust.cidrs` is wider than the proxies' own addresses",
    ),
    (
        "UntrustedPeer",
        "The direct peer is none of the trusted proxies, so nothing it says about the client is believed.",
        "add the proxy to `trust.cidrs` or `trust.identities`; `anomalies.untrustedPeer: Strip` lets such requests in as themselves",
    ),
    (
        "ForwardedConflict",
        "The `forwarded` header names another chain than x-forwarded-for, or can't be read.",
        "one of the two was forged or is written by a proxy that the other passes by",
    ),
    (
        "PrivateClient",
        "The client's address is private, loopback, link-local, shared or unspecified, where a public one is due.",
        "a load balancer that translates addresses hides the client: see `externalTrafficPolicy`, or raise `trust.hops`",
    ),
    (
        "AllTrusted",
        "Every element of the chain is a trusted proxy, so none is left to be the client.",
        "`trust.cidrs` may hold the clients' addresses too",
    ),
    (
        "ClientDenied",
        "The client's address is in the `deny` list, or not in the `allow` list.",
        "the longest matching prefix of both lists decides",
    ),
    (
        "ClientUnknown",
        "The policy has address lists, and the client's address is not known.",
        "see what the chain above lacks; an unknown client passes neither list",
    ),
    (
        "PositionUnknown",
        "`position: Detect` could not tell from the node id and the listener where this proxy stands.",
        "write `position: Gateway` or `position: SidecarInbound` into the policy",
    ),
    (
        "MethodAmbiguous",
        "A rule looks at methods, and the method is not in upper case: some servers take it for the one that is.",
        "methods are case-sensitive (RFC 9110 section 9.1): the client must send `GET`, not `get`",
    ),
    (
        "HostAmbiguous",
        "A rule looks at hosts, and the request's host is no name or IPv6 address in brackets with or without a port in digits.",
        "Envoy cuts off whatever stands behind the last colon, so an odd port would walk around a rule; a request without a host has none to compare",
    ),
    (
        "PathAmbiguous",
        "A rule looks at paths, and servers disagree what this path means (encoded slash, dot segment, double slash, `;`, an escape of an escape).",
        "normalise paths in front, or set `ambiguousPath: Allow` where every server behind reads them alike",
    ),
    (
        "RuleDenied",
        "The rule that matched says `access: Deny`.",
        "rules are tried in order; the first match decides",
    ),
    (
        "MissingToken",
        "The rule requires a token, and the request has none where its providers look.",
        "see `fromHeaders`, `fromCookies` and `fromParams`; by default `authorization: Bearer …`",
    ),
    (
        "SeveralTokens",
        "The request has several differing tokens, and servers disagree which one counts.",
        "a comma in `authorization` means that a client or proxy sent the header twice",
    ),
    (
        "TokenTooLarge",
        "The token is longer than the provider's `maxTokenBytes`.",
        "`maxTokenBytes` can be raised up to 65536",
    ),
    (
        "TokenMalformed",
        "The token is no JWS in compact form: three base64url segments, the first a JSON object.",
        "an opaque access token, a quoted value or a cut-off header looks like this",
    ),
    (
        "AlgorithmNotAllowed",
        "The token's `alg` is not the one that its key is pinned to.",
        "`none`, HMAC and a foreign family are attacks; else give the key its `alg` in the JWK Set, or see `algorithms`",
    ),
    (
        "CriticalHeader",
        "The token's header has `crit`, and we implement no extension that it may name.",
        "RFC 7515 section 4.1.11 demands the refusal",
    ),
    (
        "TypeNotAccepted",
        "The token's `typ` is none of the provider's `types`.",
        "ID tokens and access tokens differ in `typ`",
    ),
    (
        "KeyNotFound",
        "No key of the provider has the token's `kid`, or it has none and more than one key fits.",
        "the issuer may have rotated its keys: compare the `kid` with the policy's `jwks`",
    ),
    (
        "SignatureInvalid",
        "The signature does not fit the token and the key.",
        "the token was changed, or signed by another key with the same `kid`",
    ),
    (
        "SignatureUnchecked",
        "The signature could not be checked, so the token is not believed.",
        "the proxy gave no answer about the signature; see the filter's log",
    ),
    (
        "IssuerNotTrusted",
        "The token's `iss` is no provider's `issuer`.",
        "they are compared byte by byte; a trailing slash counts",
    ),
    (
        "AudienceNotAccepted",
        "The token's `aud` holds none of the provider's `audiences`.",
        "the token was made for another service",
    ),
    (
        "SubjectNotAccepted",
        "The token's `sub` is none of the provider's `subjects`.",
        "a last `*` matches any rest",
    ),
    (
        "ClaimsMalformed",
        "The token's payload is no JSON object, names a claim twice, or a registered claim has the wrong type.",
        "times are numbers, `aud` is a text or a list of texts",
    ),
    (
        "Expired",
        "The token's `exp` is past, the clock skew included.",
        "get a new token; check the clocks when it is new",
    ),
    (
        "ExpirationMissing",
        "The token has no `exp`, and the provider requires one.",
        "`requireExpiration: false` accepts tokens that never end",
    ),
    (
        "NotYetValid",
        "The token's `nbf` lies in the future, the clock skew included.",
        "check the clocks; `clockSkew` can be raised up to 10m",
    ),
    (
        "IssuedInFuture",
        "The token's `iat` lies in the future, the clock skew included.",
        "check the clocks; `clockSkew` can be raised up to 10m",
    ),
    (
        "LifetimeTooLong",
        "The token lives longer than the provider's `maxLifetime`, or does not say how long.",
        "`maxLifetime` needs both `iat` and `exp`",
    ),
    (
        "ClaimMismatch",
        "The token is good, and lacks a claim that the rule demands.",
        "compare the token's claims with the rule's `claims`",
    ),
    (
        "RequestUnreadable",
        "The proxy could not give the request to the filter.",
        "see the filter's log: this is a fault of the proxy or the filter",
    ),
];
