//! The JSON Schema of a policy takes and refuses what the reader does, as far as structure goes.

use std::collections::BTreeSet;

use policy::{ConfigError, Policy};
use serde_json::{Map, Value, json};
use signature::Software;

const JWKS: &str = include_str!("../../testdata/keys/jwks.json");

/// Documents that, between them, use every field. What excludes each other stands in different ones.
fn full() -> Vec<Value> {
    let provider = |name: &str, audiences: Value| {
        let mut provider = json!({
            "name": name, "issuer": format!("https://{name}"), "subjects": ["a", "b*"],
            "algorithms": ["RS256", "ES256"], "jwks": serde_json::from_str::<Value>(JWKS).unwrap(),
            "fromHeaders": [{"name": "authorization", "prefix": "Bearer "}], "fromCookies": ["t"], "fromParams": ["t"],
            "clockSkew": "30s", "requireExpiration": false, "maxLifetime": "1d", "maxTokenBytes": 4096, "types": ["JWT"],
            "claimsToHeaders": [
                {"claim": "sub", "header": "x-user", "encoding": "Text"},
                {"claim": ["realm", "roles"], "header": "x-roles", "encoding": "Json"}
            ],
            "payloadHeader": "x-payload", "token": "Remove"
        });
        for (field, value) in audiences.as_object().unwrap() {
            provider[field] = value.clone();
        }
        provider
    };
    let actions: Map<String, Value> = [
        "tooLong",
        "malformed",
        "untrustedPeer",
        "tooFewHops",
        "tooManyHops",
        "conflict",
        "allTrusted",
        "privateClient",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), json!("Strip")))
    .collect();
    let document = json!({
        "apiVersion": "policy.kyma-istio.dev/v1alpha1", "kind": "HeaderPolicy",
        "metadata": {"name": "shop", "labels": {"a": "b"}},
        "spec": {
            "target": {"gateway": "shop"}, "revision": "7", "mode": "Enforce", "position": "Detect", "outboundTraffic": "Judge",
            "forwarded": {
                "mode": "Strict", "trust": {"hops": {"min": 1, "max": 2}, "cidrs": ["192.0.2.0/24", "2001:db8::1"], "identities": ["spiffe://cluster.local/ns/*"]},
                "gatewaySends": "Original", "limits": {"elements": 8, "bytes": 1024}, "anomalies": actions, "outbound": "Replace",
                "clientIpHeader": "x-client-ip", "allow": ["0.0.0.0/0"], "deny": ["10.0.0.0/8"], "companions": "Keep", "exempt": {"paths": ["/healthz", "/live/*"]}
            },
            "jwt": {
                "providers": [provider("one", json!({"audiences": ["shop"], "anyAudience": false})), provider("two", json!({"anyAudience": true}))],
                "rules": [
                    {"name": "open", "hosts": ["a.example.com", "*.example.com"], "paths": ["/", "/a/b", "/tree/*", "/*", "*"], "methods": ["GET", "M-SEARCH"], "access": "Open"},
                    {"access": "Require", "providers": ["one"], "mode": "Shadow", "claims": [
                        {"claim": "sub", "equals": "a"}, {"claim": ["a", "b"], "contains": 3}, {"claim": "ok", "equals": true}
                    ]}
                ],
                "otherwise": "Require", "ambiguousPath": "Allow", "preflight": "Judge"
            },
            "replies": {"body": "Plain", "reasonHeader": "x-reason", "realm": "shop"}
        }
    });
    let mut other = document.clone();
    other["spec"]["forwarded"]["trust"] = json!({"hops": 3});
    other["spec"]["forwarded"]["companions"] =
        json!({"keep": ["x-real-ip", "x-shop-id"], "also": ["x-shop-*", "x-visitor"]});
    other["spec"]["jwt"]["providers"][0]["jwks"] = json!(JWKS);
    other["spec"]["jwt"]["providers"][0]["claimsToHeaders"][0]["claim"] = json!("email");
    vec![document, other]
}

fn problems(document: &Value) -> Vec<ConfigError> {
    Policy::from_json(document.to_string().as_bytes(), &Software)
        .err()
        .unwrap_or_default()
}

#[test]
fn both_take_documents_that_use_every_field() {
    let validator = jsonschema::validator_for(&policy::schema()).unwrap();
    for document in full() {
        assert_eq!(problems(&document), Vec::new());
        assert!(
            validator.is_valid(&document),
            "{:?}",
            validator
                .iter_errors(&document)
                .map(|e| e.to_string())
                .collect::<Vec<_>>()
        );
    }
    // Keys that can't be used are left out, and refuse nothing.
    let mut odd = full().swap_remove(0);
    let keys = odd["spec"]["jwt"]["providers"][0]["jwks"]["keys"]
        .as_array_mut()
        .unwrap();
    keys.extend([
        json!({"kty": 7}),
        json!("a text"),
        json!({"kty": "EC", "crv": ["P-256"]}),
    ]);
    assert_eq!(problems(&odd), Vec::new());
    assert!(validator.is_valid(&odd));
    let bare = json!({"apiVersion": "policy.kyma-istio.dev/v1alpha1", "spec": {"forwarded": {"trust": {"hops": 1.0}}}});
    assert_eq!(problems(&bare), Vec::new());
    assert!(validator.is_valid(&bare));
}

/// A change of the first full document that spoils its structure.
const SPOILT: &[(&str, &str)] = &[
    ("", "[]"),
    ("/apiVersion", r#""policy.kyma-istio.dev/v2""#),
    ("/kind", r#""Policy""#),
    ("/spec", "null"),
    ("/spec", "{}"),
    ("/spec", r#"{"mode": "Shadow"}"#),
    ("/spec/mode", r#""enforce""#),
    ("/spec/mode", "null"),
    ("/spec/revision", "7"),
    ("/spec/forwarded/trust", "{}"),
    ("/spec/forwarded/trust/hops", "33"),
    ("/spec/forwarded/trust/hops", "-1"),
    ("/spec/forwarded/trust/hops", "1.5"),
    ("/spec/forwarded/trust/hops", r#""1""#),
    ("/spec/forwarded/trust/hops", r#"{"min": 1}"#),
    ("/spec/forwarded/trust/hops", r#"{"min": 1, "max": 33}"#),
    ("/spec/forwarded/trust/cidrs", "[]"),
    ("/spec/forwarded/trust/cidrs/0", r#""everywhere""#),
    ("/spec/forwarded/trust/identities/0", r#""spiffe://*""#),
    ("/spec/forwarded/trust/identities/0", r#""https://a/b""#),
    ("/spec/forwarded/trust/identities/0", r#""spiffe://a/*/b""#),
    ("/spec/forwarded/limits/elements", "0"),
    ("/spec/forwarded/limits/elements", "1001"),
    ("/spec/forwarded/limits/bytes", "63"),
    ("/spec/forwarded/limits/bytes", "61441"),
    ("/spec/forwarded/anomalies/malformed", r#""Ignore""#),
    ("/spec/forwarded/clientIpHeader", r#""x client""#),
    ("/spec/forwarded/clientIpHeader", r#""""#),
    ("/spec/forwarded/allow", r#""10.0.0.0/8""#),
    ("/spec/forwarded/companions", r#""Remove""#),
    ("/spec/forwarded/companions", "{}"),
    ("/spec/forwarded/companions", r#"{"keep": []}"#),
    ("/spec/forwarded/companions", r#"{"also": ["a b"]}"#),
    ("/spec/forwarded/exempt", "{}"),
    ("/spec/forwarded/exempt", r#"{"paths": []}"#),
    ("/spec/forwarded/exempt", r#"{"paths": ["healthz"]}"#),
    ("/spec/jwt/providers", "[]"),
    ("/spec/jwt/otherwise", r#""Allow""#),
    ("/spec/jwt/providers/0/name", r#""""#),
    ("/spec/jwt/providers/0/anyAudience", "true"),
    ("/spec/jwt/providers/1/anyAudience", "false"),
    ("/spec/jwt/providers/0/audiences", "[]"),
    ("/spec/jwt/providers/0/algorithms/0", r#""HS256""#),
    ("/spec/jwt/providers/0/jwks", "[]"),
    ("/spec/jwt/providers/0/jwks/keys", "[]"),
    ("/spec/jwt/providers/0/jwks/keys/0/d", r#""AQ""#),
    ("/spec/jwt/providers/0/clockSkew", "60"),
    ("/spec/jwt/providers/0/clockSkew", r#""60""#),
    ("/spec/jwt/providers/0/clockSkew", r#""1 m""#),
    ("/spec/jwt/providers/0/requireExpiration", r#""yes""#),
    ("/spec/jwt/providers/0/maxTokenBytes", "255"),
    ("/spec/jwt/providers/0/maxTokenBytes", "65537"),
    ("/spec/jwt/providers/0/fromHeaders/0/prefix", r#""a,b""#),
    ("/spec/jwt/providers/0/claimsToHeaders/0/claim", "[]"),
    (
        "/spec/jwt/providers/0/claimsToHeaders/0/claim",
        r#"["a", ""]"#,
    ),
    (
        "/spec/jwt/providers/0/claimsToHeaders/0/encoding",
        r#""text""#,
    ),
    ("/spec/forwarded/trust/identities", "[]"),
    ("/spec/forwarded/allow", "[]"),
    ("/spec/forwarded/deny", "[]"),
    ("/spec/jwt/providers/0/subjects", "[]"),
    ("/spec/jwt/providers/0/algorithms", "[]"),
    ("/spec/jwt/providers/0/fromHeaders", "[]"),
    ("/spec/jwt/providers/0/fromCookies", "[]"),
    ("/spec/jwt/providers/0/fromParams", "[]"),
    ("/spec/jwt/providers/0/types", "[]"),
    ("/spec/jwt/rules/0/name", r#""""#),
    ("/spec/jwt/rules/0/paths", "[]"),
    ("/spec/jwt/rules/0/methods", "[]"),
    ("/spec/jwt/rules/1/providers", "[]"),
    ("/spec/jwt/rules/0/hosts", "[]"),
    ("/spec/jwt/rules/0/hosts/0", r#""*""#),
    ("/spec/jwt/rules/0/hosts/0", r#""a b""#),
    ("/spec/jwt/rules/0/paths/0", r#""a""#),
    ("/spec/jwt/rules/0/paths/0", r#""/a*""#),
    ("/spec/jwt/rules/0/paths/0", r#""/a?b""#),
    ("/spec/jwt/rules/0/methods/0", r#""get""#),
    ("/spec/jwt/rules/1/claims/0", r#"{"claim": "a"}"#),
    (
        "/spec/jwt/rules/1/claims/0",
        r#"{"claim": "a", "equals": 1, "contains": 1}"#,
    ),
    ("/spec/jwt/rules/1/claims/0/equals", "[]"),
    ("/spec/jwt/rules/1/claims/0/equals", "1e300"),
    ("/spec/replies/realm", r#""""#),
    ("/spec/replies/realm", r#""a\"b""#),
];

#[test]
fn both_refuse_what_has_another_structure() {
    let validator = jsonschema::validator_for(&policy::schema()).unwrap();
    let full = full().swap_remove(0);
    for (pointer, value) in SPOILT {
        let mut document = full.clone();
        let value: Value = serde_json::from_str(value).unwrap();
        match pointer.rsplit_once('/') {
            None => document = value.clone(),
            Some((parent, name)) => match document.pointer_mut(parent).unwrap() {
                Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
                object => object[name] = value.clone(),
            },
        }
        assert!(
            !problems(&document).is_empty(),
            "the reader takes {pointer} = {value}"
        );
        assert!(
            !validator.is_valid(&document),
            "the schema takes {pointer} = {value}"
        );
    }
}

/// The properties of the schema that a value uses, as `Definition.property`.
fn used(
    root: &Value,
    definition: &str,
    schema: &Value,
    value: &Value,
    found: &mut BTreeSet<String>,
) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").unwrap();
        return used(root, name, &root["$defs"][name], value, found);
    }
    for either in schema["anyOf"].as_array().into_iter().flatten() {
        used(root, definition, either, value, found);
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let property = &schema["properties"][name];
                if !property.is_null() {
                    found.insert(format!("{definition}.{name}"));
                    used(root, definition, property, value, found);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                used(root, definition, &schema["items"], item, found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_documents_use_every_field() {
    let schema = policy::schema();
    let mut found = BTreeSet::new();
    for document in full() {
        used(&schema, "HeaderPolicy", &schema, &document, &mut found);
    }
    let named = schema["$defs"].as_object().unwrap().iter();
    let named = named.map(|(name, schema)| (name.as_str(), schema));
    for (definition, schema) in named.chain([("HeaderPolicy", &schema)]) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                found.contains(&format!("{definition}.{name}")),
                "{definition}.{name}"
            );
            assert!(
                property["description"].is_string(),
                "{definition}.{name}: {property}"
            );
        }
    }
    let text = schema.to_string();
    assert!(
        !text.contains(r#""null""#) && !text.contains(":null"),
        "no field may be null"
    );
}

/// Every field of every object of the language, as pointers to where a document has it. Key sets are the world's: they may have any other member (RFC 7517 section 4).
fn fields(root: &Value, schema: &Value, value: &Value, pointer: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").unwrap();
        return fields(root, &root["$defs"][name], value, pointer, found);
    }
    for either in schema["anyOf"].as_array().into_iter().flatten() {
        fields(root, either, value, pointer, found);
    }
    match value {
        Value::Object(object) if schema["additionalProperties"] == false => {
            for (name, value) in object {
                let property = &schema["properties"][name];
                if !property.is_null() {
                    let pointer = format!("{pointer}/{name}");
                    fields(root, property, value, &pointer, found);
                    found.push(pointer);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let pointer = format!("{pointer}/{index}");
                fields(root, &schema["items"], item, &pointer, found);
            }
        }
        _ => {}
    }
}

/// The law about slips: a field of any object with a letter too few, too many, in the wrong place or in the wrong case is told with the name that was meant.
#[test]
fn every_misspelt_field_gets_a_hint() {
    let schema = policy::schema();
    let mut tried = BTreeSet::new();
    for document in full() {
        let mut pointers = Vec::new();
        fields(&schema, &schema, &document, "", &mut pointers);
        for pointer in pointers {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let (start, end) = name.split_at(name.len() / 2);
            let mut swapped = name.as_bytes().to_vec();
            swapped.swap(name.len() / 2 - 1, name.len() / 2);
            let mut slips = vec![
                format!("{name}s"),
                format!("{start}x{end}"),
                name.to_uppercase(),
            ];
            // Of three letters a swap leaves one in its place.
            if name.len() > 3 {
                slips.push(format!("{start}{}", &end[1..]));
                slips.push(String::from_utf8(swapped).unwrap());
            }
            for slip in slips.into_iter().filter(|slip| slip != name) {
                let mut document = document.clone();
                let object = document.pointer_mut(parent).unwrap();
                let object = object.as_object_mut().unwrap();
                if object.contains_key(&slip) {
                    continue;
                }
                let value = object.remove(name).unwrap();
                object.insert(slip.clone(), value);
                let problems = problems(&document);
                let hint = Some(format!("did you mean `{name}`?"));
                let about = problems.iter().filter(|problem| {
                    let field = problem.path.rsplit('.').next();
                    field == Some(&slip) && problem.hint == hint
                });
                assert_eq!(about.count(), 1, "{pointer} as {slip}: {problems:?}");
                tried.insert(name.to_owned());
            }
        }
    }
    assert!(tried.len() > 70, "{}", tried.len());
}
