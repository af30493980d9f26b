//! What the fuzz targets share: good policies, and a decision under the laws that hold for every request.

use std::time::Duration;

use policy::{
    Decision, Headers, Key, Peer, Policy, Position, Request, Verdict, VerifiedTokens, Verify,
};

/// The policies that requests are judged by: every mode, every way to trust, and a token rule.
pub fn policies() -> Vec<Policy> {
    let jwks = include_str!("../../testdata/keys/jwks.json");
    [
        r#"{"forwarded": {"trust": {"hops": 1}, "outbound": "Replace", "clientIpHeader": "x-client-ip"}}"#.to_owned(),
        r#"{"forwarded": {"mode": "Lenient", "trust": {"hops": 2}, "outbound": "Replace", "clientIpHeader": "x-client-ip"}}"#.to_owned(),
        r#"{"forwarded": {"mode": "Envoy", "trust": {"hops": 2}}}"#.to_owned(),
        r#"{"forwarded": {"trust": {"cidrs": ["10.0.0.0/8", "2001:db8::/32"]}, "outbound": "Truncate"}}"#.to_owned(),
        r#"{"forwarded": {"trust": {"hops": {"min": 1, "max": 3}, "cidrs": ["10.0.0.0/8"]}, "outbound": "Strip"}}"#.to_owned(),
        token_policy(jwks),
    ]
    .into_iter()
    .map(|spec| match compile(&spec) {
        Ok(policy) => policy,
        Err(problem) => panic!("{spec}: {problem}"),
    })
    .collect()
}

/// A spec that requires a token signed with one of these keys.
pub fn token_policy(jwks: &str) -> String {
    format!(
        r#"{{"jwt": {{
            "providers": [{{
                "name": "main", "issuer": "https://issuer.example", "audiences": ["api"], "jwks": {jwks}, "token": "Remove",
                "fromHeaders": [{{"name": "authorization", "prefix": "Bearer "}}], "fromCookies": ["token"], "fromParams": ["token"],
                "claimsToHeaders": [{{"claim": "sub", "header": "x-subject"}}, {{"claim": ["a", "b"], "header": "x-ab", "encoding": "Json"}}],
                "payloadHeader": "x-payload"
            }}],
            "rules": [{{"paths": ["/open/*"], "access": "Open"}}],
            "otherwise": "Require"
        }}}}"#
    )
}

/// A gateway's policy with this spec; the first problem if there is one.
pub fn compile(spec: &str) -> Result<Policy, String> {
    let members = spec.trim().strip_prefix('{').unwrap_or(spec);
    let document = format!(
        r#"{{"apiVersion": "{}", "spec": {{"position": "Gateway", {members}}}"#,
        policy::API_VERSION
    );
    Policy::from_json(document.as_bytes(), &Believing).map_err(|problems| format!("{problems:?}"))
}

/// Decides, and checks that neither a cache nor a second try changes anything.
pub fn decide(policy: &Policy, headers: &[(&[u8], &[u8])], verify: &dyn Verify) -> Decision {
    let request = Request {
        headers: Headers::new(headers),
        peer: Peer::default(),
        position: Some(Position::Gateway),
        tls: false,
        now: NOW,
    };
    let decision = policy.decide(&request, &mut VerifiedTokens::new(0, 0), verify);
    let mut cache = VerifiedTokens::new(4, 0);
    for _ in 0..2 {
        let again = policy.decide(&request, &mut cache, verify);
        assert_eq!(again.verdict, decision.verdict);
        assert_eq!(again.edits, decision.edits);
    }
    decision
}

/// Takes any signature, so that what comes after it is reached.
pub struct Believing;

impl Verify for Believing {
    fn verify(&self, _: &Key, _: &[u8], _: &[u8]) -> Verdict {
        Verdict::Valid
    }

    fn usable(&self, _: &Key) -> bool {
        true
    }
}

/// 2026-01-01T00:00:00Z.
const NOW: Duration = Duration::from_secs(1_767_225_600);
