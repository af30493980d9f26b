//! The JSON Schema and the reader say the same: field by field, name by name.
#![cfg(feature = "schema")]

use std::collections::{BTreeMap, BTreeSet};

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

/// The names in backticks of the problem at a path.
fn names_expected(problems: &[ConfigError], path: &str) -> BTreeSet<String> {
    let problem = problems.iter().find(|problem| problem.path == path);
    let problem = problem.unwrap_or_else(|| panic!("no problem at {path}: {problems:?}"));
    problem
        .expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Follows references, and from alternatives takes the one for a value of this kind.
fn resolve<'s>(root: &'s Value, schema: &'s Value, value: &Value) -> &'s Value {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.strip_prefix('#').unwrap()).unwrap();
        return resolve(root, target, value);
    }
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        _ => "boolean",
    };
    let fits =
        |kind: &str, named: &Value| named == kind || (kind == "number" && named == "integer");
    if let Some(alternatives) = schema["anyOf"]
        .as_array()
        .filter(|_| schema.get("type").is_none())
    {
        let mut resolved = alternatives
            .iter()
            .map(|alternative| resolve(root, alternative, value));
        return resolved
            .find(|alternative| {
                fits(kind, &alternative["type"]) || kind == "string" && names(alternative).is_some()
            })
            .unwrap_or_else(|| panic!("{schema} {value}"));
    }
    schema
}

/// The closed list of names that a schema allows, if it is one.
fn names(schema: &Value) -> Option<BTreeSet<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if schema["type"] == "string" && schema.get("const").is_some() {
        return text(&schema["const"]).map(|name| [name].into());
    }
    if let Some(list) = schema["enum"].as_array() {
        return list.iter().map(text).collect();
    }
    let list = schema["oneOf"].as_array()?;
    let mut names = BTreeSet::new();
    for item in list {
        match (item["enum"].as_array(), item.get("const")) {
            (Some(list), _) => names.extend(list.iter().filter_map(text)),
            (None, Some(name)) => names.extend(text(name)),
            (None, None) => return None,
        }
    }
    Some(names)
}

/// Walks a good document beside its schema and compares every object's fields and every closed list of names with what the reader says about a wrong one.
struct Walk<'s> {
    schema: &'s Value,
    document: &'s Value,
    /// For each object type, by its fields: those that were seen in use.
    used: BTreeMap<BTreeSet<String>, BTreeSet<String>>,
    objects: usize,
    enums: usize,
}

impl Walk<'_> {
    fn visit(&mut self, schema: &Value, value: &Value, pointer: &str, path: &str) {
        let schema = resolve(self.schema, schema, value);
        match value {
            Value::Object(fields) => {
                // Without a closed list of fields the reader does not look inside, or leaves what it does not know.
                if schema["additionalProperties"] != json!(false) {
                    return;
                }
                let properties = schema["properties"].as_object().unwrap();
                let known: BTreeSet<String> = properties.keys().cloned().collect();
                let mut changed = self.document.clone();
                changed.pointer_mut(pointer).unwrap()["zzUnknown"] = json!(1);
                let dot = if path.is_empty() { "" } else { "." };
                assert_eq!(
                    names_expected(&problems(&changed), &format!("{path}{dot}zzUnknown")),
                    known,
                    "fields of {path}"
                );
                self.objects += 1;
                self.used
                    .entry(known)
                    .or_default()
                    .extend(fields.keys().cloned());
                for (name, value) in fields {
                    self.visit(
                        &properties[name],
                        value,
                        &format!("{pointer}/{name}"),
                        &format!("{path}{dot}{name}"),
                    );
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.visit(
                        &schema["items"],
                        item,
                        &format!("{pointer}/{index}"),
                        &format!("{path}[{index}]"),
                    );
                }
            }
            Value::String(_) => {
                if let Some(names) = names(schema) {
                    let mut changed = self.document.clone();
                    *changed.pointer_mut(pointer).unwrap() = json!("zzUnknown");
                    assert_eq!(
                        names_expected(&problems(&changed), path),
                        names,
                        "names of {path}"
                    );
                    self.enums += 1;
                }
            }
            _ => {}
        }
    }
}

#[test]
fn mirror_and_reader_have_the_same_fields_and_names() {
    let schema = policy::schema();
    let mut used = BTreeMap::<_, BTreeSet<String>>::new();
    let (mut objects, mut enums) = (0, 0);
    for document in full() {
        let mut walk = Walk {
            schema: &schema,
            document: &document,
            used: BTreeMap::new(),
            objects: 0,
            enums: 0,
        };
        walk.visit(&schema, &document, "", "");
        (objects, enums) = (objects + walk.objects, enums + walk.enums);
        for (known, fields) in walk.used {
            used.entry(known).or_default().extend(fields);
        }
    }
    for (known, fields) in &used {
        assert_eq!(known, fields, "the documents use every field");
    }
    let closed = schema["$defs"]
        .as_object()
        .unwrap()
        .values()
        .filter(|def| def["additionalProperties"] == json!(false))
        .count()
        + 1;
    assert_eq!(used.len(), closed, "the documents use every type of object");
    assert!(objects > 20 && enums > 20, "{objects} {enums}");
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

#[test]
fn every_field_has_a_description() {
    let schema = policy::schema();
    for def in schema["$defs"]
        .as_object()
        .unwrap()
        .values()
        .chain([&schema])
    {
        for (name, property) in def["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}: {property}");
        }
    }
    assert!(!schema.to_string().contains("null"), "no field may be null");
}
