//! Tokens at a gateway, beside Istio's own RequestAuthentication and AuthorizationPolicy, in both phases.

use e2e_kind::{Answer, Gateway, Plugin, Registry, Sidecar, Space, Tokens, login, until};
use serde_json::json;

/// Who refuses, and how it shows.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The app saw this user.
    Passed(&'static str),
    /// The filter, for this reason.
    Filter(u16, &'static str),
    /// Envoy's own filters, with these words.
    Istio(u16, &'static str),
}

use Verdict::{Filter, Istio, Passed};

#[test]
fn tokens_are_judged_beside_istios_own_policies_in_the_phases_authn_and_authz() {
    let space = Space::new("tokens");
    let _app = space.app("app", Sidecar::Never);
    let [authn, authz] = ["authn", "authz"].map(|name| space.gateway(name, 0, "app"));
    let tokens = Tokens::new();
    let registry = Registry::shared();
    for (gateway, phase) in [(&authn, "AUTHN"), (&authz, "AUTHZ")] {
        gateway.serves();
        own_policies(&space, gateway, &tokens);
        let plugin = Plugin {
            name: gateway.name(),
            app: gateway.name(),
            phase,
            mode: None,
            spec: json!({
                "position": "Gateway", "replies": { "reasonHeader": "x-refused" },
                "jwt": { "providers": [login()], "otherwise": "Require" },
            }),
        };
        space.enforce(&registry, &plugin);
        until("Istio's policies", || {
            let banned = tokens.mint(json!({ "claims": { "sub": "banned" } }));
            let answer = bearer(gateway, &[&banned]);
            if answer.status == 403 {
                Ok(())
            } else {
                Err(format!("{answer:?}"))
            }
        });
    }

    let good = tokens.mint(json!({}));
    let other = tokens.mint(json!({ "claims": { "sub": "bob" } }));
    let expired = tokens.mint(json!({ "exp": -3600 }));
    let audience = tokens.mint(json!({ "claims": { "aud": "elsewhere" } }));
    let forged = tokens.mint(json!({ "mangle": "payload" }));
    let stranger = tokens.mint(json!({ "key": "stranger", "kid": "rsa-a" }));
    let banned = tokens.mint(json!({ "claims": { "sub": "banned" } }));
    let unsigned = tokens.mint(json!({ "key": "none" }));
    let twice = format!("{good},Bearer {other}");

    // What is sent; what comes of it where ours judges first, and where Istio's RequestAuthentication does.
    let rows: [(&str, &[&str], Verdict, Verdict); 10] = [
        (
            "missing",
            &[],
            Filter(401, "MissingToken"),
            Filter(401, "MissingToken"),
        ),
        (
            "expired",
            &[&expired],
            Filter(401, "Expired"),
            Istio(401, "Jwt is expired"),
        ),
        (
            "audience",
            &[&audience],
            Filter(401, "AudienceNotAccepted"),
            Istio(403, "Audiences in Jwt are not allowed"),
        ),
        (
            "forged",
            &[&forged],
            Filter(401, "SignatureInvalid"),
            Istio(401, "Jwt verification fails"),
        ),
        (
            "stranger",
            &[&stranger],
            Filter(401, "SignatureInvalid"),
            Istio(401, "Jwt verification fails"),
        ),
        (
            "unsigned",
            &[&unsigned],
            Filter(401, "AlgorithmNotAllowed"),
            Istio(401, "Jwt is not in the form of"),
        ),
        // Envoy joins lines of one name; Istio then reads both tokens as one broken one.
        (
            "smuggled in one line",
            &[&twice],
            Filter(400, "SeveralTokens"),
            Istio(401, "Jwt is not in the form of"),
        ),
        (
            "smuggled in two lines",
            &[&good, &other],
            Filter(400, "SeveralTokens"),
            Istio(401, "Jwt is not in the form of"),
        ),
        ("good", &[&good], Passed("ann"), Passed("ann")),
        // Istio's AuthorizationPolicy still has its say.
        (
            "banned",
            &[&banned],
            Istio(403, "RBAC: access denied"),
            Istio(403, "RBAC: access denied"),
        ),
    ];
    for (name, sent, first, second) in &rows {
        check(name, &authn, sent, first);
        check(name, &authz, sent, second);
    }
}

/// The same tokens for Istio, and somebody whom only Istio refuses.
fn own_policies(space: &Space, gateway: &Gateway<'_>, tokens: &Tokens) {
    let metadata = json!({ "name": gateway.name() });
    let selector = json!({ "matchLabels": { "app": gateway.name() } });
    space.apply(&json!({
        "apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication", "metadata": metadata,
        "spec": { "selector": selector, "jwtRules": [tokens.rule_of_istio()] },
    }));
    space.apply(&json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": metadata,
        "spec": { "selector": selector, "action": "DENY", "rules": [
            { "when": [{ "key": "request.auth.claims[sub]", "values": ["banned"] }] },
        ] },
    }));
}

/// Each token in a line of its own, and a user that nobody vouches for.
fn bearer(gateway: &Gateway<'_>, tokens: &[&str]) -> Answer {
    let lines: Vec<String> = tokens
        .iter()
        .map(|token| format!("Bearer {token}"))
        .collect();
    let lines = lines.iter().map(|line| ("authorization", line.as_str()));
    let headers: Vec<(&str, &str)> = lines
        .chain([("x-user", "root"), ("x_user", "root")])
        .collect();
    gateway.get("/", &headers)
}

#[track_caller]
fn check(name: &str, gateway: &Gateway<'_>, sent: &[&str], expected: &Verdict) {
    let answer = bearer(gateway, sent);
    let case = format!("{name} at {}: {answer:?}", gateway.name());
    match expected {
        Passed(user) => {
            assert_eq!(answer.seen("x-user").as_deref(), Some(*user), "{case}");
            assert_eq!(answer.seen("x_user"), None, "{case}");
        }
        Filter(status, reason) => {
            assert_eq!(answer.status, *status, "{case}");
            assert_eq!(
                answer.header("x-refused").as_deref(),
                Some(*reason),
                "{case}"
            );
        }
        Istio(status, words) => {
            assert_eq!(answer.status, *status, "{case}");
            assert_eq!(answer.header("x-refused"), None, "{case}");
            assert!(answer.body.contains(words), "{case}");
        }
    }
}
