//! What only an explanation, the needs of a policy or its edits tell: the corpus compares what the next hop gets.

mod common;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use common::{
    Call, EXP, LOGIN, NOW, PARTNER, extended, keys, policy, provider, sign, sign_with, token,
};
use policy::{Needs, Outcome, Policy, Reason};
use serde_json::{Value, json};

const ID: &str = "spiffe://cluster.local/ns/edge/sa/proxy";

fn gateway(forwarded: Value) -> Policy {
    policy(&json!({"position": "Gateway", "forwarded": forwarded}))
}

fn inbound(forwarded: Value) -> Policy {
    policy(&json!({"position": "SidecarInbound", "forwarded": forwarded}))
}

fn tokens(providers: Value, rules: Value, otherwise: &str) -> Policy {
    policy(
        &json!({"position": "Gateway", "jwt": {"providers": providers, "rules": rules, "otherwise": otherwise}}),
    )
}

fn partner(more: Value) -> Value {
    let partner =
        json!({"name": "partner", "issuer": PARTNER, "anyAudience": true, "jwks": keys(&["ec-a"])});
    extended(partner, &more)
}

fn chain(text: &str) -> Call {
    Call::get("/").with("x-forwarded-for", text)
}

type Told = (Option<String>, u32, u32, Option<u32>, bool);

/// How the client was found, and what was found in the chain.
fn told(policy: &Policy, call: &Call) -> Told {
    let explained = call.judge(policy).explain(policy);
    let chain = explained.chain.unwrap();
    (
        explained.client_from,
        chain.elements,
        chain.trusted,
        chain.client_index,
        chain.peer_trusted,
    )
}

#[test]
fn how_a_client_was_found() {
    let with_identity = |call: Call| Call {
        identity: Some(ID.as_bytes().to_vec()),
        ..call
    };
    let plain = || Call::get("/");
    let address = || Call {
        address: Some("192.0.2.1".parse().unwrap()),
        ..Call::new("GET", "/")
    };
    for (policy, call, from, rest) in [
        (
            gateway(json!({"trust": {"hops": 0}})),
            plain(),
            "peer",
            (2, 0, Some(0), false),
        ),
        (
            gateway(json!({"trust": {"hops": 1}})),
            plain(),
            "chain",
            (2, 1, Some(1), true),
        ),
        (
            gateway(json!({"trust": {"cidrs": ["192.0.2.0/24", "203.0.113.0/24"]}})),
            plain(),
            "allTrusted",
            (2, 2, Some(1), true),
        ),
        (
            gateway(json!({"trust": {"identities": [ID], "hops": {"min": 1, "max": 3}}})),
            with_identity(plain()),
            "vouched",
            (2, 1, Some(1), true),
        ),
        (
            gateway(json!({"trust": {"identities": [ID]}, "gatewaySends": "Canonical"})),
            with_identity(plain()),
            "canonical",
            (2, 1, Some(1), true),
        ),
        (
            gateway(json!({"mode": "Envoy", "trust": {"hops": 1}})),
            plain(),
            "chain",
            (2, 1, Some(1), true),
        ),
        (
            gateway(json!({"mode": "Envoy", "trust": {"hops": 1}})),
            address(),
            "peer",
            (0, 0, None, true),
        ),
        (
            inbound(json!({"trust": {"identities": [ID]}, "gatewaySends": "Canonical"})),
            chain("203.0.113.9").sidecar(Some(ID)),
            "canonical",
            (1, 0, Some(0), true),
        ),
        (
            gateway(
                json!({"trust": {"identities": [ID], "hops": 1}, "anomalies": {"untrustedPeer": "Allow"}}),
            ),
            chain("192.0.2.1"),
            "peer",
            (1, 0, Some(0), false),
        ),
    ] {
        let (client_from, elements, trusted, index, peer) = told(&policy, &call);
        assert_eq!(
            (client_from.as_deref(), (elements, trusted, index, peer)),
            (Some(from), rest)
        );
    }
}

/// Without any chain, as on a Unix socket: docs/header-policy.md, `anomalies`.
#[test]
fn a_gateway_without_any_chain_trusts_nobody() {
    let call = Call::new("GET", "/");
    for (trust, reason) in [
        (json!({"hops": 1}), Reason::TooFewHops),
        (json!({"hops": 0}), Reason::UntrustedPeer),
        (json!({"cidrs": ["192.0.2.0/24"]}), Reason::UntrustedPeer),
        (
            json!({"identities": [ID], "hops": 1}),
            Reason::UntrustedPeer,
        ),
    ] {
        let policy = gateway(json!({"trust": trust, "anomalies": {"untrustedPeer": "Reject"}}));
        assert_eq!(call.judge(&policy).reason(), Some(reason), "{trust}");
        let (_, elements, trusted, index, peer) = told(&policy, &call);
        assert_eq!(
            (elements, trusted, index, peer),
            (0, 0, None, false),
            "{trust}"
        );
    }
}

/// docs/header-policy.md, "Exempt paths": a request without a received chain has its peer as the client.
#[test]
fn a_check_of_a_balancer_has_its_peer_as_the_client() {
    let exempt = json!({"paths": ["/healthz"]});
    let sidecar = inbound(json!({
        "trust": {"identities": [ID], "hops": 1}, "exempt": exempt, "anomalies": {"untrustedPeer": "Reject"}, "clientIpHeader": "x-client-ip",
    }));
    let call = Call {
        address: Some("10.0.0.7".parse().unwrap()),
        ..Call::new("GET", "/healthz").sidecar(None)
    };
    let decision = call.judge(&sidecar);
    assert_eq!(decision.verdict, Outcome::Allow);
    assert_eq!(call.lines_after(&decision, "x-client-ip"), ["10.0.0.7"]);
    assert_eq!(
        told(&sidecar, &call),
        (Some("peer".to_owned()), 0, 0, None, false)
    );
    let gateway = gateway(json!({"trust": {"hops": 1}, "exempt": exempt}));
    let call = Call::get("/healthz").with("x-forwarded-for", "192.0.2.1");
    assert_eq!(
        told(&gateway, &call),
        (Some("peer".to_owned()), 1, 1, Some(0), false)
    );
}

/// Each property is a call into the host, so a policy names no more than it reads.
#[test]
fn a_policy_needs_what_it_reads_and_no_more() {
    let none = Needs {
        position: false,
        time: false,
        identity: false,
        address: false,
        tls: false,
    };
    let tls = Needs { tls: true, ..none };
    let hops =
        |number: u32, more: Value| gateway(extended(json!({"trust": {"hops": number}}), &more));
    let reject = json!({"untrustedPeer": "Reject"});
    for (row, policy, needs) in [
        (1, hops(1, json!({})), none),
        (
            2,
            tokens(json!([provider(json!({}))]), json!([]), "Require"),
            Needs { time: true, ..none },
        ),
        (
            3,
            gateway(json!({"mode": "Envoy", "trust": {"hops": 1}, "companions": "Keep"})),
            Needs {
                address: true,
                ..none
            },
        ),
        (
            4,
            gateway(json!({"trust": {"identities": [ID], "hops": 1}})),
            Needs {
                identity: true,
                ..tls
            },
        ),
        (
            5,
            policy(&json!({"forwarded": {"trust": {"hops": 1}}})),
            Needs {
                position: true,
                address: true,
                ..tls
            },
        ),
        (6, hops(0, json!({"anomalies": reject})), tls),
        (
            7,
            hops(
                0,
                json!({"anomalies": reject, "companions": {"keep": ["x-forwarded-proto"]}}),
            ),
            none,
        ),
        (
            8,
            hops(1, json!({"companions": {"also": ["x-forwarded-proto"]}})),
            tls,
        ),
        (9, hops(1, json!({"companions": "Strip"})), tls),
        (
            10,
            hops(1, json!({"anomalies": {"malformed": "Allow"}})),
            tls,
        ),
        (11, hops(1, json!({"anomalies": {"tooLong": "Allow"}})), tls),
        (
            12,
            hops(1, json!({"anomalies": {"tooFewHops": "Allow"}})),
            tls,
        ),
        (13, hops(1, json!({"exempt": {"paths": ["/healthz"]}})), tls),
    ] {
        assert_eq!(policy.needs(), needs, "row {row}");
    }
}

/// The gRPC protocol over HTTP/2, "Responses": the status is a number, the message a text for people.
#[test]
fn a_refused_grpc_call_gets_a_message_for_people() {
    for (body, content_type, expected) in [
        (
            "ProblemJson",
            "application/grpc+proto",
            (None, "Unauthorized"),
        ),
        ("Plain", "application/grpc", (None, "Unauthorized")),
        ("Empty", "application/grpc", (None, "")),
        (
            "Plain",
            "application/json",
            (Some("text/plain"), "Unauthorized"),
        ),
    ] {
        let policy = policy(&json!({
            "position": "Gateway", "jwt": {"providers": [provider(json!({}))], "otherwise": "Require"}, "replies": {"body": body},
        }));
        let decision = Call::get("/")
            .with("content-type", content_type)
            .judge(&policy);
        let Outcome::Deny(Reason::MissingToken, reply) = decision.verdict else {
            panic!("{decision:?}")
        };
        let named = reply
            .headers
            .iter()
            .find(|(name, _)| name == "content-type");
        let found = (named.map(|(_, value)| value.as_str()), reply.body);
        assert_eq!(
            (reply.grpc_status, found),
            (16, expected),
            "{body} {content_type}"
        );
    }
}

#[test]
fn an_explanation_names_rule_provider_and_position() {
    let rules = json!([{"access": "Require"}]);
    let policy = tokens(json!([provider(json!({}))]), rules, "Deny");
    let told = Call::get("/")
        .bearer(token("ann"))
        .judge(&policy)
        .explain(&policy);
    assert_eq!(told.provider.as_deref(), Some("login"));
    assert_eq!(told.rule.as_deref(), Some("rules[0]"));
    assert_eq!(told.position, Some("Gateway"));
}

/// Envoy's own reading has no anomalies, so whether the peer is trusted decides about companions alone.
#[test]
fn companions_in_the_mode_envoy() {
    for (trust, stays) in [
        (json!({"hops": 0}), false),
        (json!({"hops": 3}), true),
        (json!({"cidrs": ["192.0.2.0/24"]}), true),
        (json!({"cidrs": ["10.0.0.0/8"]}), false),
    ] {
        let policy = gateway(json!({"mode": "Envoy", "trust": trust}));
        let call = Call::get("/").with("x-forwarded-host", "a");
        let decision = call.judge(&policy);
        assert_eq!(
            call.lines_after(&decision, "x-forwarded-host").len(),
            usize::from(stays),
            "{trust}"
        );
    }
}

/// docs/header-policy.md, `conflict`: the chain of `forwarded` is that of `x-forwarded-for`, with the appended peer or without; unknown nodes contradict nothing.
#[test]
fn a_forwarded_header_agrees_with_and_without_the_peer() {
    let policy = gateway(json!({"trust": {"hops": 1}, "companions": {"keep": ["forwarded"]}}));
    for (list, forwarded, reason) in [
        (
            "203.0.113.9, 192.0.2.1",
            "for=203.0.113.9, for=192.0.2.1",
            None,
        ),
        ("203.0.113.9, 192.0.2.1", "for=203.0.113.9", None),
        (
            "203.0.113.9, 192.0.2.1",
            "for=203.0.113.8",
            Some(Reason::ForwardedConflict),
        ),
        ("198.51.100.7, 203.0.113.9, 192.0.2.1", "for=unknown", None),
        (
            "198.51.100.7, 203.0.113.9, 192.0.2.1",
            "for=203.0.113.9",
            Some(Reason::ForwardedConflict),
        ),
    ] {
        let decision = chain(list).with("forwarded", forwarded).judge(&policy);
        assert_eq!(decision.reason(), reason, "{list} {forwarded}");
    }
}

#[test]
fn a_chain_ends_at_its_limits() {
    let bytes = gateway(json!({"trust": {"hops": 1}, "limits": {"bytes": 64}}));
    let elements = gateway(json!({"trust": {"hops": 1}, "limits": {"elements": 2}}));
    let spaced = |spaces: usize| format!("203.0.113.9,{}192.0.2.1", " ".repeat(spaces));
    assert_eq!(spaced(43).len(), 64);
    for (policy, list, reason) in [
        (&bytes, spaced(43), None),
        (&bytes, spaced(44), Some(Reason::ChainTooLong)),
        (&elements, "203.0.113.9, 192.0.2.1".to_owned(), None),
        (
            &elements,
            "6.6.6.6, 203.0.113.9, 192.0.2.1".to_owned(),
            Some(Reason::ChainTooLong),
        ),
    ] {
        assert_eq!(chain(&list).judge(policy).reason(), reason, "{list}");
    }
}

/// docs/header-policy.md, `gatewaySends`: what a trusted identity sends is one address, unless `hops` count.
#[test]
fn a_canonical_chain_has_one_element_before_the_peer() {
    let known = |list: &str| Call {
        identity: Some(ID.as_bytes().to_vec()),
        ..chain(list)
    };
    let canonical = |more: Value| {
        let forwarded = json!({"trust": {"identities": [ID]}, "gatewaySends": "Canonical", "outbound": "Truncate"});
        gateway(extended(forwarded, &more))
    };
    let counted = canonical(json!({"trust": {"identities": [ID], "hops": 1}}));
    let call = known("6.6.6.6, 203.0.113.9, 192.0.2.1");
    let explained = call.judge(&counted).explain(&counted);
    assert_eq!(explained.client.as_deref(), Some("203.0.113.9"));
    let one = canonical(json!({}));
    for (list, reason) in [
        ("192.0.2.1", Some(Reason::TooFewHops)),
        ("203.0.113.9, 192.0.2.1", None),
        ("6.6.6.6, 203.0.113.9, 192.0.2.1", Some(Reason::TooManyHops)),
    ] {
        assert_eq!(known(list).judge(&one).reason(), reason, "{list}");
    }
    let call = known("203.0.113.9, 192.0.2.1");
    assert_eq!(
        call.lines_after(&call.judge(&one), "x-forwarded-for"),
        ["203.0.113.9,192.0.2.1"]
    );
}

/// docs/header-policy.md, `outbound`.
#[test]
fn what_goes_on_of_a_chain() {
    let truncating = gateway(
        json!({"trust": {"hops": 1}, "outbound": "Truncate", "anomalies": {"privateClient": "Strip"}}),
    );
    for (list, expected) in [
        ("6.6.6.6, 203.0.113.9, 192.0.2.1", "203.0.113.9,192.0.2.1"),
        ("203.0.113.9, 10.1.2.3, 192.0.2.1", "10.1.2.3"),
    ] {
        let call = chain(list);
        assert_eq!(
            call.lines_after(&call.judge(&truncating), "x-forwarded-for"),
            [expected],
            "{list}"
        );
    }
    let replacing = gateway(json!({"trust": {"hops": 0}, "outbound": "Replace"}));
    let call = chain("192.0.2.1");
    assert!(
        call.judge(&replacing).edits.is_empty(),
        "it is that already"
    );
    let mut twice = chain("192.0.2.1");
    twice.add("x-forwarded-for", "");
    assert_eq!(
        twice
            .lines_after(&twice.judge(&replacing), "x-forwarded-for")
            .len(),
        1
    );
}

#[test]
fn a_trailer_may_not_carry_what_a_token_policy_writes_or_reads() {
    let spec = |mode: &str| {
        json!({"position": "Gateway", "mode": mode, "jwt": {
            "providers": [provider(json!({
                "fromHeaders": [{"name": "x-jwt"}], "fromCookies": ["t"], "fromParams": ["p"],
                "claimsToHeaders": [{"claim": "sub", "header": "x-user"}], "payloadHeader": "x-payload",
            }))],
            "rules": [{"methods": ["GET"], "access": "Open"}], "otherwise": "Require",
        }})
    };
    let (enforced, shadow) = (policy(&spec("Enforce")), policy(&spec("Shadow")));
    for (name, strips) in [
        ("x_jwt", true),
        ("cookie", true),
        ("x-user", true),
        ("x.payload", true),
        ("x-http-method-override", true),
        ("authorization", false),
        ("p", false),
        ("t", false),
        ("x-original-url", false),
    ] {
        assert_eq!(enforced.strips_trailer(name.as_bytes()), strips, "{name}");
        assert!(!shadow.strips_trailer(name.as_bytes()), "{name}");
    }
}

/// A provider's tokens count in its own places, and what stands in the places of others that a rule doesn't count is left alone.
#[test]
fn each_provider_has_its_own_places() {
    let (ann, pat) = (token("ann"), token("partner"));
    let both = json!([provider(json!({})), partner(json!({"fromCookies": ["t"]}))]);
    let call = Call::get("/").with("cookie", format!("t={ann}; t={ann}"));
    assert_eq!(
        call.judge(&tokens(both, json!([]), "Require")).reason(),
        Some(Reason::IssuerNotTrusted)
    );
    let both = || {
        json!([
            provider(json!({})),
            partner(json!({"fromHeaders": [{"name": "x-token"}]}))
        ])
    };
    let call = Call::get("/").bearer(pat);
    assert_eq!(
        call.judge(&tokens(both(), json!([]), "Require")).reason(),
        Some(Reason::IssuerNotTrusted)
    );
    let rules = json!([{"access": "Require", "providers": ["partner"]}]);
    let call = Call::get("/").bearer("broken").with("x-token", pat);
    assert_eq!(call.judge(&tokens(both(), rules, "Deny")).reason(), None);
    let removing = json!([
        provider(json!({"token": "Remove"})),
        partner(json!({"fromHeaders": [{"name": "x-token"}]}))
    ]);
    let rules = json!([{"access": "Require", "providers": ["login"]}]);
    let call = Call::get("/").bearer(ann).with("x-token", pat);
    let decision = call.judge(&tokens(removing, rules, "Deny"));
    assert_eq!(
        (
            decision.reason(),
            call.lines_after(&decision, "x-token").len()
        ),
        (None, 1)
    );
    assert!(call.lines_after(&decision, "authorization").is_empty());
}

#[test]
fn a_token_is_as_long_as_its_provider_allows() {
    let ann = token("ann");
    for (length, reason) in [
        (ann.len(), None),
        (ann.len() - 1, Some(Reason::TokenTooLarge)),
    ] {
        let limited = || provider(json!({"maxTokenBytes": length}));
        for providers in [json!([limited()]), json!([limited(), partner(json!({}))])] {
            let decision =
                Call::get("/")
                    .bearer(ann)
                    .judge(&tokens(providers, json!([]), "Require"));
            assert_eq!(decision.reason(), reason, "{length}");
        }
    }
    // Too long for the cache: its claims are judged all the same.
    let roomy = json!([provider(json!({"maxTokenBytes": 65536}))]);
    let rules = json!([{"access": "Require", "claims": [{"claim": "sub", "equals": "ann"}]}]);
    let policy = tokens(roomy, rules, "Deny");
    for (sub, reason) in [("ann", None), ("bob", Some(Reason::ClaimMismatch))] {
        let claims =
            json!({"iss": LOGIN, "aud": "shop", "sub": sub, "exp": EXP, "more": "x".repeat(5000)});
        let call = Call::get("/").bearer(&sign("rsa-a", &claims));
        assert_eq!(call.judge(&policy).reason(), reason, "{sub}");
    }
}

/// RFC 7519 section 4.1.6 and a clock skew of 60 s.
#[test]
fn a_token_is_issued_at_most_a_skew_from_now() {
    let policy = tokens(json!([provider(json!({}))]), json!([]), "Require");
    for (more, reason) in [
        (json!({"iat": NOW + 60}), None),
        (json!({"iat": NOW + 61}), Some(Reason::IssuedInFuture)),
        (json!({"jti": 7}), Some(Reason::ClaimsMalformed)),
    ] {
        let mut claims = json!({"iss": LOGIN, "aud": "shop", "exp": EXP});
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let call = Call::get("/").bearer(&sign("rsa-a", &claims));
        assert_eq!(call.judge(&policy).reason(), reason, "{more}");
    }
}

/// docs/header-policy.md, "Key sets": a key without `alg` serves RS256 where no `algorithms` are named; what is left out is told where somebody could want it.
#[test]
fn keys_that_are_left_out_are_told_where_they_could_be_meant() {
    let set = |change: &dyn Fn(&mut Value)| {
        let mut jwks = keys(&["rsa-a", "rsa-b", "ec-a"]);
        change(&mut jwks["keys"]);
        provider(json!({"jwks": jwks}))
    };
    let told = |policy: &Policy| {
        policy
            .warnings()
            .iter()
            .map(|warning| warning.path.clone())
            .collect::<Vec<_>>()
    };
    let without = tokens(
        json!([set(&|keys| {
            keys[0].as_object_mut().unwrap().remove("alg");
        })]),
        json!([]),
        "Require",
    );
    let claims = json!({"iss": LOGIN, "aud": "shop", "exp": EXP});
    let by = |alg: &str| sign_with("rsa-a", &json!({"alg": alg, "kid": "rsa-a"}), &claims);
    assert_eq!(
        Call::get("/").bearer(&by("RS256")).judge(&without).reason(),
        None
    );
    assert_eq!(
        Call::get("/").bearer(&by("RS384")).judge(&without).reason(),
        Some(Reason::AlgorithmNotAllowed)
    );
    assert_eq!(told(&without), Vec::<String>::new());
    let odd = tokens(
        json!([set(&|keys| keys[0]["kid"] = json!(7))]),
        json!([]),
        "Require",
    );
    assert_eq!(told(&odd), ["spec.jwt.providers[0].jwks.keys[0].kid"]);
    let encrypting = |more: &Value| {
        let mut provider = set(&|keys| keys[1]["alg"] = json!("RSA-OAEP"));
        provider
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        tokens(json!([provider]), json!([]), "Require")
    };
    assert_eq!(
        told(&encrypting(&json!({}))),
        ["spec.jwt.providers[0].jwks.keys[1].alg"]
    );
    assert_eq!(
        told(&encrypting(&json!({"algorithms": ["RS256"]}))),
        Vec::<String>::new()
    );
}

/// A form writes a space as `+` (URL Standard, application/x-www-form-urlencoded).
#[test]
fn a_parameter_with_a_space_in_its_name() {
    let policy = tokens(
        json!([provider(json!({"fromParams": ["my token"]}))]),
        json!([]),
        "Require",
    );
    for name in ["my+token", "my%20token"] {
        let call = Call::get(&format!("/?{name}={}", token("ann")));
        assert_eq!(call.judge(&policy).reason(), None, "{name}");
    }
}

/// A list of lists has no text that could be told from a flat one.
#[test]
fn a_nested_list_is_no_header() {
    let policy = tokens(
        json!([provider(
            json!({"claimsToHeaders": [{"claim": "groups", "header": "x-groups"}]})
        )]),
        json!([]),
        "Require",
    );
    for (groups, expected) in [
        (json!(["staff", "admins"]), &["staff,admins"][..]),
        (json!(["staff", 7, true]), &["staff,7,true"]),
        (json!([["staff"], "admins"]), &[]),
        (json!([{"a": 1}]), &[]),
        (json!([null]), &[]),
        (json!([]), &[]),
    ] {
        let claims = json!({"iss": LOGIN, "aud": "shop", "exp": EXP, "groups": groups});
        let call = Call::get("/").bearer(&sign("rsa-a", &claims));
        let decision = call.judge(&policy);
        assert_eq!(
            call.lines_after(&decision, "x-groups"),
            expected,
            "{groups}"
        );
    }
}

/// Envoy writes `x-forwarded-proto` where it is missing: a stranger's is replaced by what the connection is, in one line.
#[test]
fn a_strangers_scheme_is_that_of_the_connection() {
    let policy = gateway(json!({"trust": {"hops": 0}}));
    for (lines, expected) in [
        (&["https", "https"][..], "https"),
        (&["http"], "https"),
        (&["https"], "https"),
    ] {
        let mut call = Call {
            tls: true,
            ..Call::get("/")
        };
        for line in lines {
            call.add("x-forwarded-proto", line);
        }
        let decision = call.judge(&policy);
        assert_eq!(
            call.lines_after(&decision, "x-forwarded-proto"),
            [expected],
            "{lines:?}"
        );
    }
}

/// RFC 7518 sections 3.3 and 6.3.1.2. The verifier is one that takes any numbers.
#[test]
fn the_numbers_of_an_rsa_key_have_bounds() {
    struct Anything;
    impl policy::Verify for Anything {
        fn verify(&self, _: &policy::Key, _: &[u8], _: &[u8]) -> policy::Verdict {
            policy::Verdict::Unavailable
        }

        fn usable(&self, _: &policy::Key) -> bool {
            true
        }
    }
    let refused = |modulus: &[u8], exponent: &[u8]| {
        let key = json!({"kty": "RSA", "kid": "a", "alg": "RS256", "n": BASE64URL.encode(modulus), "e": BASE64URL.encode(exponent)});
        let spec = json!({"position": "Gateway", "jwt": {"providers": [provider(json!({"jwks": {"keys": [key]}}))], "otherwise": "Require"}});
        let document = json!({"apiVersion": policy::API_VERSION, "spec": spec}).to_string();
        let found = Policy::from_json(document.as_bytes(), &Anything).err();
        found.map(|problems| {
            problems[0]
                .path
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
    };
    let with_top = |top: u8, length: usize| [vec![top], vec![0xff; length - 1]].concat();
    let good = with_top(0x80, 256);
    for (modulus, expected) in [
        (with_top(0x7f, 256), Some("n")),
        (good.clone(), None),
        ([vec![0, 0], good.clone()].concat(), None),
        (with_top(0xff, 1024), None),
        (with_top(0x01, 1025), Some("n")),
        (vec![], Some("n")),
    ] {
        assert_eq!(
            refused(&modulus, &[1, 0, 1]).as_deref(),
            expected,
            "{} bytes",
            modulus.len()
        );
    }
    for (exponent, expected) in [
        (&[3][..], None),
        (&[0xff; 4], None),
        (&[0, 0, 0, 0, 3], None),
        (&[0], Some("e")),
        (&[1], Some("e")),
        (&[2], Some("e")),
        (&[4], Some("e")),
        (&[1, 0, 0, 0, 1], Some("e")),
    ] {
        assert_eq!(
            refused(&good, exponent).as_deref(),
            expected,
            "{exponent:?}"
        );
    }
}
