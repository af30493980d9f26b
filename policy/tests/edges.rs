//! Each limit of the language at its border, and what an explanation says in the cases that decide nothing.

mod common;

use common::{Call, LOGIN, NOW, compiled, policy, provider, sign};
use policy::{ConfigError, Outcome, Reason, RuleRef};
use serde_json::{Value, json};

/// `spec` with this value at a place such as `/forwarded/limits/elements`; objects on the way are made.
fn with(place: &str, value: &Value) -> Value {
    let mut spec = json!({
        "position": "Gateway",
        "forwarded": {"trust": {"cidrs": ["10.0.0.0/8"]}},
        "jwt": {"providers": [provider(json!({}))], "otherwise": "Require"},
    });
    let mut at = &mut spec;
    for name in place.split('/').skip(1) {
        at = match name.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[name],
        };
    }
    *at = value.clone();
    spec
}

#[test]
fn numbers_and_durations_end_where_the_reference_says() {
    for (place, least, most) in [
        ("/forwarded/trust/hops", 0, 32),
        ("/forwarded/limits/elements", 1, 1000),
        ("/forwarded/limits/bytes", 64, 61440),
        ("/jwt/providers/0/maxTokenBytes", 256, 65536),
    ] {
        for (number, good) in [
            (least - 1, false),
            (least, true),
            (most, true),
            (most + 1, false),
        ] {
            assert_eq!(
                compiled(&with(place, &json!(number))).is_ok(),
                good,
                "{place}: {number}"
            );
        }
        assert!(compiled(&with(place, &json!(f64::from(least) + 1.5))).is_err());
        assert!(compiled(&with(place, &json!(f64::from(least) + 1.0))).is_ok());
    }
    for (place, least, most) in [
        ("/jwt/providers/0/clockSkew", 0, 600),
        ("/jwt/providers/0/maxLifetime", 1, 3660 * 86400),
    ] {
        for (seconds, good) in [
            (least - 1, false),
            (least, true),
            (most, true),
            (most + 1, false),
        ] {
            let duration = json!(format!("{seconds}s"));
            assert_eq!(
                compiled(&with(place, &duration)).is_ok(),
                good,
                "{place}: {duration}"
            );
        }
    }
    // Units.
    for (field, duration, good) in [
        ("clockSkew", "10m", true),
        ("clockSkew", "11m", false),
        ("clockSkew", "1h", false),
        ("clockSkew", "1d", false),
        ("clockSkew", "600", false),
        ("clockSkew", "m", false),
        ("clockSkew", "1w", false),
        ("maxLifetime", "3660d", true),
        ("maxLifetime", "3661d", false),
        ("maxLifetime", "87840h", true),
        ("maxLifetime", "87841h", false),
    ] {
        let place = format!("/jwt/providers/0/{field}");
        let taken = compiled(&with(&place, &json!(duration))).is_ok();
        assert_eq!(taken, good, "{field}: {duration}");
    }
}

#[test]
fn texts_and_lists_end_where_the_reference_says() {
    let name = |length: usize| json!("x".repeat(length));
    for (place, most) in [("/forwarded/clientIpHeader", 128), ("/replies/realm", 128)] {
        for (length, good) in [(0, false), (1, true), (most, true), (most + 1, false)] {
            assert_eq!(
                compiled(&with(place, &name(length))).is_ok(),
                good,
                "{place}: {length}"
            );
        }
    }
    let providers = |count: usize| {
        let named = (0..count)
            .map(|n| provider(json!({"name": format!("p{n}"), "issuer": format!("https://{n}")})));
        json!({"providers": named.collect::<Vec<_>>(), "otherwise": "Require"})
    };
    assert!(compiled(&with("/jwt", &providers(64))).is_ok());
    assert!(compiled(&with("/jwt", &providers(65))).is_err());
    let places = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("c{n}")).collect();
        json!([provider(json!({"fromCookies": names}))])
    };
    assert!(compiled(&with("/jwt/providers", &places(64))).is_ok());
    assert!(compiled(&with("/jwt/providers", &places(65))).is_err());
    // 2^53, the last whole number before which a double has them all.
    for (number, good) in [
        (9_007_199_254_740_992_u64, true),
        (9_007_199_254_740_993, false),
    ] {
        let rules = json!([{"access": "Require", "claims": [{"claim": "n", "equals": number}]}]);
        assert_eq!(
            compiled(&with("/jwt/rules", &rules)).is_ok(),
            good,
            "{number}"
        );
    }
}

/// A key may have members of its own, and the deepest value there is the policy's deepest.
#[test]
fn a_policy_nests_32_levels_and_no_more() {
    let nested = |levels: usize| {
        let deep = (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let mut jwks = common::keys(&["rsa-a"]);
        jwks["more"] = deep;
        with("/jwt/providers/0/jwks", &jwks)
    };
    // `spec.jwt.providers[0].jwks.more` stands on the fifth level below `spec`.
    assert!(compiled(&nested(27)).is_ok());
    let problems = compiled(&nested(28)).unwrap_err();
    assert_eq!(problems[0].found, "values nested deeper than 32");
}

#[test]
fn a_message_shows_sixty_characters_and_a_document_fifty_problems() {
    for (length, shown) in [(60, "x".repeat(60)), (61, format!("{}…", "x".repeat(60)))] {
        let problems = compiled(&with("/mode", &json!("x".repeat(length)))).unwrap_err();
        assert_eq!(problems[0].found, format!("`{shown}`"));
    }
    let unknown = |count: usize| {
        let mut spec = with("/mode", &json!("Enforce"));
        for number in 0..count {
            spec[format!("field{number}")] = json!(1);
        }
        compiled(&spec).unwrap_err()
    };
    assert_eq!(unknown(50).len(), 50);
    let told = unknown(53);
    assert_eq!((told.len(), &*told[50].found), (51, "3 more problems"));
}

/// RFC 7519 section 2 counts seconds without an end; the year 9999 is one.
#[test]
fn a_date_ends_with_the_year_9999() {
    let policy = policy(&with("/forwarded/limits", &json!({})));
    for (exp, reason) in [
        (253_402_300_799_u64, None),
        (253_402_300_800, Some(Reason::ClaimsMalformed)),
    ] {
        let token = sign("rsa-a", &json!({"iss": LOGIN, "aud": "shop", "exp": exp}));
        assert_eq!(
            Call::get("/").bearer(&token).judge(&policy).reason(),
            reason
        );
    }
}

#[test]
fn a_claim_of_8192_bytes_is_published_and_a_longer_one_is_not() {
    let emitting = provider(
        json!({"maxTokenBytes": 65536, "claimsToHeaders": [{"claim": "sub", "header": "x-user"}]}),
    );
    let policy = policy(&with("/jwt/providers/0", &emitting));
    for (length, published) in [(8192, true), (8193, false)] {
        let claims =
            json!({"iss": LOGIN, "aud": "shop", "exp": NOW + 60, "sub": "a".repeat(length)});
        let call = Call::get("/").bearer(&sign("rsa-a", &claims));
        let decision = call.judge(&policy);
        assert_eq!(decision.verdict, Outcome::Allow);
        let after = call.after(&decision);
        assert_eq!(
            after.iter().any(|(name, _)| name == b"x-user"),
            published,
            "{length}"
        );
    }
}

/// What no rule looks at is not parsed, so nothing about it refuses (docs/header-policy.md, "What is compared").
#[test]
fn only_what_an_enforced_rule_looks_at_can_be_ambiguous() {
    let odd = |part: &str| match part {
        "methods" => Call::new("get", "/").with("x-forwarded-for", "10.1.1.1"),
        "hosts" => Call::get("/").with(":authority", "shop.example.com:x"),
        _ => Call::get("/a%2fb"),
    };
    let parts = [
        ("methods", json!("PUT"), Reason::MethodAmbiguous),
        ("hosts", json!("other.example.com"), Reason::HostAmbiguous),
        ("paths", json!("/other"), Reason::PathAmbiguous),
    ];
    for (looked_at, pattern, _) in &parts {
        for mode in ["Enforce", "Shadow"] {
            let rules = json!([{*looked_at: [pattern], "access": "Deny", "mode": mode}]);
            let jwt =
                json!({"providers": [provider(json!({}))], "rules": rules, "otherwise": "Open"});
            let policy = policy(&with("/jwt", &jwt));
            for (part, _, reason) in &parts {
                let decision = odd(part).judge(&policy);
                let refuses = looked_at == part && mode == "Enforce";
                assert_eq!(
                    decision.reason(),
                    refuses.then_some(*reason),
                    "{looked_at} {mode}, odd {part}"
                );
            }
        }
    }
}

#[test]
fn an_explanation_says_where_a_client_stands_that_nobody_vouches_for() {
    let trust = |trust: Value, anomalies: Value| {
        policy(
            &json!({"position": "Gateway", "forwarded": {"trust": trust, "anomalies": anomalies}}),
        )
    };
    let told = |policy: &policy::Policy, call: &Call| {
        let chain = call.judge(policy).explain(policy).chain.unwrap();
        (
            chain.elements,
            chain.trusted,
            chain.client_index,
            chain.peer_trusted,
        )
    };
    let by_identity = trust(
        json!({"identities": ["spiffe://cluster.local/ns/edge/sa/proxy"], "hops": 1}),
        json!({"untrustedPeer": "Allow"}),
    );
    let call = Call::get("/").with("x-forwarded-for", "203.0.113.9, 192.0.2.1");
    assert_eq!(told(&by_identity, &call), (2, 0, Some(0), false));
    let empty = Call::get("/").with("x-forwarded-for", "");
    assert_eq!(told(&by_identity, &empty).2, None);
}

/// Without TLS the scheme of a stranger's request can't be written, so it is read wherever a stranger can be met.
#[test]
fn the_scheme_is_read_where_a_gateway_can_meet_a_stranger() {
    let needs = |trust: Value| {
        policy(&json!({"position": "Gateway", "forwarded": {"trust": trust}}))
            .needs()
            .tls
    };
    assert!(needs(json!({"cidrs": ["10.0.0.0/8"]})));
    assert!(needs(
        json!({"identities": ["spiffe://cluster.local/ns/edge/sa/proxy"], "hops": 1})
    ));
    assert!(needs(json!({"hops": 0})));
    assert!(!needs(json!({"hops": 1})));
}

/// Companions that are listed, those of `also`, `x-forwarded-*`, and nothing else; each in other spellings too.
#[test]
fn a_trailer_may_not_tell_the_client() {
    let policy = policy(&json!({"position": "Gateway", "forwarded": {
        "trust": {"hops": 1}, "companions": {"also": ["x-shop-*", "x-edge"]}, "clientIpHeader": "x-client",
    }}));
    for (name, strips) in [
        ("x-real-ip", true),
        ("x_real_ip", true),
        ("x-forwarded-for", true),
        ("x-forwarded-nonsense", true),
        ("x-edge", true),
        ("x-shop-ip", true),
        ("x-shop.ip", true),
        ("x-client", true),
        ("x-other", false),
        ("x-forwarde", false),
        ("x-shop", false),
        ("grpc-status", false),
    ] {
        assert_eq!(policy.strips_trailer(name.as_bytes()), strips, "{name}");
    }
}

/// What stands in a header that carries secrets is told in words, and every other value as it is.
#[test]
fn an_explanation_shows_no_payload_and_no_neighbour_of_a_token() {
    let emitting = provider(json!({
        "fromCookies": ["session"], "fromParams": ["token"], "token": "Remove", "payloadHeader": "x-payload",
        "claimsToHeaders": [{"claim": "sub", "header": "x-user"}],
    }));
    let policy = policy(&with("/jwt/providers/0", &emitting));
    let ann = common::token("ann");
    let call =
        Call::get(&format!("/?a=1&token={ann}")).with("cookie", format!("b=2; session={ann}"));
    let decision = call.judge(&policy);
    assert_eq!(decision.verdict, Outcome::Allow);
    let told = serde_json::to_value(decision.explain(&policy)).unwrap();
    let set: Vec<&Value> = told["edits"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|edit| edit.get("set"))
        .collect();
    for expected in [
        json!([":path", "<without the token>"]),
        json!(["cookie", "<without the token>"]),
        json!(["x-payload", "<the token's payload>"]),
        json!(["x-user", "ann"]),
    ] {
        assert!(set.contains(&&expected), "{expected} in {told}");
    }
    let removed = json!({"remove": "x-user"});
    let forged = Call::get("/").with("x-user", "mallory");
    let told = serde_json::to_value(forged.judge(&policy).explain(&policy)).unwrap();
    assert!(
        told["edits"].as_array().unwrap().contains(&removed),
        "{told}"
    );
}

#[test]
fn a_problem_is_one_line_with_its_place_first() {
    let problems = compiled(&with("/mode", &json!("a\nb"))).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "spec.mode: found `a\u{fffd}b`, expected one of `Enforce`, `Shadow`"
    );
    for (document, expected) in [
        (
            &b"{"[..],
            "found text that is no JSON at line 1, column 1, expected a JSON object",
        ),
        (
            b"\xff",
            "found bytes that are no UTF-8, expected a JSON object",
        ),
    ] {
        let problems = policy::Policy::from_json(document, &common::Honest).unwrap_err();
        assert_eq!(problems[0].to_string(), expected);
    }
}

/// The problems of a spec that doesn't compile.
fn problems(spec: &Value) -> Vec<ConfigError> {
    compiled(spec).unwrap_err()
}

#[test]
fn a_problem_says_what_was_found() {
    for (value, found) in [
        (json!({"a": 1}), "an object"),
        (json!([1]), "a list"),
        (json!(null), "nothing (null)"),
        (json!(""), "an empty text"),
        (json!(7), "`7`"),
        (json!(true), "`true`"),
        // Letters of both cases and digits are a secret from 24 on, and a name before.
        (
            json!("aB3aB3aB3aB3aB3aB3aB3aB"),
            "`aB3aB3aB3aB3aB3aB3aB3aB`",
        ),
        (json!("aB3aB3aB3aB3aB3aB3aB3aB3"), "`… (a token or a key)`"),
        (
            json!("ab3ab3ab3ab3ab3ab3ab3ab3"),
            "`ab3ab3ab3ab3ab3ab3ab3ab3`",
        ),
        (
            json!("AB3AB3AB3AB3AB3AB3AB3AB3"),
            "`AB3AB3AB3AB3AB3AB3AB3AB3`",
        ),
        (
            json!("aBcaBcaBcaBcaBcaBcaBcaBc"),
            "`aBcaBcaBcaBcaBcaBcaBcaBc`",
        ),
        (
            json!("aB3aB3aB3aB3-aB3aB3aB3aB3"),
            "`aB3aB3aB3aB3-aB3aB3aB3aB3`",
        ),
    ] {
        assert_eq!(problems(&with("/mode", &value))[0].found, found);
    }
    let neither = &problems(&json!({"position": "Gateway"}))[0];
    assert_eq!(
        (&*neither.path, &*neither.found),
        ("spec.forwarded", "neither `forwarded` nor `jwt`")
    );
    let none = &problems(&with("/forwarded/trust", &json!({})))[0];
    assert_eq!(none.found, "none of `hops`, `cidrs` and `identities`");
}

/// A hint stands where something helps, and only there.
#[test]
fn a_problem_has_the_hint_that_helps() {
    let hint = |spec: &Value| problems(spec)[0].hint.clone();
    let large = |number: u64| hint(&with("/forwarded/limits", &json!({"bytes": number})));
    assert_eq!(
        large(9_007_199_254_740_994).as_deref(),
        Some("integers above 2^53 change on their way to the proxy")
    );
    assert_eq!(large(9_007_199_254_740_992), None);
    let identities = json!({"forwarded": {"trust": {"identities": ["spiffe://a/ns/b/sa/c"]}}});
    let alone = problems(&identities);
    assert_eq!(
        (alone.len(), &*alone[0].path),
        (1, "spec.forwarded.trust.hops")
    );
    assert!(
        alone[0]
            .hint
            .as_ref()
            .unwrap()
            .contains("gatewaySends: Canonical")
    );
    let range = json!({"position": "Gateway", "forwarded": {"mode": "Envoy", "trust": {"hops": {"min": 1, "max": 2}}}});
    assert_eq!(hint(&range), None);
    // Two letters away, and three.
    let slip = problems(&with("/forwarded/trust", &json!({"ho": 1})));
    assert_eq!(slip.len(), 1);
    assert_eq!(slip[0].hint.as_deref(), Some("did you mean `hops`?"));
    let other = problems(&json!({"position": "Gateway", "forwarded": {"trxyz": {"hops": 1}}}));
    let named: Vec<(&str, Option<&str>)> = other
        .iter()
        .map(|problem| (&*problem.path, problem.hint.as_deref()))
        .collect();
    assert_eq!(
        named,
        [
            ("spec.forwarded.trust", None),
            ("spec.forwarded.trxyz", None)
        ]
    );
}

/// docs/header-policy.md, `claims[].equals`: numbers are compared as numbers, however they are spelled (RFC 8259 section 6).
#[test]
fn a_claim_equals_a_number_and_no_other() {
    for (wanted, claimed, reason) in [
        ("1.5", "1.5", None),
        ("1.5", "1", Some(Reason::ClaimMismatch)),
        ("1", "1.0", None),
        ("1.0", "1", None),
        ("1", "1.5", Some(Reason::ClaimMismatch)),
        ("9007199254740992", "9007199254740992", None),
        (
            "9007199254740992",
            "9007199254740993",
            Some(Reason::ClaimMismatch),
        ),
    ] {
        let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let rules =
            json!([{"access": "Require", "claims": [{"claim": "n", "equals": number(wanted)}]}]);
        let policy = policy(&with("/jwt/rules", &rules));
        let claims = json!({"iss": LOGIN, "aud": "shop", "exp": NOW + 60, "n": number(claimed)});
        let call = Call::get("/")
            .with("x-forwarded-for", "203.0.113.9, 10.1.1.1")
            .bearer(&sign("rsa-a", &claims));
        assert_eq!(call.judge(&policy).reason(), reason, "{wanted}, {claimed}");
    }
}

/// docs/header-policy.md, "Which rule?": the headers that replace what a rule looks at are removed, and no others.
#[test]
fn overrides_of_what_a_rule_looks_at_are_removed() {
    let methods = [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ];
    let paths = ["x-original-url", "x-rewrite-url"];
    for (rule, by_method, by_path) in [
        (json!({"methods": ["PUT"], "access": "Deny"}), true, false),
        (json!({"paths": ["/x"], "access": "Deny"}), false, true),
        (
            json!({"hosts": ["other.test"], "access": "Deny"}),
            false,
            false,
        ),
        (
            json!({"methods": ["PUT"], "paths": ["/x"], "access": "Deny"}),
            true,
            true,
        ),
    ] {
        let policy = policy(&json!({"position": "Gateway", "jwt": {
            "providers": [provider(json!({}))], "rules": [rule], "otherwise": "Open",
        }}));
        let mut call = Call::get("/");
        for name in methods.iter().chain(&paths) {
            call.add(name, "x");
        }
        let decision = call.judge(&policy);
        assert_eq!(decision.verdict, Outcome::Allow);
        let after = call.after(&decision);
        let is_left = |name: &&str| after.iter().any(|(known, _)| known == name.as_bytes());
        assert!(
            methods.iter().all(|name| is_left(name) != by_method),
            "{rule}"
        );
        assert!(paths.iter().all(|name| is_left(name) != by_path), "{rule}");
    }
}

/// A preflight whose method another header replaces is a request like others.
#[test]
fn a_preflight_has_no_header_that_replaces_its_method() {
    let policy = policy(
        &json!({"position": "Gateway", "jwt": {"providers": [provider(json!({}))], "otherwise": "Require"}}),
    );
    for (name, is_preflight) in [
        ("x-original-url", true),
        ("x-rewrite-url", true),
        ("x-http-method-override", false),
        ("x-http-method", false),
        ("x-method-override", false),
    ] {
        let call = Call::new("OPTIONS", "/")
            .with("origin", "https://shop.example.com")
            .with("access-control-request-method", "PUT")
            .with(name, "DELETE");
        let decision = call.judge(&policy);
        let expected = (!is_preflight).then_some(Reason::MissingToken);
        assert_eq!(decision.reason(), expected, "{name}");
        assert_eq!(
            decision.trace.rule == Some(RuleRef::Preflight),
            is_preflight,
            "{name}"
        );
    }
}

/// docs/header-policy.md, `maxLifetime`: the most that `exp` − `iat` may be.
#[test]
fn a_lifetime_in_each_unit_ends_at_its_second() {
    for (lifetime, seconds) in [("90s", 90), ("2m", 120), ("1h", 3600), ("1d", 86400)] {
        let policy = policy(&with("/jwt/providers/0/maxLifetime", &json!(lifetime)));
        for (more, reason) in [(0, None), (1, Some(Reason::LifetimeTooLong))] {
            let issued = NOW - 10;
            let claims =
                json!({"iss": LOGIN, "aud": "shop", "iat": issued, "exp": issued + seconds + more});
            let call = Call::get("/")
                .with("x-forwarded-for", "203.0.113.9, 10.1.1.1")
                .bearer(&sign("rsa-a", &claims));
            assert_eq!(call.judge(&policy).reason(), reason, "{lifetime}");
        }
    }
    assert!(compiled(&with("/jwt/providers/0/clockSkew", &json!("+5m"))).is_err());
}

/// A private key is told alone: the keys beside it that can't be used refuse nothing.
#[test]
fn a_private_key_is_one_problem() {
    let jwks =
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}, {"kty": "RSA"}]});
    let found = problems(&with("/jwt/providers/0/jwks", &jwks));
    let paths: Vec<&str> = found.iter().map(|problem| &*problem.path).collect();
    assert_eq!(paths, ["spec.jwt.providers[0].jwks.keys[0].d"]);
}

/// docs/header-policy.md, `gatewaySends`: with `Canonical` a chain has one element.
#[test]
fn a_canonical_chain_may_be_limited_to_its_one_element() {
    let spec = json!({"position": "SidecarInbound", "forwarded": {
        "trust": {"identities": ["spiffe://a/ns/b/sa/c"]}, "gatewaySends": "Canonical", "limits": {"elements": 1},
    }});
    assert!(compiled(&spec).is_ok());
}

/// RFC 9110 sections 5.5 and 5.6.4.
#[test]
fn texts_of_headers_hold_printable_ascii() {
    let prefix = |text: &str| {
        let places = json!([{"name": "x-token", "prefix": text}]);
        compiled(&with("/jwt/providers/0/fromHeaders", &places)).is_ok()
    };
    let realm = |text: &str| compiled(&with("/replies/realm", &json!(text))).is_ok();
    for (text, as_prefix, as_realm) in [
        ("~", true, true),
        ("a b", true, true),
        ("a ", true, true),
        (" a", false, true),
        ("a,", false, true),
        ("a\u{1f}", false, false),
        ("a\u{7f}", false, false),
        ("a\\", true, false),
        ("a\"", true, false),
    ] {
        assert_eq!(
            (prefix(text), realm(text)),
            (as_prefix, as_realm),
            "{text:?}"
        );
    }
}

#[test]
fn a_companion_with_a_star_has_a_name_before_it() {
    let taken =
        |name: &str| compiled(&with("/forwarded/companions", &json!({"also": [name]}))).is_ok();
    for (name, good) in [
        ("ab-*", true),
        ("a-*", false),
        ("-*", false),
        ("*", false),
        ("ab*", false),
        ("a*b-*", false),
    ] {
        assert_eq!(taken(name), good, "{name}");
    }
}

/// Half of a surrogate pair is no text that a header or a claim could hold.
#[test]
fn half_of_a_surrogate_pair_is_no_text() {
    let rules = json!([{"access": "Require", "claims": [{"claim": "n", "equals": "HALF"}]}]);
    let spec = with("/jwt/rules", &rules)
        .to_string()
        .replace("HALF", "\\ud800");
    let document = format!(
        "{{\"apiVersion\":\"{}\",\"spec\":{spec}}}",
        policy::API_VERSION
    );
    let found = policy::Policy::from_json(document.as_bytes(), &common::Honest).unwrap_err();
    assert_eq!(found[0].path, "spec.jwt.rules[0].claims[0].equals");
}
