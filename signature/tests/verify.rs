//! Signatures from the RFCs, from OpenSSL and from ring, and everything that must not pass for one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops"
)]

mod signer;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy::{Algorithm, Key, KeyMaterial, Verdict, Verify};
use signature::Software;

use signer::{Signer, by_openssl, test_key};

const MESSAGE: &[u8] = b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9";

/// Each algorithm with a committed key pair that fits it.
const PAIRS: [(Algorithm, &str); 7] = [
    (Algorithm::Rs256, "rsa-a"),
    (Algorithm::Rs384, "rsa-a"),
    (Algorithm::Rs512, "rsa-a"),
    (Algorithm::Ps256, "rsa-b"),
    (Algorithm::Es256, "ec-a"),
    (Algorithm::Es384, "ec384-a"),
    (Algorithm::EdDsa, "ed-a"),
];

fn verify(key: &Key, message: &[u8], signature: &[u8]) -> Verdict {
    Software.verify(key, message, signature)
}

fn bytes(base64url: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(base64url).unwrap()
}

fn array<const N: usize>(base64url: &str) -> [u8; N] {
    bytes(base64url).try_into().unwrap()
}

fn key(algorithm: Algorithm, material: KeyMaterial) -> Key {
    Key {
        id: None,
        algorithm,
        material,
    }
}

fn is_rsa(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps256
    )
}

#[track_caller]
fn verifies_token(key: &Key, token: &str) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = bytes(signature);
    assert!(Software.usable(key));
    assert_eq!(verify(key, message.as_bytes(), &signature), Verdict::Valid);
    assert_eq!(
        verify(key, &message.as_bytes()[1..], &signature),
        Verdict::Invalid
    );
}

#[test]
fn verifies_rfc_7515_a_2_rs256() {
    let modulus = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs\
        D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv\
        b3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4\
        BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv\
        hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let material = KeyMaterial::Rsa {
        modulus: bytes(modulus),
        exponent: bytes("AQAB"),
    };
    verifies_token(&key(Algorithm::Rs256, material), token);
}

#[test]
fn verifies_rfc_7515_a_3_es256() {
    let material = KeyMaterial::P256 {
        x: array("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        y: array("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    };
    verifies_token(
        &key(Algorithm::Es256, material),
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
         DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
}

#[test]
fn verifies_rfc_8037_a_4_ed25519() {
    let material = KeyMaterial::Ed25519(array("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
    verifies_token(
        &key(Algorithm::EdDsa, material),
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
         hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
}

#[test]
fn verifies_what_openssl_signed_and_ring_signs_and_nothing_near_it() {
    for (algorithm, name) in PAIRS {
        nothing_near(algorithm, name, &by_openssl(algorithm.name()));
        let signature = Signer::committed(name).sign(algorithm, MESSAGE);
        nothing_near(algorithm, name, &signature);
    }
}

/// The signature is valid; what differs from it, or from its message, is not.
#[track_caller]
fn nothing_near(algorithm: Algorithm, name: &str, signature: &[u8]) {
    let key = test_key(name, algorithm);
    assert!(Software.usable(&key), "{algorithm:?}");
    assert_eq!(
        verify(&key, MESSAGE, signature),
        Verdict::Valid,
        "{algorithm:?}"
    );

    let mut not_signatures = vec![
        ("empty", Vec::new()),
        (
            "without its last byte",
            signature[..signature.len() - 1].to_vec(),
        ),
        ("without its first byte", signature[1..].to_vec()),
        ("half", signature[..signature.len() / 2].to_vec()),
        ("a byte appended", [signature, &[0]].concat()),
        ("a zero byte in front", [&[0], signature].concat()),
        ("all zero", vec![0; signature.len()]),
        ("all ones", vec![0xff; signature.len()]),
    ];
    for position in [
        0,
        signature.len() / 2 - 1,
        signature.len() / 2,
        signature.len() - 1,
    ] {
        let mut tampered = signature.to_vec();
        tampered[position] ^= 1;
        not_signatures.push(("one bit flipped", tampered));
    }
    for (what, not_signature) in not_signatures {
        assert_eq!(
            verify(&key, MESSAGE, &not_signature),
            Verdict::Invalid,
            "{algorithm:?}, {what}"
        );
    }

    for message in [
        &MESSAGE[1..],
        &MESSAGE[..MESSAGE.len() - 1],
        &[MESSAGE, b" "].concat(),
        b"",
    ] {
        assert_eq!(
            verify(&key, message, signature),
            Verdict::Invalid,
            "{algorithm:?}"
        );
    }
}

#[test]
fn refuses_signatures_of_another_key() {
    for (algorithm, name) in PAIRS {
        let forged = Signer::stranger(algorithm).sign(algorithm, MESSAGE);
        assert_eq!(
            verify(&test_key(name, algorithm), MESSAGE, &forged),
            Verdict::Invalid,
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_key_verifies_only_the_algorithm_it_is_pinned_to() {
    for (signed_with, name) in PAIRS {
        let signature = Signer::committed(name).sign(signed_with, MESSAGE);
        for pinned in Algorithm::ALL {
            let expected = match pinned {
                _ if pinned == signed_with => Verdict::Valid,
                _ if is_rsa(pinned) && is_rsa(signed_with) => Verdict::Invalid,
                // The numbers are of no use to this algorithm.
                _ => Verdict::Unavailable,
            };
            let key = Key {
                algorithm: pinned,
                ..test_key(name, signed_with)
            };
            assert_eq!(
                verify(&key, MESSAGE, &signature),
                expected,
                "{signed_with:?} for a key of {pinned:?}"
            );
            assert_eq!(Software.usable(&key), expected != Verdict::Unavailable);
        }
    }
}

#[test]
fn pss_takes_a_salt_of_32_bytes_only() {
    let key = test_key("rsa-b", Algorithm::Ps256);
    for (how, expected) in [
        ("PS256", Verdict::Valid),
        ("PS256-salt-0", Verdict::Invalid),
        ("PS256-salt-20", Verdict::Invalid),
        ("PS256-salt-31", Verdict::Invalid),
        ("PS256-salt-max", Verdict::Invalid),
    ] {
        let signature = by_openssl(how);
        assert_eq!(verify(&key, MESSAGE, &signature), expected, "{how}");
    }
}

#[test]
fn ecdsa_in_der_is_no_jws_signature() {
    for (algorithm, name) in [(Algorithm::Es256, "ec-a"), (Algorithm::Es384, "ec384-a")] {
        let der = by_openssl(&format!("{}-der", algorithm.name()));
        assert_eq!(
            verify(&test_key(name, algorithm), MESSAGE, &der),
            Verdict::Invalid
        );
    }
}

#[test]
fn ecdsa_with_either_s_is_taken() {
    // FIPS 186-4 section D.1.2.3.
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ];
    let key = test_key("ec-a", Algorithm::Es256);
    let mut signature = Signer::committed("ec-a").sign(Algorithm::Es256, MESSAGE);
    let mut borrow = 0;
    for (digit, order) in signature[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *digit = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    assert_eq!(verify(&key, MESSAGE, &signature), Verdict::Valid);

    // r, then s, equal to the order: out of range (RFC 7518 section 3.4), though the same number modulo the order as zero.
    for half in [0..32, 32..64] {
        let mut signature = signature.clone();
        signature[half].copy_from_slice(&ORDER);
        assert_eq!(verify(&key, MESSAGE, &signature), Verdict::Invalid);
    }
}

#[track_caller]
fn is_no_key(key: &Key) {
    assert!(!Software.usable(key), "{key:?}");
    for length in [0, 64, 96, 256] {
        assert_eq!(verify(key, MESSAGE, &vec![0; length]), Verdict::Unavailable);
    }
}

#[test]
fn points_off_the_curve_are_no_keys() {
    let KeyMaterial::P256 { x, y } = test_key("ec-a", Algorithm::Es256).material else {
        panic!("ec-a is on P-256")
    };
    for (x, y) in [
        (x, flipped(y)),
        (flipped(x), y),
        (x, [0; 32]),
        ([0; 32], [0; 32]),
        ([0xff; 32], y),
        (x, [0xff; 32]),
    ] {
        is_no_key(&key(Algorithm::Es256, KeyMaterial::P256 { x, y }));
    }
    let KeyMaterial::P384 { x, y } = test_key("ec384-a", Algorithm::Es384).material else {
        panic!("ec384-a is on P-384")
    };
    for (x, y) in [
        (x, flipped(y)),
        (flipped(x), y),
        (x, [0; 48]),
        ([0; 48], [0; 48]),
        ([0xff; 48], y),
        (x, [0xff; 48]),
    ] {
        is_no_key(&key(Algorithm::Es384, KeyMaterial::P384 { x, y }));
    }
}

fn flipped<const N: usize>(mut number: [u8; N]) -> [u8; N] {
    number[N - 1] ^= 1;
    number
}

#[test]
fn ed25519_keys_that_are_no_point_or_of_small_order_or_not_canonical_are_no_keys() {
    let from = |first: u8, others: u8, last: u8| {
        let mut bytes = [others; 32];
        bytes[0] = first;
        bytes[31] = last;
        key(Algorithm::EdDsa, KeyMaterial::Ed25519(bytes))
    };
    // No point has y = 2. The neutral element has y = 1, the points of order 4 have y = 0, the one of order 2 has y = p - 1.
    for small in [0, 1, 2] {
        is_no_key(&from(small, 0, 0));
        is_no_key(&from(small, 0, 0x80));
    }
    is_no_key(&from(0xec, 0xff, 0x7f));
    // y from p to 2^255 - 1: p = 2^255 - 19.
    for first in 0xed..=0xff {
        is_no_key(&from(first, 0xff, 0x7f));
        is_no_key(&from(first, 0xff, 0xff));
    }
}

#[test]
fn rsa_keys_of_a_bad_size_or_shape_are_no_keys() {
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let (modulus, exponent) = (modulus.to_vec(), exponent.to_vec());
        key(Algorithm::Rs256, KeyMaterial::Rsa { modulus, exponent })
    };
    let KeyMaterial::Rsa { modulus, exponent } = test_key("rsa-a", Algorithm::Rs256).material
    else {
        panic!("rsa-a is RSA")
    };
    let even = [&modulus[..255], &[modulus[255] & 0xfe]].concat();
    // The modulus of testdata/keys/rsa-1024.pem.
    let too_small = rsa(
        &bytes(
            "vTycHtXuG3Mwjn4onakxLgXJcuETeXJovHw4mhQk0umSlRr3ppuAfaqPrUYGbSeBuAAI3EQ-I3_T44HXIGcfKdPyPgO-vWeFnB_w6vgza7aJWTZFQTRSv247jSxb8KeRuz-7mTKQ4FDxdj1PocI8Ec6f_ebVYI0pXml3n2XTRGc",
        ),
        &exponent,
    );
    let too_large = [&[1][..], &[0xff; 1024]].concat();

    // 2048 and 8192 bits, and the least and the greatest exponent: what is usable verifies.
    let least = [&[0x80][..], &[0; 254], &[1]].concat();
    for key in [
        rsa(&modulus, &exponent),
        rsa(&modulus, &[3]),
        rsa(&modulus, &[1, 0xff, 0xff, 0xff, 0xff]),
        rsa(&least, &exponent),
        rsa(&[0xff; 1024], &exponent),
    ] {
        assert!(Software.usable(&key), "{key:?}");
        assert_eq!(
            verify(&key, MESSAGE, &[0; 256]),
            Verdict::Invalid,
            "{key:?}"
        );
    }
    is_no_key(&too_small);
    for (modulus, exponent) in [
        (&modulus[..], &[][..]),
        (&modulus, &[0]),
        (&modulus, &[1]),
        (&modulus, &[1, 0, 0]),
        (&modulus, &[2, 0, 0, 0, 1]),
        (&modulus, &modulus),
        (&modulus, &[0xff; 4096]),
        (&[], &exponent),
        (&[0; 256], &exponent),
        (&even, &exponent),
        (&modulus[..255], &exponent),
        (&too_large, &exponent),
        (&[0xff; 100_000], &exponent),
    ] {
        is_no_key(&rsa(modulus, exponent));
    }
}
