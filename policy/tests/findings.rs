//! What a reader with fresh eyes found in the engine, each finding a test. They stay so that none comes back.

mod common;

use common::{Call, Honest, LOGIN, NOW, compiled, essence, keys, policy, provider, sign, token};
use policy::{Client, Edit, Outcome, Policy, Reason, VerifiedTokens};
use serde_json::{Value, json};

fn forwarded(forwarded: Value) -> Policy {
    policy(&json!({"position": "Gateway", "forwarded": forwarded}))
}

fn jwt(provider: Value, rules: Value, otherwise: &str) -> Policy {
    policy(
        &json!({"position": "Gateway", "jwt": {"providers": [provider], "rules": rules, "otherwise": otherwise}}),
    )
}

fn refused(spec: &Value) -> bool {
    compiled(spec).is_err()
}

/// None of these makes a policy that compiles.
fn none_taken(values: impl IntoIterator<Item = Value>, spec: impl Fn(&Value) -> Value) {
    let taken: Vec<String> = values
        .into_iter()
        .filter(|value| !refused(&spec(value)))
        .map(|value| value.to_string())
        .collect();
    assert!(taken.is_empty(), "taken: {taken:#?}");
}

// ---- Requests that are allowed, or go on with too much

/// "`Remove` takes every copy": each cookie's edit starts from the request again, so the last one brings the first one's token back.
#[test]
fn remove_takes_the_token_out_of_two_cookies() {
    let policy = jwt(
        provider(json!({"fromCookies": ["a", "b"], "token": "Remove"})),
        json!([]),
        "Require",
    );
    let ann = token("ann");
    let call = Call::get("/").with("cookie", format!("a={ann}; b={ann}; c=1"));
    let decision = call.judge(&policy);
    assert_eq!(decision.verdict, Outcome::Allow);
    assert_eq!(call.lines_after(&decision, "cookie"), ["c=1"]);
}

/// The same for two query parameters.
#[test]
fn remove_takes_the_token_out_of_two_parameters() {
    let policy = jwt(
        provider(json!({"fromParams": ["a", "b"], "token": "Remove"})),
        json!([]),
        "Require",
    );
    let ann = token("ann");
    let call = Call::get(&format!("/?a={ann}&x=1&b={ann}"));
    let decision = call.judge(&policy);
    assert_eq!(decision.verdict, Outcome::Allow);
    assert_eq!(call.lines_after(&decision, ":path"), ["/?x=1"]);
}

/// "Every copy": a rule that names providers looks at their places only, and a copy in another provider's place stays.
#[test]
fn remove_takes_copies_out_of_places_that_the_rule_does_not_look_at() {
    let partner = json!({"name": "partner", "issuer": "https://p", "anyAudience": true, "jwks": keys(&["ec-a"]), "fromHeaders": [{"name": "x-token"}]});
    let policy = policy(&json!({"position": "Gateway", "jwt": {
        "providers": [provider(json!({"token": "Remove"})), partner],
        "rules": [{"access": "Require", "providers": ["login"]}], "otherwise": "Deny",
    }}));
    let call = Call::get("/")
        .bearer(token("ann"))
        .with("x-token", token("ann"));
    let decision = call.judge(&policy);
    assert_eq!(decision.verdict, Outcome::Allow);
    assert_eq!(call.lines_after(&decision, "x-token"), Vec::<String>::new());
}

/// An unrelated parameter must come through as it was.
#[test]
fn remove_leaves_other_parameters_as_they_are() {
    let policy = jwt(
        provider(json!({"fromParams": ["t"], "token": "Remove"})),
        json!([]),
        "Require",
    );
    let call = Call::get(&format!("/?a=&t={}&b", token("ann")));
    assert_eq!(call.lines_after(&call.judge(&policy), ":path"), ["/?a=&b"]);
}

/// "`Optional`: a bad token is not fine": with a tab after the scheme it counts as no token, and programs that split at white space read it as a checked one.
#[test]
fn a_tab_after_the_scheme_hides_no_token() {
    let policy = jwt(provider(json!({})), json!([]), "Optional");
    let call = Call::get("/").with("authorization", format!("Bearer\t{}", token("stranger")));
    assert_ne!(call.judge(&policy).verdict, Outcome::Allow);
}

/// `..;` is a dot segment to servlet containers: `/open/..;/admin` is `/admin` there.
#[test]
fn a_dot_segment_with_parameters_is_ambiguous() {
    let policy = jwt(
        provider(json!({})),
        json!([{"paths": ["/open/*"], "access": "Open"}]),
        "Require",
    );
    let paths = [
        "/open/..;/admin",
        "/open/..;x=1/admin",
        "/open/%2e%2e;/admin",
        "/open/..%3b/admin",
        "/open/.;/x",
    ];
    let plain = paths
        .into_iter()
        .filter(|path| Call::get(path).judge(&policy).reason() != Some(Reason::PathAmbiguous));
    assert_eq!(plain.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// `/admin;x` is `/admin` to servlet containers: a rule that denies `/admin` is walked around.
#[test]
fn a_path_parameter_walks_around_no_rule() {
    let policy = jwt(
        provider(json!({})),
        json!([{"paths": ["/admin", "/admin/*"], "access": "Deny"}]),
        "Open",
    );
    for path in ["/admin;x=1", "/admin;/users"] {
        assert_ne!(
            Call::get(path).judge(&policy).verdict,
            Outcome::Allow,
            "{path}"
        );
    }
}

/// "Default as in Istio": Envoy's jwt_authn takes an OPTIONS for a preflight only where both headers have a value.
#[test]
fn empty_headers_make_no_preflight() {
    let policy = jwt(provider(json!({})), json!([]), "Require");
    let call = Call::get("/")
        .with(":method", "OPTIONS")
        .with("origin", "")
        .with("access-control-request-method", "");
    assert_eq!(call.judge(&policy).reason(), Some(Reason::MissingToken));
}

/// What the policy writes it must own in both spellings: a CGI-like program merges `x_forwarded_for` with the header that was rewritten.
#[test]
fn a_rewritten_chain_has_no_double_with_underscores() {
    for outbound in ["Replace", "Truncate", "Strip"] {
        let policy = forwarded(json!({"trust": {"hops": 1}, "outbound": outbound}));
        let call = Call::get("/").with("x_forwarded_for", "10.0.0.1");
        assert_eq!(
            call.lines_after(&call.judge(&policy), "x_forwarded_for"),
            Vec::<String>::new(),
            "{outbound}"
        );
    }
}

/// The same for companions of a peer that is not trusted.
#[test]
fn companions_have_no_double_with_underscores() {
    let policy = forwarded(json!({"trust": {"hops": 0}}));
    for name in [
        "x_real_ip",
        "true_client-ip",
        "x_forwarded_proto",
        "x_forwarded_host",
    ] {
        let call = Call::get("/").with(name, "10.0.0.1");
        assert_eq!(
            call.lines_after(&call.judge(&policy), name),
            Vec::<String>::new(),
            "{name}"
        );
    }
}

/// Identities alone are allowed with `gatewaySends: Canonical` only, since a trusted peer passes on what strangers wrote; at a gateway the leftmost of any chain is taken nevertheless.
#[test]
fn at_a_gateway_a_canonical_peer_sends_one_address() {
    let policy = forwarded(
        json!({"trust": {"identities": ["spiffe://a/ns/x/*"]}, "gatewaySends": "Canonical"}),
    );
    let mut call = Call::get("/").with("x-forwarded-for", "6.6.6.6, 203.0.113.9, 192.0.2.1");
    call.identity = Some(b"spiffe://a/ns/x/sa/y".to_vec());
    assert_ne!(
        call.judge(&policy).client.address(),
        Some("6.6.6.6".parse().unwrap())
    );
}

/// "A longer chain is `tooLong`", also when an untrusted peer of a sidecar sends it and that alone would be allowed.
#[test]
fn a_chain_over_the_limit_is_refused_at_a_sidecar_too() {
    let policy = policy(&json!({"position": "SidecarInbound", "forwarded": {
        "trust": {"identities": ["spiffe://a/ns/x/*"], "hops": 1}, "anomalies": {"untrustedPeer": "Allow"},
    }}));
    let call = Call::get("/")
        .with("x-forwarded-for", vec!["192.0.2.1"; 1000].join(","))
        .sidecar(None);
    assert_eq!(call.judge(&policy).reason(), Some(Reason::ChainTooLong));
}

/// What strangers wrote is not read: only its size is checked, so an honest visitor's odd element refuses nothing.
#[test]
fn the_elements_of_an_unknown_identity_are_not_read() {
    for position in ["Gateway", "SidecarInbound"] {
        let policy = policy(&json!({"position": position, "forwarded": {
            "trust": {"identities": ["spiffe://a/ns/x/*"], "hops": 1}, "anomalies": {"untrustedPeer": "Allow"},
        }}));
        let call = Call::get("/").with("x-forwarded-for", "<script>, 192.0.2.1");
        assert_eq!(call.judge(&policy).verdict, Outcome::Allow, "{position}");
    }
}

/// RFC 7517 section 5: keys that can't be used are ignored. The one who wrote the policy is told which and why; a key for encryption is nothing to tell.
#[test]
fn keys_that_were_left_out_are_told_with_their_place() {
    let mut set = keys(&["ec-a"]);
    let good = set["keys"][0].clone();
    let mut no_y = good.clone();
    no_y.as_object_mut().unwrap().remove("y");
    no_y["kid"] = json!("no-y");
    let mut encryption = no_y.clone();
    encryption["use"] = json!("enc");
    set["keys"] = json!([no_y, good, encryption, 7]);
    let policy = jwt(
        provider(json!({"jwks": set.to_string()})),
        json!([]),
        "Require",
    );
    let told: Vec<&str> = policy
        .warnings()
        .iter()
        .map(|warning| warning.path.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "spec.jwt.providers[0].jwks.keys[0].y",
            "spec.jwt.providers[0].jwks.keys[3]"
        ]
    );
}

#[test]
fn beyond_fifty_problems_are_counted() {
    for (fields, told) in [(49, 49), (50, 50), (51, 51), (20_000, 51)] {
        let mut spec = json!({"forwarded": {"trust": {"hops": 1}}});
        for index in 0..fields {
            spec["forwarded"][format!("x{index}")] = json!(1);
        }
        let problems = compiled(&spec).unwrap_err();
        assert_eq!(problems.len(), told, "{fields}");
        if fields > 50 {
            let last = problems.last().unwrap();
            assert_eq!(last.found, format!("{} more problems", fields - 50));
        }
    }
}

/// An IPv4 client in IPv6 clothes is known in mode `Envoy`, and on no list: a deny list lets it through.
#[test]
fn a_deny_list_holds_for_ipv4_mapped_clients() {
    let policy =
        forwarded(json!({"mode": "Envoy", "trust": {"hops": 1}, "deny": ["203.0.113.0/24"]}));
    let call = Call::get("/").with("x-forwarded-for", "::ffff:203.0.113.9, 192.0.2.1");
    assert_eq!(call.judge(&policy).reason(), Some(Reason::ClientDenied));
}

/// The same for the connection's own address at a sidecar, in mode `Strict`, which promises one spelling for one client.
#[test]
fn a_deny_list_holds_for_ipv4_mapped_peers() {
    let policy = policy(&json!({"position": "SidecarInbound", "forwarded": {
        "trust": {"identities": ["spiffe://a/ns/x/*"], "hops": 1}, "deny": ["203.0.113.0/24"],
    }}));
    let mut call = Call::new("GET", "/").sidecar(None);
    call.address = Some("::ffff:203.0.113.9".parse().unwrap());
    assert_eq!(call.judge(&policy).reason(), Some(Reason::ClientDenied));
}

/// "Empty, full, zero-size: the same decision" says nothing of a cache that outlives its policy; one that knew whose it is could not be misused.
#[test]
fn a_cache_of_another_policy_lets_nobody_in() {
    let (old, new) = (
        jwt(provider(json!({})), json!([]), "Require"),
        jwt(
            provider(json!({"audiences": ["mail"]})),
            json!([]),
            "Require",
        ),
    );
    let mut known = VerifiedTokens::new(8, 1);
    let call = Call::get("/").bearer(token("ann"));
    assert_eq!(call.ask(&old, &mut known, &Honest).verdict, Outcome::Allow);
    assert_eq!(
        call.ask(&new, &mut known, &Honest).reason(),
        Some(Reason::AudienceNotAccepted)
    );
}

/// An item with spaces at its ends becomes another item to whoever splits the header at commas.
#[test]
fn a_list_item_with_spaces_at_its_ends_is_not_written_as_text() {
    let policy = jwt(
        provider(json!({"claimsToHeaders": [{"claim": "groups", "header": "x-groups"}]})),
        json!([]),
        "Require",
    );
    let odd = sign(
        "rsa-a",
        &json!({"iss": LOGIN, "aud": "shop", "exp": NOW + 60, "groups": ["staff", " admins"]}),
    );
    let call = Call::get("/").bearer(&odd);
    let decision = call.judge(&policy);
    assert_eq!(decision.verdict, Outcome::Allow);
    assert_eq!(
        call.lines_after(&decision, "x-groups"),
        Vec::<String>::new()
    );
}

// ---- Contract and engine disagree

/// `Needs` must name TLS where a stripped chain rewrites `x-forwarded-proto`; else an adapter that was told not to look makes `http` of an HTTPS request.
#[test]
fn tls_is_needed_where_an_anomaly_strips() {
    for more in [json!({}), json!({"companions": "Keep"})] {
        let mut chain = json!({"trust": {"hops": 2}, "anomalies": {"tooFewHops": "Strip"}});
        for (name, value) in more.as_object().unwrap() {
            chain[name] = value.clone();
        }
        let policy = forwarded(chain);
        let mut call = Call::get("/").with("x-forwarded-proto", "https");
        let plain = essence(&call.judge(&policy));
        call.tls = true;
        assert!(policy.needs().tls || plain == essence(&call.judge(&policy)));
    }
}

/// "Strips happen before a refusal too": those of companions hold when the chain is refused, and are lost when the token is.
#[test]
fn companions_are_stripped_when_the_token_is_refused() {
    let policy = policy(
        &json!({"position": "Gateway", "forwarded": {"trust": {"hops": 0}}, "jwt": {"providers": [provider(json!({}))], "otherwise": "Require"}}),
    );
    let call = Call::get("/").with("x-real-ip", "10.0.0.1");
    let decision = call.judge(&policy);
    assert_eq!(decision.reason(), Some(Reason::MissingToken));
    assert!(
        decision.edits.contains(&Edit::Remove("x-real-ip".into())),
        "{:?}",
        decision.edits
    );
}

/// "`Truncate`: the client and everything right of it", also where Envoy's CIDR walk found the client.
#[test]
fn truncate_keeps_what_is_right_of_the_client_in_mode_envoy() {
    let policy = forwarded(
        json!({"mode": "Envoy", "trust": {"cidrs": ["192.0.2.0/24"]}, "outbound": "Truncate"}),
    );
    let mut call =
        Call::get("/").with("x-forwarded-for", "6.6.6.6,203.0.113.9,192.0.2.7,192.0.2.1");
    call.address = Some("192.0.2.1".parse().unwrap());
    assert_eq!(
        call.lines_after(&call.judge(&policy), "x-forwarded-for"),
        ["203.0.113.9,192.0.2.7,192.0.2.1"]
    );
}

/// "Wrong types are refused": `spec.target` is an object, and so is `metadata`.
#[test]
fn target_and_metadata_are_objects() {
    for document in [
        json!({"apiVersion": policy::API_VERSION, "spec": {"target": 7, "forwarded": {"trust": {"hops": 1}}}}),
        json!({"apiVersion": policy::API_VERSION, "metadata": "shop", "spec": {"forwarded": {"trust": {"hops": 1}}}}),
    ] {
        assert!(
            Policy::from_json(document.to_string().as_bytes(), &Honest).is_err(),
            "{document}"
        );
    }
}

// ---- Numbers

/// "No integer above 2^53": rounding hides 2^53 + 1, which the proxy gets as 2^53. One fingerprint, two meanings.
#[test]
fn an_integer_above_2_to_the_53_is_refused() {
    let spec = |number: &str| {
        format!(
            r#"{{"apiVersion":"{}","spec":{{"jwt":{{"providers":[{}],"rules":[{{"access":"Require","claims":[{{"claim":"id","equals":{number}}}]}}],"otherwise":"Deny"}}}}}}"#,
            policy::API_VERSION,
            provider(json!({}))
        )
    };
    let problems = Policy::from_json(spec("9007199254740993").as_bytes(), &Honest)
        .err()
        .unwrap_or_default();
    assert!(
        problems
            .iter()
            .any(|problem| problem.path.ends_with(".equals")),
        "{problems:?}"
    );
}

/// A spelling that Istio chooses must not change a decision: as `9007199254740992.0` the number equals its neighbour.
#[test]
fn the_spelling_of_a_number_changes_no_decision() {
    let with = |number: &str| {
        let document = format!(
            r#"{{"apiVersion":"{}","spec":{{"position":"Gateway","jwt":{{"providers":[{}],"rules":[{{"access":"Require","claims":[{{"claim":"id","equals":{number}}}]}}],"otherwise":"Deny"}}}}}}"#,
            policy::API_VERSION,
            provider(json!({}))
        );
        Policy::from_json(document.as_bytes(), &Honest)
    };
    let (Ok(whole), Ok(double)) = (with("9007199254740992"), with("9007199254740992.0")) else {
        return;
    };
    assert_eq!(whole.fingerprint(), double.fingerprint());
    let call = Call::get("/").bearer(&sign(
        "rsa-a",
        &json!({"iss": LOGIN, "aud": "shop", "exp": NOW + 60, "id": 9_007_199_254_740_993_u64}),
    ));
    assert_eq!(call.judge(&whole).reason(), call.judge(&double).reason());
}

// ---- Accepted and meaningless, or worse

/// "Refused exactly when there is an `allow` list": an empty one lets everybody in, and an empty list of subjects or types takes any.
#[test]
fn empty_lists_that_would_mean_everybody_are_refused() {
    let forwarded = [json!({"allow": []}), json!({"deny": []})].map(|mut lists| {
        lists["trust"] = json!({"hops": 1});
        json!({"forwarded": lists})
    });
    let providers = [json!({"subjects": []}), json!({"types": []})]
        .map(|lists| json!({"jwt": {"providers": [provider(lists)], "otherwise": "Require"}}));
    none_taken(forwarded.into_iter().chain(providers), Value::clone);
}

/// A header that carries tokens and is emitted too is stripped from every request (though `token: Keep`), and with `Remove` the claim never arrives.
#[test]
fn a_header_that_carries_tokens_is_not_emitted() {
    let with = |mut more: Value| {
        more["fromHeaders"] = json!([{"name": "x-token"}]);
        json!({"position": "Gateway", "jwt": {"providers": [provider(more)], "otherwise": "Require"}})
    };
    let mut reason = with(json!({}));
    reason["replies"] = json!({"reasonHeader": "x_token"});
    let claim =
        json!({"claimsToHeaders": [{"claim": "sub", "header": "x-token"}], "token": "Remove"});
    none_taken(
        [
            with(claim),
            with(json!({"payloadHeader": "x-token"})),
            reason,
        ],
        Value::clone,
    );
}

/// "A header of its own": `x-user` and `x_user` are one header to those for whom both spellings are stripped.
#[test]
fn names_that_differ_in_underscores_are_one_header() {
    let claims =
        json!([{"claim": "sub", "header": "x-user"}, {"claim": "email", "header": "x_user"}]);
    assert!(refused(
        &json!({"jwt": {"providers": [provider(json!({"claimsToHeaders": claims}))], "otherwise": "Require"}})
    ));
    let claims = json!([{"claim": "sub", "header": "x-client_ip"}]);
    assert!(refused(&json!({
        "forwarded": {"trust": {"hops": 1}, "clientIpHeader": "x-client-ip"},
        "jwt": {"providers": [provider(json!({"claimsToHeaders": claims}))], "otherwise": "Require"}
    })));
}

/// With limits below what the hops need, every request is refused: 32 hops and the default limit of 32 elements among them.
#[test]
fn limits_leave_room_for_the_hops() {
    assert!(refused(&json!({"forwarded": {"trust": {"hops": 32}}})));
    assert!(refused(
        &json!({"forwarded": {"trust": {"hops": 2}, "limits": {"elements": 2}}})
    ));
}

/// Fields that this mode or position never looks at.
#[test]
fn fields_without_effect_are_refused() {
    let specs = [
        // Mode `Envoy` has no limits and asks no gateway.
        json!({"forwarded": {"mode": "Envoy", "trust": {"hops": 1}, "limits": {"elements": 3}}}),
        json!({"forwarded": {"mode": "Envoy", "trust": {"hops": 1}, "gatewaySends": "Canonical"}}),
        // One canonical address has no hops to count.
        json!({"position": "SidecarInbound", "forwarded": {"trust": {"hops": 2, "identities": ["spiffe://a/b/*"]}, "gatewaySends": "Canonical"}}),
        // A policy that judges nothing.
        json!({"position": "SidecarOutbound", "forwarded": {"trust": {"hops": 1}}}),
    ];
    none_taken(specs, Value::clone);
}

/// Places where no token can ever stand: with `Optional` everybody goes on without one.
#[test]
fn places_that_hold_no_token_are_refused() {
    let places = [
        json!({"fromCookies": ["a=b"]}),
        json!({"fromCookies": ["a;b"]}),
        json!({"fromCookies": [" a"]}),
        json!({"fromHeaders": [{"name": "x-token", "prefix": " t"}]}),
        json!({"fromHeaders": [{"name": "cookie", "prefix": "t="}]}),
        json!({"maxLifetime": "0s"}),
    ];
    none_taken(
        places,
        |place| json!({"jwt": {"providers": [provider(place.clone())], "otherwise": "Optional"}}),
    );
}

/// Hosts that no request can name.
#[test]
fn hosts_that_nobody_can_have_are_refused() {
    let rules = |host: &Value| json!([{"hosts": [host], "access": "Deny"}]);
    none_taken(
        [".example.com", "a..b", "[::1", "a]b", "*.[::1]"].map(Value::from),
        |host| json!({"jwt": {"providers": [provider(json!({}))], "rules": rules(host), "otherwise": "Open"}}),
    );
}

/// A rule behind one that matches everything never decides.
#[test]
fn a_rule_that_can_never_match_is_refused() {
    let rules = json!([{"access": "Open"}, {"paths": ["/admin"], "access": "Deny"}]);
    assert!(refused(
        &json!({"jwt": {"providers": [provider(json!({}))], "rules": rules, "otherwise": "Deny"}})
    ));
}

/// "Never a private key": a key that stands where a JWK was due is printed.
#[test]
fn a_key_in_the_wrong_place_is_not_printed() {
    let secret = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
    let sets = [
        json!({"keys": [secret]}),
        json!({"keys": secret}),
        json!(format!("\"{secret}\"")),
        json!({"keys": [{"kty": "RSA", "n": "AQ", "e": "AQ", "d": secret}]}),
    ];
    let mut printed = Vec::new();
    for jwks in sets {
        let spec = json!({"jwt": {"providers": [provider(json!({"jwks": jwks}))], "otherwise": "Require"}});
        let problems = compiled(&spec).unwrap_err();
        printed.extend(
            problems
                .into_iter()
                .map(|problem| problem.to_string())
                .filter(|problem| problem.contains("MIIEvQ")),
        );
    }
    assert_eq!(printed, Vec::<String>::new());
}

/// One slip, one problem: a bad audience is not also a missing list.
#[test]
fn a_bad_audience_is_one_problem() {
    let problems = compiled(&json!({"jwt": {"providers": [provider(json!({"audiences": [""]}))], "otherwise": "Require"}})).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
}

/// A field that can't be read says nothing about what it means together with others, and a misspelt one is not also missing.
#[test]
fn one_mistake_is_one_problem() {
    let provider = |change: &dyn Fn(&mut Value)| {
        let mut provider = provider(json!({}));
        change(&mut provider);
        json!({"jwt": {"providers": [provider], "otherwise": "Require"}})
    };
    let renamed = |from: &'static str, to: &'static str| {
        provider(&move |provider| {
            let value = provider.as_object_mut().unwrap().remove(from);
            provider[to] = value.unwrap_or_default();
        })
    };
    let rules = |rules: Value| {
        let mut spec = provider(&|_| ());
        spec["jwt"]["rules"] = rules;
        spec
    };
    let behind = json!({"hosts": ["b.example"], "access": "Deny"});
    let specs = [
        // The rule would match everything without its list.
        (
            rules(json!([{"hosts": ["*"], "access": "Open"}, behind])),
            "spec.jwt.rules[0].hosts[0]",
        ),
        (
            rules(json!([{"paths": ["/a?b"], "access": "Open"}, behind])),
            "spec.jwt.rules[0].paths[0]",
        ),
        (
            rules(json!([{"methods": ["get"], "access": "Open"}, behind])),
            "spec.jwt.rules[0].methods[0]",
        ),
        (
            rules(json!([{"host": ["a.example"], "access": "Open"}, behind])),
            "spec.jwt.rules[0].host",
        ),
        (rules(json!([{"acces": "Open"}])), "spec.jwt.rules[0].acces"),
        (
            rules(json!([{"access": "Require", "claims": [{"claim": "a", "equal": 1}]}])),
            "spec.jwt.rules[0].claims[0].equal",
        ),
        (
            rules(json!([{"access": "Require", "claims": [{"claim": "a", "contain": 1}]}])),
            "spec.jwt.rules[0].claims[0].contain",
        ),
        // A range needs CIDRs.
        (
            json!({"forwarded": {"trust": {"hops": {"min": 1, "max": 3}, "cidrs": ["10.0.0.1/8"]}}}),
            "spec.forwarded.trust.cidrs[0]",
        ),
        (
            json!({"forwarded": {"trust": {"hops": {"min": 1, "max": 3}, "cidr": ["10.0.0.0/8"]}}}),
            "spec.forwarded.trust.cidr",
        ),
        (
            json!({"forwarded": {"trust": {"cidr": ["10.0.0.0/8"]}}}),
            "spec.forwarded.trust.cidr",
        ),
        (
            json!({"forwarded": {"trsut": {"hops": 1}}}),
            "spec.forwarded.trsut",
        ),
        // A sidecar needs identities.
        (
            json!({"position": "SidecarInbound", "forwarded": {"trust": {"hops": 1, "identities": ["cluster.local/ns/istio-system/sa/gw"]}}}),
            "spec.forwarded.trust.identities[0]",
        ),
        (
            json!({"position": "SidecarInbound", "forwarded": {"mode": "Envoi", "trust": {"hops": 1}}}),
            "spec.forwarded.mode",
        ),
        (
            json!({"forwarded": {"trust": {"identities": ["spiffe://a/ns/b/sa/c"]}, "gatewaySends": "Canonic"}}),
            "spec.forwarded.gatewaySends",
        ),
        // Mode `Lenient` needs an `outbound` that rewrites.
        (
            json!({"forwarded": {"mode": "Lenient", "trust": {"hops": 1}, "outbound": "Replaced"}}),
            "spec.forwarded.outbound",
        ),
        (
            json!({"forwarded": {"mode": "Lenient", "trust": {"hops": 1}, "outbond": "Replace"}}),
            "spec.forwarded.outbond",
        ),
        // 32 hops need more elements than the default limit.
        (
            json!({"forwarded": {"trust": {"hops": 32}, "limits": {"elements": "40"}}}),
            "spec.forwarded.limits.elements",
        ),
        (
            json!({"forwarded": {"trust": {"hops": 1}, "companions": {"keep": ["x-shop-id"], "also": ["x-shop-*", "x shop"]}}}),
            "spec.forwarded.companions.also[1]",
        ),
        (
            json!({"forwarded": {"trust": {"hops": 1}, "companions": {"kep": ["x-real-ip"]}}}),
            "spec.forwarded.companions.kep",
        ),
        (
            json!({"position": "SidecarOutbound", "outboundTraffic": "Juge", "forwarded": {"trust": {"hops": 1}}}),
            "spec.outboundTraffic",
        ),
        (
            json!({"position": "SidecarOutbound", "outboundTrafic": "Judge", "forwarded": {"trust": {"hops": 1}}}),
            "spec.outboundTrafic",
        ),
        (json!({"forwardd": {"trust": {"hops": 1}}}), "spec.forwardd"),
        (renamed("issuer", "isuer"), "spec.jwt.providers[0].isuer"),
        (renamed("name", "nam"), "spec.jwt.providers[0].nam"),
        (
            renamed("audiences", "audience"),
            "spec.jwt.providers[0].audience",
        ),
        (renamed("jwks", "jwk"), "spec.jwt.providers[0].jwk"),
        (
            json!({"jwt": {"providers": [common::provider(json!({}))], "otherwize": "Require"}}),
            "spec.jwt.otherwize",
        ),
    ];
    let mut wrong = Vec::new();
    for (spec, path) in specs {
        let problems = compiled(&spec).err().unwrap_or_default();
        let paths: Vec<String> = problems.into_iter().map(|problem| problem.path).collect();
        if paths != [path] {
            wrong.push(format!("{path}: {paths:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A field that stands twice says nothing about what it means with others either.
#[test]
fn a_field_twice_is_one_problem() {
    let text = |rules: &str, more: &str| {
        let provider = provider(json!({}));
        format!(
            r#"{{"apiVersion": "{}", "spec": {{{more} "jwt": {{"providers": [{provider}], "rules": {rules}, "otherwise": "Require"}}}}}}"#,
            policy::API_VERSION
        )
    };
    for (text, path) in [
        (
            // Either list might be meant; without both the first rule would match everything.
            text(
                r#"[{"hosts": ["a.example"], "hosts": ["b.example"], "access": "Open"}, {"access": "Deny"}]"#,
                "",
            ),
            "spec.jwt.rules[0].hosts",
        ),
        (
            text(
                "[]",
                r#""position": "SidecarOutbound", "outboundTraffic": "Pass", "outboundTraffic": "Judge","#,
            ),
            "spec.outboundTraffic",
        ),
    ] {
        let problems = Policy::from_json(text.as_bytes(), &Honest).unwrap_err();
        let paths: Vec<&str> = problems
            .iter()
            .map(|problem| problem.path.as_str())
            .collect();
        assert_eq!(paths, [path], "{problems:?}");
    }
}

#[test]
fn no_provider_is_one_problem() {
    let problems =
        compiled(&json!({"jwt": {"providers": [], "otherwise": "Require"}})).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].path, "spec.jwt.providers");
}

/// Two mistakes are two problems: what is missing and has no slip beside it is told.
#[test]
fn two_mistakes_are_two_problems() {
    for spec in [
        json!({"forwarded": {"trust": {}, "outbound": "Kepe"}}),
        json!({"forwarded": {"unheardOf": 1}}),
        json!({"unheardOf": {}}),
        json!({"forwarded": {"trust": {"hops": 1, "cdirs": [], "identitys": []}}}),
    ] {
        let problems = compiled(&spec).unwrap_err();
        assert_eq!(problems.len(), 2, "{spec}: {problems:?}");
    }
}

/// What two fields mean together is told beside a mistake in a third.
#[test]
fn a_mistake_hides_no_other_one() {
    let spec = json!({"forwarded": {"mode": "Lenient", "trust": {"hops": 33}, "outbound": "Keep"}});
    let problems = compiled(&spec).unwrap_err();
    let paths: Vec<&str> = problems
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["spec.forwarded.trust.hops", "spec.forwarded.outbound"]
    );
}

/// Misspelt lists of places are told as such (RFC 7519 libraries and Envoy call them otherwise).
#[test]
fn a_misspelt_list_of_places_gets_a_hint() {
    for (name, near) in [
        ("fromHeader", "fromHeaders"),
        ("fromCookie", "fromCookies"),
        ("fromParam", "fromParams"),
    ] {
        let spec =
            json!({"jwt": {"providers": [provider(json!({name: ["x"]}))], "otherwise": "Require"}});
        let problems = compiled(&spec).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].expected.contains(&format!("`{near}`")),
            "{problems:?}"
        );
        assert_eq!(
            problems[0].hint.as_deref(),
            Some(&*format!("did you mean `{near}`?"))
        );
    }
}

/// `*` can't stand there, so nobody is told that it could.
#[test]
fn an_exempt_path_is_not_told_to_be_a_star() {
    let problems =
        compiled(&json!({"forwarded": {"trust": {"hops": 1}, "exempt": {"paths": ["//*"]}}}))
            .unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].expected, "`/exact` or `/tree/*`");
}

// ---- Tried and found sound

/// A token in a place of another provider is not believed there, cached or not.
#[test]
fn a_cached_token_counts_in_its_own_places_only() {
    let partner = json!({"name": "partner", "issuer": "https://p", "anyAudience": true, "jwks": keys(&["ec-a"]), "fromHeaders": [{"name": "x-token"}]});
    let policy = policy(
        &json!({"position": "Gateway", "jwt": {"providers": [provider(json!({})), partner], "otherwise": "Require"}}),
    );
    let mut known = VerifiedTokens::new(8, 1);
    assert_eq!(
        Call::get("/")
            .bearer(token("ann"))
            .ask(&policy, &mut known, &Honest)
            .verdict,
        Outcome::Allow
    );
    for call in [
        Call::get("/").with("x-token", token("ann")),
        Call::get("/")
            .bearer(token("ann"))
            .with("x-token", token("ann")),
    ] {
        assert_eq!(
            call.ask(&policy, &mut known, &Honest).reason(),
            Some(Reason::IssuerNotTrusted)
        );
    }
}

/// Differing tokens are refused wherever they stand.
#[test]
fn differing_tokens_are_refused_wherever_they_stand() {
    let policy = jwt(
        provider(
            json!({"fromHeaders": [{"name": "authorization", "prefix": "Bearer "}], "fromCookies": ["t"], "fromParams": ["t"]}),
        ),
        json!([]),
        "Optional",
    );
    let (ann, bob) = (token("ann"), token("bob"));
    for call in [
        Call::get("/").bearer(ann).bearer(bob),
        Call::get("/").with("authorization", format!("Bearer {ann},Bearer {bob}")),
        Call::get("/").with("authorization", format!("Bearer {ann}, {bob}")),
        Call::get("/")
            .bearer(ann)
            .with("cookie", format!("t={bob}")),
        Call::get(&format!("/?t={ann}&t={bob}")),
        Call::get(&format!("/?t={ann}&%74={bob}")),
        Call::get("/")
            .with("cookie", format!("t={ann}"))
            .with("cookie", format!("t =\"{bob}\"")),
    ] {
        assert_eq!(call.judge(&policy).reason(), Some(Reason::SeveralTokens));
    }
}

/// The client of an untrusted sidecar peer stays unknown whatever chain it makes up.
#[test]
fn an_untrusted_sidecar_peer_names_no_client() {
    let policy = policy(&json!({"position": "SidecarInbound", "forwarded": {
        "trust": {"identities": ["spiffe://a/ns/x/sa/gateway"], "hops": 1}, "anomalies": {"untrustedPeer": "Allow"}, "clientIpHeader": "x-client-ip",
    }}));
    for identity in [
        None,
        Some("spiffe://a/ns/x/sa/gateway-2"),
        Some("spiffe://b/ns/x/sa/gateway"),
        Some(""),
    ] {
        let decision = Call::get("/").sidecar(identity).judge(&policy);
        assert!(
            matches!(decision.client, Client::Unknown(_)),
            "{identity:?}"
        );
        assert!(decision.edits.is_empty());
    }
}
