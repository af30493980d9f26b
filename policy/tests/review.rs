//! What compiles and is surely not meant, and what is near to it and meant.
#![cfg(feature = "findings")]

mod common;

use common::{compiled, provider};
use policy::{API_VERSION, ConfigError, Review, review};
use serde_json::{Value, json};

/// The review of a policy, which the filter compiles.
fn reviewed(spec: &Value) -> Review {
    if let Err(problems) = compiled(spec) {
        panic!("{spec}: {problems:?}");
    }
    review(
        json!({"apiVersion": API_VERSION, "spec": spec})
            .to_string()
            .as_bytes(),
    )
}

fn paths(told: &[ConfigError]) -> Vec<&str> {
    told.iter().map(|told| told.path.as_str()).collect()
}

fn findings(spec: &Value) -> Vec<String> {
    let review = reviewed(spec);
    paths(&review.findings)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn with_rules(rules: &Value) -> Value {
    json!({"jwt": {"providers": [provider(json!({}))], "rules": rules, "otherwise": "Require"}})
}

fn with_provider(more: Value) -> Value {
    json!({"jwt": {"providers": [provider(more)], "otherwise": "Require"}})
}

fn with_forwarded(forwarded: Value) -> Value {
    let mut forwarded = forwarded;
    if forwarded.get("trust").is_none() {
        forwarded["trust"] = json!({"cidrs": ["10.0.0.0/8"]});
    }
    json!({"forwarded": forwarded})
}

/// Each row: earlier rules' conditions, those of the last rule, and whether an earlier rule decides all of its requests.
#[test]
fn a_rule_behind_wider_ones_can_never_decide() {
    let rows = [
        // Paths
        (
            json!([{"paths": ["/shop/*"]}]),
            json!({"paths": ["/shop/internal/*"]}),
            true,
        ),
        (
            json!([{"paths": ["/shop/*"]}]),
            json!({"paths": ["/shop/*"]}),
            true,
        ),
        (
            json!([{"paths": ["/shop/*"]}]),
            json!({"paths": ["/shop"]}),
            true,
        ),
        (
            json!([{"paths": ["/shop/*"]}]),
            json!({"paths": ["/shop/x", "/shop/y/"]}),
            true,
        ),
        (
            json!([{"paths": ["/shop"]}]),
            json!({"paths": ["/shop/"]}),
            true,
        ),
        (
            json!([{"paths": ["/v1/users%3Apurge"]}]),
            json!({"paths": ["/v1/users:purge"]}),
            true,
        ),
        (
            json!([{"paths": ["/*"]}]),
            json!({"paths": ["/x/*", "/", "/*"]}),
            true,
        ),
        (
            json!([{"paths": ["*"]}]),
            json!({"paths": ["/*"], "methods": ["GET"]}),
            true,
        ),
        (
            json!([{"paths": ["*"]}]),
            json!({"hosts": ["a.example"]}),
            true,
        ),
        (
            json!([{"paths": ["/a/*"]}, {"paths": ["/b/*"]}]),
            json!({"paths": ["/a/x", "/b/x"]}),
            true,
        ),
        (
            json!([{"paths": ["/shop/*"]}]),
            json!({"paths": ["/shopping/*"]}),
            false,
        ),
        (
            json!([{"paths": ["/shop/*"]}]),
            json!({"paths": ["/*"]}),
            false,
        ),
        (
            json!([{"paths": ["/shop"]}]),
            json!({"paths": ["/shop/*"]}),
            false,
        ),
        (
            json!([{"paths": ["/shop/internal/*"]}]),
            json!({"paths": ["/shop/*"]}),
            false,
        ),
        (
            json!([{"paths": ["/shop/*"]}]),
            json!({"paths": ["/shop/x", "/cart"]}),
            false,
        ),
        (
            json!([{"paths": ["/Shop/*"]}]),
            json!({"paths": ["/shop/x"]}),
            false,
        ),
        // `OPTIONS *` is left.
        (json!([{"paths": ["/*"]}]), json!({"paths": ["*"]}), false),
        (json!([{"paths": ["/*"]}]), json!({}), false),
        // Hosts
        (
            json!([{"hosts": ["*.example.com"]}]),
            json!({"hosts": ["a.example.com", "*.b.example.com"]}),
            true,
        ),
        (
            json!([{"hosts": ["A.example.com"]}]),
            json!({"hosts": ["a.EXAMPLE.com"]}),
            true,
        ),
        (
            json!([{"hosts": ["*.example.com"]}]),
            json!({"hosts": ["example.com"]}),
            false,
        ),
        (
            json!([{"hosts": ["*.b.example.com"]}]),
            json!({"hosts": ["*.example.com"]}),
            false,
        ),
        (
            json!([{"hosts": ["*.example.com"]}]),
            json!({"hosts": ["*.badexample.com"]}),
            false,
        ),
        (json!([{"hosts": ["a.example.com"]}]), json!({}), false),
        // Methods
        (
            json!([{"methods": ["GET"]}]),
            json!({"methods": ["HEAD"]}),
            true,
        ),
        (
            json!([{"methods": ["GET", "POST"]}]),
            json!({"methods": ["POST"], "paths": ["/x"]}),
            true,
        ),
        (
            json!([{"methods": ["HEAD"]}]),
            json!({"methods": ["GET"]}),
            false,
        ),
        (
            json!([{"methods": ["GET"]}]),
            json!({"methods": ["GET", "POST"]}),
            false,
        ),
        (
            json!([{"methods": ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]}]),
            json!({}),
            false,
        ),
        // Together
        (
            json!([{"paths": ["/a/*"], "methods": ["GET"]}]),
            json!({"paths": ["/a/b"], "methods": ["GET"], "hosts": ["x.example"]}),
            true,
        ),
        (
            json!([{"paths": ["/a/*"], "methods": ["GET"]}, {"paths": ["/a/*"], "methods": ["POST"]}]),
            json!({"paths": ["/a/b"], "methods": ["GET", "POST"]}),
            true,
        ),
        (
            json!([{"paths": ["/a/*"], "hosts": ["x.example"]}, {"paths": ["/b/*"], "hosts": ["y.example"]}]),
            json!({"paths": ["/a/1", "/b/1"], "hosts": ["x.example", "y.example"]}),
            false,
        ),
        (
            json!([{"paths": ["/a/*"], "methods": ["GET"]}]),
            json!({"paths": ["/a/b"]}),
            false,
        ),
        (
            json!([{"paths": ["/a/*"], "hosts": ["x.example"]}]),
            json!({"paths": ["/a/b"], "hosts": ["y.example"]}),
            false,
        ),
    ];
    let mut wrong = Vec::new();
    for (earlier, last, dead) in rows {
        // Both polarities: what the rules do plays no part.
        for (before, then) in [("Open", "Deny"), ("Deny", "Open"), ("Require", "Optional")] {
            let mut rules = earlier.clone();
            let list = rules.as_array_mut().unwrap();
            list.push(last.clone());
            let place = list.len() - 1;
            for (index, rule) in list.iter_mut().enumerate() {
                rule["access"] = json!(if index == place { then } else { before });
            }
            let found = findings(&with_rules(&rules));
            let due: Vec<String> = dead
                .then(|| format!("spec.jwt.rules[{place}]"))
                .into_iter()
                .collect();
            if found != due {
                wrong.push(format!("{rules}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Who decides instead is named, so that the cause is found in a long list.
#[test]
fn a_rule_that_can_never_decide_names_those_that_do() {
    let spec = with_rules(&json!([
        {"name": "site", "paths": ["/shop/*"], "access": "Open"},
        {"paths": ["/cart"], "access": "Open"},
        {"name": "internal", "paths": ["/shop/internal/*"], "access": "Deny"},
        {"paths": ["/cart", "/shop/x"], "access": "Deny"},
    ]));
    let found: Vec<String> = reviewed(&spec)
        .findings
        .into_iter()
        .map(|finding| finding.found)
        .collect();
    assert_eq!(
        found,
        [
            "a rule whose requests are all decided by `rules[0]` (`site`)",
            "a rule whose requests are all decided by `rules[0]` (`site`), `rules[1]`",
        ]
    );
}

/// A rule in `Shadow` is the rule that matched: what it would refuse goes on, and no later rule is asked. Its author may expect otherwise, so the hint says so.
#[test]
fn a_rule_in_shadow_decides() {
    let rules = json!([
        {"paths": ["/admin/*"], "access": "Deny", "mode": "Shadow"},
        {"paths": ["/admin/*"], "access": "Deny"},
    ]);
    let spec = json!({"position": "Gateway", "jwt": {"providers": [provider(json!({}))], "rules": rules, "otherwise": "Deny"}});
    let decision = common::Call::get("/admin/x").judge(&common::policy(&spec));
    assert_eq!(
        decision.verdict,
        policy::Outcome::Allow,
        "the second rule was asked"
    );
    let review = reviewed(&spec);
    assert_eq!(paths(&review.findings), ["spec.jwt.rules[1]"]);
    assert!(
        review.findings[0]
            .hint
            .as_deref()
            .unwrap()
            .contains("`Shadow`")
    );
}

#[test]
fn stars_and_braces_that_stand_for_themselves() {
    let claims = |more: Value| {
        let mut test = json!({"claim": "groups", "contains": "admins"});
        for (name, value) in more.as_object().unwrap() {
            test[name] = value.clone();
        }
        with_rules(&json!([{"paths": ["/a"], "access": "Require", "claims": [test]}]))
    };
    let emit = |claim: Value, header: &str| {
        with_provider(json!({"claimsToHeaders": [{"claim": claim, "header": header}]}))
    };
    let rule = |path: &str| with_rules(&json!([{"paths": [path], "access": "Open"}]));
    let trust = |id: &str| with_forwarded(json!({"trust": {"hops": 1, "identities": [id]}}));
    let of_provider = |field: &str| format!("spec.jwt.providers[0].{field}");
    for (spec, path) in [
        (
            with_provider(json!({"issuer": "https://login.example.com/*/v2.0"})),
            of_provider("issuer"),
        ),
        (
            with_provider(json!({"issuer": "https://login.example.com/{tenantid}/v2.0"})),
            of_provider("issuer"),
        ),
        (
            with_provider(json!({"audiences": ["shop", "shop-*"]})),
            of_provider("audiences[1]"),
        ),
        (
            with_provider(json!({"subjects": ["*@example.com"]})),
            of_provider("subjects[0]"),
        ),
        (
            with_provider(json!({"subjects": ["a", "system:*:shop*"]})),
            of_provider("subjects[1]"),
        ),
        (
            with_provider(json!({"types": ["*"]})),
            of_provider("types[0]"),
        ),
        (
            with_provider(json!({"fromHeaders": [{"name": "x-jwt-*"}]})),
            of_provider("fromHeaders[0].name"),
        ),
        (
            with_provider(json!({"fromHeaders": [{"name": "x-jwt", "prefix": "* "}]})),
            of_provider("fromHeaders[0].prefix"),
        ),
        (
            with_provider(json!({"fromCookies": ["session*"]})),
            of_provider("fromCookies[0]"),
        ),
        (
            with_provider(json!({"fromParams": ["*"]})),
            of_provider("fromParams[0]"),
        ),
        (
            with_provider(json!({"payloadHeader": "x-*"})),
            of_provider("payloadHeader"),
        ),
        (
            emit(json!("realm_access.*"), "x-roles"),
            of_provider("claimsToHeaders[0].claim"),
        ),
        (
            emit(json!(["realm_access", "*"]), "x-roles"),
            of_provider("claimsToHeaders[0].claim[1]"),
        ),
        (
            emit(json!("sub"), "x-claim-*"),
            of_provider("claimsToHeaders[0].header"),
        ),
        (
            claims(json!({"claim": "*"})),
            "spec.jwt.rules[0].claims[0].claim".to_owned(),
        ),
        (
            rule("/orders/{id}/line-items"),
            "spec.jwt.rules[0].paths[0]".to_owned(),
        ),
        (rule("/orders/{*}"), String::new()),
        (rule("/orders/}x"), "spec.jwt.rules[0].paths[0]".to_owned()),
        (
            with_forwarded(json!({"exempt": {"paths": ["/health", "/{probe}"]}})),
            "spec.forwarded.exempt.paths[1]".to_owned(),
        ),
        (
            with_forwarded(json!({"companions": {"keep": ["x-forwarded-*"]}})),
            "spec.forwarded.companions.keep[0]".to_owned(),
        ),
        (
            with_forwarded(json!({"clientIpHeader": "x-client-*"})),
            "spec.forwarded.clientIpHeader".to_owned(),
        ),
        (
            trust("spiffe://cluster.local/ns/{ns}/sa/gateway"),
            "spec.forwarded.trust.identities[0]".to_owned(),
        ),
    ] {
        if path.is_empty() {
            // `*` is no character of a path that rules can have: refused before.
            assert!(compiled(&spec).is_err(), "{spec}");
            continue;
        }
        assert_eq!(findings(&spec), [path], "{spec}");
    }
    for meant in [
        with_provider(json!({"subjects": ["*", "system:serviceaccount:shop:*"]})),
        emit(json!(["realm_access", "roles"]), "x-roles"),
        emit(json!("https://example.com/roles"), "x-roles"),
        rule("/orders/*"),
        rule("*"),
        rule("/orders/%7Bid%7D"),
        with_forwarded(json!({"companions": {"keep": ["x-forwarded-host"], "also": ["x-shop-*"]}})),
        with_forwarded(json!({"exempt": {"paths": ["/health/*"]}})),
    ] {
        assert_eq!(findings(&meant), Vec::<String>::new(), "{meant}");
    }
}

/// Scopes such as `read:*` exist: a value is worth a look and no more.
#[test]
fn a_star_in_a_value_is_a_warning() {
    for test in [
        json!({"claim": "scope", "contains": "read:*"}),
        json!({"claim": "team", "equals": "shop-*"}),
    ] {
        let field = if test.get("equals").is_some() {
            "equals"
        } else {
            "contains"
        };
        let review = reviewed(&with_rules(
            &json!([{"access": "Require", "claims": [test]}]),
        ));
        assert!(review.findings.is_empty());
        assert_eq!(
            paths(&review.warnings),
            [format!("spec.jwt.rules[0].claims[0].{field}")]
        );
    }
}

/// Whoever connects stands at the position that hops count.
#[test]
fn hops_alone_are_a_warning() {
    for (trust, mode, warned) in [
        (json!({"hops": 1}), "Strict", true),
        (json!({"hops": 2}), "Envoy", true),
        (json!({"hops": 0}), "Strict", false),
        (json!({"hops": 1, "cidrs": ["10.0.0.0/8"]}), "Strict", false),
        (json!({"cidrs": ["10.0.0.0/8"]}), "Envoy", false),
        (
            json!({"hops": 1, "identities": ["spiffe://a/ns/b/sa/c"]}),
            "Strict",
            false,
        ),
    ] {
        let review = reviewed(&with_forwarded(json!({"trust": trust, "mode": mode})));
        assert!(review.findings.is_empty(), "{trust}");
        let due: &[&str] = if warned {
            &["spec.forwarded.trust.hops"]
        } else {
            &[]
        };
        assert_eq!(paths(&review.warnings), due, "{trust}");
    }
}

/// Istio's ids are `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT`.
#[test]
fn an_identity_wildcard_holds_a_whole_namespace() {
    for (identity, found) in [
        ("spiffe://cluster.local/ns/*", true),
        ("spiffe://cluster.local/ns/istio-*", true),
        ("spiffe://cluster.local/ns/istio-system*", true),
        ("spiffe://cluster.local/ns/istio-system/*", false),
        ("spiffe://cluster.local/ns/istio-system/sa/gateway-*", false),
        ("spiffe://cluster.local/ns/istio-system/sa/gateway", false),
        ("spiffe://example.org/gateways/*", false),
    ] {
        let found_at = findings(&with_forwarded(
            json!({"trust": {"hops": 1, "identities": [identity]}}),
        ));
        assert_eq!(!found_at.is_empty(), found, "{identity}");
    }
}

#[test]
fn headers_that_mean_something_else() {
    let emit = |header: &str| {
        with_provider(json!({"claimsToHeaders": [{"claim": "sub", "header": header}]}))
    };
    for (spec, path) in [
        (
            emit("x-http-method-override"),
            "spec.jwt.providers[0].claimsToHeaders[0].header",
        ),
        (
            emit("x-original-url"),
            "spec.jwt.providers[0].claimsToHeaders[0].header",
        ),
        (
            emit("X_Rewrite_Url"),
            "spec.jwt.providers[0].claimsToHeaders[0].header",
        ),
        (
            with_forwarded(json!({"clientIpHeader": "x-original-url"})),
            "spec.forwarded.clientIpHeader",
        ),
        (
            with_forwarded(json!({"companions": {"keep": ["x_real_ip"]}})),
            "spec.forwarded.companions.keep[0]",
        ),
        (
            with_provider(json!({"fromHeaders": [{"name": "x-jwt"}, {"name": "x_jwt"}]})),
            "spec.jwt.providers[0].fromHeaders[1].name",
        ),
    ] {
        assert_eq!(findings(&spec), [path], "{spec}");
    }
    for meant in [
        emit("x-user"),
        with_forwarded(json!({"clientIpHeader": "x-real-ip"})),
        with_forwarded(json!({"companions": {"keep": ["x-real-ip"], "also": ["x_shop"]}})),
        with_provider(
            json!({"fromHeaders": [{"name": "x_jwt"}, {"name": "authorization", "prefix": "Bearer "}, {"name": "authorization", "prefix": "JWT "}]}),
        ),
    ] {
        assert_eq!(findings(&meant), Vec::<String>::new(), "{meant}");
    }
}

/// The next hop may read exactly such a name, and every spelling is removed from what the client sent.
#[test]
fn other_marks_in_a_written_header_are_worth_a_look() {
    for (spec, path) in [
        (
            with_provider(json!({"claimsToHeaders": [{"claim": "sub", "header": "remote_user"}]})),
            "spec.jwt.providers[0].claimsToHeaders[0].header",
        ),
        (
            with_provider(json!({"payloadHeader": "x.payload"})),
            "spec.jwt.providers[0].payloadHeader",
        ),
        (
            with_forwarded(
                json!({"trust": {"hops": 1, "cidrs": ["192.0.2.0/24"]}, "clientIpHeader": "x_client_ip"}),
            ),
            "spec.forwarded.clientIpHeader",
        ),
    ] {
        let review = reviewed(&spec);
        assert_eq!(paths(&review.findings), Vec::<String>::new(), "{spec}");
        assert_eq!(paths(&review.warnings), [path], "{spec}");
    }
}

/// Two providers whose places differ in a mark: a token of either stands in both, and neither takes it.
#[test]
fn places_of_two_providers_in_two_spellings() {
    let other = json!({"name": "other", "issuer": "https://other.example", "audiences": ["shop"], "jwks": common::keys(&["ec-a"]), "fromHeaders": [{"name": "x_jwt"}]});
    let spec = json!({"jwt": {"providers": [provider(json!({"fromHeaders": [{"name": "x-jwt"}]})), other], "otherwise": "Require"}});
    let review = reviewed(&spec);
    assert_eq!(
        paths(&review.findings),
        ["spec.jwt.providers[1].fromHeaders[0].name"]
    );
    assert!(
        review.findings[0]
            .found
            .contains("jwt.providers[0].fromHeaders[0].name")
    );
}

/// What does not compile has problems of its own.
#[test]
fn nothing_is_said_of_what_does_not_compile() {
    for text in [
        "",
        "{",
        r#"{"apiVersion":"x","spec":{"jwt":{"providers":[{"issuer":"*"}]}}}"#,
    ] {
        let review = review(text.as_bytes());
        assert!(
            review.findings.is_empty() && review.warnings.is_empty(),
            "{text}"
        );
    }
}

#[test]
fn three_of_the_rules_that_decide_are_named() {
    let found = |hosts: &[&str]| {
        let mut rules: Vec<Value> = hosts
            .iter()
            .map(|host| json!({"hosts": [host], "access": "Open"}))
            .collect();
        rules.push(json!({"hosts": hosts, "access": "Deny"}));
        let spec = json!({"position": "Gateway", "jwt": {"providers": [provider(json!({}))], "rules": rules, "otherwise": "Require"}});
        let document = json!({"apiVersion": API_VERSION, "spec": spec}).to_string();
        let Review { findings, .. } = review(document.as_bytes());
        findings[0].found.clone()
    };
    let start = "a rule whose requests are all decided by `rules[0]`, `rules[1]`, `rules[2]`";
    assert_eq!(found(&["a", "b", "c"]), start);
    assert_eq!(found(&["a", "b", "c", "d"]), format!("{start}, 1 more"));
    assert_eq!(
        found(&["a", "b", "c", "d", "e"]),
        format!("{start}, 2 more")
    );
}

/// Istio's listener for what comes in at a sidecar has the virtual host `*` alone (`inbound|http|PORT`).
#[test]
fn hosts_that_who_asks_may_choose_are_worth_a_look() {
    let open = json!({"paths": ["/"], "access": "Open"});
    let deny = json!({"hosts": ["admin.example.com"], "access": "Deny"});
    let rows = [
        (
            json!([open, deny]),
            json!("SidecarInbound"),
            vec!["spec.jwt.rules[1].hosts"],
        ),
        (
            json!([open, deny]),
            json!("Detect"),
            vec!["spec.jwt.rules[1].hosts"],
        ),
        (
            json!([deny, {"hosts": ["a.example.com"], "access": "Open"}]),
            json!("Detect"),
            vec!["spec.jwt.rules[0].hosts"],
        ),
        (json!([open, deny]), json!("Gateway"), vec![]),
        (json!([open]), json!("SidecarInbound"), vec![]),
    ];
    for (rules, position, due) in rows {
        let mut spec = with_rules(&rules);
        spec["position"] = position;
        let review = reviewed(&spec);
        assert_eq!(paths(&review.warnings), due, "{spec}");
        assert!(review.findings.is_empty(), "{spec}");
    }
}
