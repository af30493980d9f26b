//! Software verification answers for any numbers in a key and any bytes in a signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{Algorithm, Key, KeyMaterial, Verdict, Verify};
use signature::Software;

fuzz_target!(|input: (u8, u8, u8, [u8; 48], [u8; 48], &[u8], &[u8])| {
    let (algorithm, kind, exponent, x, y, modulus, signature) = input;
    let material = match kind % 4 {
        0 => KeyMaterial::Rsa {
            modulus: modulus.to_vec(),
            exponent: vec![exponent],
        },
        1 => KeyMaterial::P256 {
            x: first(x),
            y: first(y),
        },
        2 => KeyMaterial::P384 { x, y },
        _ => KeyMaterial::Ed25519(first(x)),
    };
    let key = Key {
        id: None,
        algorithm: Algorithm::ALL[usize::from(algorithm) % Algorithm::ALL.len()],
        material,
    };
    let verdict = Software.verify(&key, b"message", signature);
    assert_eq!(verdict == Verdict::Unavailable, !Software.usable(&key));
});

fn first(wide: [u8; 48]) -> [u8; 32] {
    std::array::from_fn(|index| wide[index])
}
