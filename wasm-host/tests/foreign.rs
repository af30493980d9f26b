//! `verify_signature` as the guest sees it, with the vectors of RFC 7515 A.2 (RS256) and A.3 (ES256).

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{guest, said};
use wasm_host::{BadKey, Foreign, Hash, Settings, Simulator, VerifySignature, verify_with_ring};

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RSA_MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const EC_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

fn url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        0..=127 => vec![tag, length[1]],
        128..=255 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [head, content].concat()
}

fn integer(magnitude: &[u8]) -> Vec<u8> {
    let sign = if magnitude[0] >= 0x80 { &[0][..] } else { &[] };
    der(2, &[sign, magnitude])
}

fn rsa_key() -> Vec<u8> {
    let key = der(0x30, &[&integer(&url(RSA_MODULUS)), &integer(&url("AQAB"))]);
    let algorithm = der(
        0x30,
        &[
            &der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]]),
            &[5, 0],
        ],
    );
    der(0x30, &[&algorithm, &der(3, &[&[0], &key])])
}

fn ec_key() -> Vec<u8> {
    let curve = der(6, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]]);
    let algorithm = der(
        0x30,
        &[&der(6, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]]), &curve],
    );
    der(
        0x30,
        &[&algorithm, &der(3, &[&[0, 4], &url(EC_X), &url(EC_Y)])],
    )
}

fn rsa_question() -> VerifySignature {
    VerifySignature {
        hash: Hash::Sha256,
        public_key: rsa_key(),
        public_key_pem: Vec::new(),
        signature: url(RSA_SIGNATURE),
        text: format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}").into_bytes(),
    }
}

fn ec_question() -> VerifySignature {
    let raw = url(EC_SIGNATURE);
    let (r, s) = raw.split_at(32);
    VerifySignature {
        hash: Hash::Sha256,
        public_key: ec_key(),
        public_key_pem: Vec::new(),
        signature: der(0x30, &[&integer(r), &integer(s)]),
        text: format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}").into_bytes(),
    }
}

fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let mut bytes = vec![
        number << 3 | 2,
        (length % 128) as u8 | 0x80,
        (length / 128) as u8,
    ];
    bytes.extend_from_slice(value);
    bytes
}

fn message(hash: &str, question: &VerifySignature) -> Vec<u8> {
    [
        field(1, hash.as_bytes()),
        field(2, &question.public_key),
        field(3, &question.signature),
        field(4, &question.text),
        field(5, &question.public_key_pem),
    ]
    .concat()
}

/// Passes its configuration to the foreign function and says what came back.
const GUEST: &str = r#"
    (data (i32.const 64) "verify_signature")
    (func (export "proxy_on_configure") (param $id i32) (param $size i32) (result i32)
      (drop (call $buffer (i32.const 7) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4)))
      (call $say (call $foreign (i32.const 64) (i32.const 16) (i32.load (i32.const 0)) (local.get $size)
        (i32.const 0) (i32.const 4)))
      (i32.const 1))"#;

fn ask_with(foreign: Foreign, message: &[u8]) -> String {
    let mut settings = Settings::new("test");
    settings.foreign = foreign;
    let mut simulator = Simulator::new(&guest(GUEST), settings).unwrap();
    let configured = simulator.configure(message);
    assert_eq!(configured.effects.trap, None);
    said(&configured.effects.logs)[0].to_owned()
}

fn ask(message: &[u8]) -> String {
    ask_with(Foreign::envoy(), message)
}

const GOOD: &str = "\u{8}\u{1}";

#[test]
fn good_signatures_are_good() {
    assert_eq!(ask(&message("sha256", &rsa_question())), GOOD);
    assert_eq!(ask(&message("SHA256", &ec_question())), GOOD);
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(rsa_key())
    );
    let question = VerifySignature {
        public_key: Vec::new(),
        public_key_pem: pem.into_bytes(),
        ..rsa_question()
    };
    assert_eq!(ask(&message("sha256", &question)), GOOD);
}

#[test]
fn a_signature_that_does_not_fit_is_a_result() {
    let bad = |message: Vec<u8>| {
        let answer = ask(&message);
        // Field 2, the error; the result is false and so it is absent.
        assert!(
            answer.starts_with('\u{12}') && answer.len() > 2,
            "{answer:?}"
        );
    };
    for question in [rsa_question(), ec_question()] {
        let mut tampered = question.clone();
        tampered.text[30] ^= 1;
        bad(message("sha256", &tampered));
        let mut tampered = question.clone();
        *tampered.signature.last_mut().unwrap() ^= 1;
        bad(message("sha256", &tampered));
        bad(message("sha384", &question));
        bad(message("sha224", &question));
        bad(message("md5", &question));
    }
    bad(message(
        "sha256",
        &VerifySignature {
            public_key: ec_key(),
            ..rsa_question()
        },
    ));
    // The `r || s` of JWS is not what BoringSSL wants.
    bad(message(
        "sha256",
        &VerifySignature {
            signature: url(EC_SIGNATURE),
            ..ec_question()
        },
    ));
}

#[test]
fn an_unusable_key_or_message_is_a_bad_argument() {
    for key in [
        &b""[..],
        b"key",
        &rsa_key()[1..],
        &rsa_key()[..200],
        &ec_key()[..60],
    ] {
        let question = VerifySignature {
            public_key: key.to_vec(),
            ..rsa_question()
        };
        assert_eq!(verify_with_ring(&question), Err(BadKey));
        assert_eq!(ask(&message("sha256", &question)), "C");
    }
    assert_eq!(ask(&[0x0a, 0xff]), "C");
    assert_eq!(ask(&[0xff; 11]), "C");
}

#[test]
fn without_the_function_it_is_not_found() {
    assert_eq!(
        ask_with(Foreign::none(), &message("sha256", &rsa_question())),
        "B"
    );
}

#[test]
fn the_verifier_is_the_callers_to_choose() {
    let foreign = Foreign {
        verify_signature: Some(std::sync::Arc::new(|_| Ok(true))),
        clear_route_cache: false,
    };
    assert_eq!(
        ask_with(
            foreign,
            &message(
                "sha256",
                &VerifySignature {
                    text: Vec::new(),
                    ..rsa_question()
                }
            )
        ),
        GOOD
    );
}
