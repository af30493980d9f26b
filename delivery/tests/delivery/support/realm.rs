//! A token server as registries have it: checks a password or a refresh token, signs what was asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lab::SelfSigned;
use lab::server::{Request, Response, Server};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;

use super::{PASSWORD, USER, fake};

pub const REFRESH: &str = "a refresh/token";

/// A realm of plain HTTP, whose tokens are signed by a key.
pub fn start(at: &str, signing: &SelfSigned) -> Server {
    serve(at, None, signing)
}

/// As [`start`], over TLS with the same certificate.
pub fn with_tls(at: &str, signing: &SelfSigned) -> Server {
    serve(at, Some(signing), signing)
}

fn serve(at: &str, tls: Option<&SelfSigned>, signing: &SelfSigned) -> Server {
    let (key, certificate) = (signing.key_der(), signing.certificate_der());
    fake(at, tls, move |request| answer(request, &key, &certificate))
}

/// A token of a realm, as its user gets one.
pub fn token(realm: &str, scope: &str) -> String {
    let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let mut answer = ureq::get(format!("{realm}?scope={scope}&service=tests"))
        .header("authorization", basic)
        .call()
        .unwrap();
    let answer = answer.body_mut().read_to_string().unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

fn answer(request: &Request, key: &[u8], certificate: &[u8]) -> Response {
    let form = String::from_utf8_lossy(&request.body).into_owned();
    let query = request
        .path
        .split_once('?')
        .map_or("", |(_, query)| query)
        .to_owned();
    let parameter = |name: &str| {
        let pairs = query.split('&').chain(form.split('&'));
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decode(value))
    };
    let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let by_password = request.authorization.as_deref() == Some(&basic);
    let by_refresh =
        request.method == "POST" && parameter("refresh_token").as_deref() == Some(REFRESH);
    if !by_password && !by_refresh {
        return Response::new(401)
            .body(r#"{"errors": [{"code": "UNAUTHORIZED", "message": "who is this?"}]}"#);
    }
    let scope = parameter("scope").unwrap();
    let [kind, name, actions] = scope.splitn(3, ':').collect::<Vec<_>>()[..] else {
        panic!("scope {scope}")
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = json!({
        "iss": "tests", "aud": parameter("service").unwrap(), "sub": USER, "jti": "1",
        "iat": now - 5, "nbf": now - 5, "exp": now + 300,
        "access": [{"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()}],
    });
    let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(certificate)]});
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random).unwrap();
    let signature = pair.sign(&random, signed.as_bytes()).unwrap();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    Response::new(200).body(json!({"token": token}).to_string())
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}
