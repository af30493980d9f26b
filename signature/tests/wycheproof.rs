//! Project Wycheproof's signatures (C2SP), the published collection of what went wrong in other libraries, against ours: everything that a key of this
//! workspace's algorithms could be asked to verify.
//!
//! A vector is `valid`, `invalid` or `acceptable` (some libraries take it, some don't). Ours must take every valid one and no invalid one; which
//! acceptable ones it takes is counted and pinned here: none, and each of the twelve is an RSA signature whose hash name lacks the NULL of RFC 8017
//! section 9.2. Vectors that use a key with other parameters than its algorithm allows (another salt, another hash) must all be refused, the valid ones
//! too. Left out are files of other parameters that hold one vector with ours on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on stops, and tells how many vectors it judged"
)]

use std::fmt;

use policy::{Algorithm, Key, KeyMaterial, Verdict, Verify};
use signature::Software;
use wycheproof::{
    HashFunction, Mgf, TestResult, ecdsa, eddsa, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss,
};

/// What became of the vectors of one file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    valid_accepted: usize,
    invalid_refused: usize,
    acceptable_accepted: usize,
    acceptable_refused: usize,
    wrong: Vec<String>,
}

impl Tally {
    /// Judges one vector; `fits` tells whether the vector's parameters are the algorithm's.
    fn add(&mut self, key: &Key, (message, signature): (&[u8], &[u8]), expected: Expected<'_>) {
        let accepted = match Software.verify(key, message, signature) {
            Verdict::Valid => true,
            Verdict::Invalid => false,
            Verdict::Unavailable => {
                self.wrong.push(format!("{expected}: the key is refused"));
                return;
            }
        };
        match (&expected.result, expected.fits, accepted) {
            (TestResult::Valid, true, true) => self.valid_accepted += 1,
            (TestResult::Acceptable, true, true) => self.acceptable_accepted += 1,
            (TestResult::Acceptable, true, false) => self.acceptable_refused += 1,
            (TestResult::Invalid, _, false) | (_, false, false) => self.invalid_refused += 1,
            (TestResult::Valid, true, false)
            | (TestResult::Invalid, _, true)
            | (_, false, true) => {
                self.wrong
                    .push(format!("{expected}: accepted is {accepted}"));
            }
        }
    }

    /// Ends a file: nothing is wrong, and the numbers are these: valid, invalid or unfit, acceptable taken, acceptable refused.
    #[track_caller]
    fn is(&self, file: &str, numbers: [usize; 4]) {
        assert!(
            self.wrong.is_empty(),
            "{file}: {} wrong:\n{}",
            self.wrong.len(),
            self.wrong.join("\n")
        );
        let counted = [
            self.valid_accepted,
            self.invalid_refused,
            self.acceptable_accepted,
            self.acceptable_refused,
        ];
        println!(
            "{file}: {} vectors: {} valid accepted, {} invalid or unfit refused, of the acceptable {} accepted and {} refused",
            counted.iter().sum::<usize>(),
            counted[0],
            counted[1],
            counted[2],
            counted[3],
        );
        assert_eq!(counted, numbers, "{file}");
    }
}

/// What Wycheproof says of a vector.
struct Expected<'v> {
    id: usize,
    comment: &'v str,
    result: TestResult,
    fits: bool,
}

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            comment,
            result,
            fits,
        } = self;
        write!(f, "{id} ({comment}), {result:?}, fits: {fits}")
    }
}

fn key(algorithm: Algorithm, material: KeyMaterial) -> Key {
    Key {
        id: None,
        algorithm,
        material,
    }
}

/// RSA keys come with the sign byte of ASN.1.
fn rsa(algorithm: Algorithm, modulus: &[u8], exponent: &[u8]) -> Key {
    let number = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes[zeros..].to_vec()
    };
    let (modulus, exponent) = (number(modulus), number(exponent));
    key(algorithm, KeyMaterial::Rsa { modulus, exponent })
}

#[test]
fn rsa_pkcs1() {
    use Algorithm::{Rs256, Rs384, Rs512};
    use pkcs1::TestName as File;
    for (file, algorithm, numbers) in [
        (File::Rsa2048Sha256, Rs256, [9, 249, 0, 1]),
        (File::Rsa2048Sha384, Rs384, [7, 250, 0, 1]),
        (File::Rsa2048Sha512, Rs512, [8, 250, 0, 1]),
        (File::Rsa3072Sha256, Rs256, [8, 250, 0, 1]),
        (File::Rsa3072Sha384, Rs384, [7, 251, 0, 1]),
        (File::Rsa3072Sha512, Rs512, [8, 251, 0, 1]),
        (File::Rsa4096Sha256, Rs256, [7, 250, 0, 1]),
        (File::Rsa4096Sha384, Rs384, [7, 251, 0, 1]),
        (File::Rsa4096Sha512, Rs512, [7, 251, 0, 1]),
        (File::Rsa8192Sha256, Rs256, [7, 250, 0, 1]),
        (File::Rsa8192Sha384, Rs384, [7, 251, 0, 1]),
        (File::Rsa8192Sha512, Rs512, [7, 251, 0, 1]),
    ] {
        let mut tally = Tally::default();
        for group in pkcs1::TestSet::load(file).unwrap().test_groups {
            let key = rsa(algorithm, &group.key.n, &group.key.e);
            let fits = group.hash
                == match algorithm {
                    Rs384 => HashFunction::Sha2_384,
                    Rs512 => HashFunction::Sha2_512,
                    _ => HashFunction::Sha2_256,
                };
            for test in &group.tests {
                let expected = Expected {
                    id: test.tc_id,
                    comment: &test.comment,
                    result: test.result,
                    fits,
                };
                tally.add(&key, (&test.msg, &test.sig), expected);
            }
        }
        tally.is(&format!("{file:?} as {algorithm:?}"), numbers);
    }
}

#[test]
fn rsa_pss_with_sha_256() {
    use pss::TestName as File;
    for (file, numbers) in [
        (File::RsaPss2048Sha256Mgf1SaltLen32, [63, 45, 0, 0]),
        (File::RsaPss3072Sha256Mgf1SaltLen32, [63, 45, 0, 0]),
        (File::RsaPss4096Sha256Mgf1SaltLen32, [63, 45, 0, 0]),
        // Other salts and hashes than the algorithm's; the last file has some of each.
        (File::RsaPss2048Sha256Mgf1Sha1_20, [0, 108, 0, 0]),
        (File::RsaPss2048Sha384Mgf1SaltLen48, [0, 141, 0, 0]),
        (File::RsaPssmisc, [1, 149, 0, 0]),
    ] {
        let mut tally = Tally::default();
        for group in pss::TestSet::load(file).unwrap().test_groups {
            let key = rsa(Algorithm::Ps256, &group.key.n, &group.key.e);
            let fits = group.hash == HashFunction::Sha2_256
                && group.mgf == Mgf::Mgf1
                && group.mgf_hash == Some(HashFunction::Sha2_256)
                && group.salt_size == 32;
            for test in &group.tests {
                let expected = Expected {
                    id: test.tc_id,
                    comment: &test.comment,
                    result: test.result,
                    fits,
                };
                tally.add(&key, (&test.msg, &test.sig), expected);
            }
        }
        tally.is(&format!("{file:?}"), numbers);
    }
}

#[test]
fn ecdsa_in_the_form_of_jws() {
    use ecdsa::TestName as File;
    for (file, algorithm, numbers) in [
        (
            File::EcdsaSecp256r1Sha256P1363,
            Algorithm::Es256,
            [173, 89, 0, 0],
        ),
        (
            File::EcdsaSecp384r1Sha384P1363,
            Algorithm::Es384,
            [193, 87, 0, 0],
        ),
        // Another hash than the algorithm's.
        (
            File::EcdsaSecp256r1Sha512P1363,
            Algorithm::Es256,
            [0, 332, 0, 0],
        ),
        (
            File::EcdsaSecp384r1Sha512P1363,
            Algorithm::Es384,
            [0, 318, 0, 0],
        ),
    ] {
        let mut tally = Tally::default();
        for group in ecdsa::TestSet::load(file).unwrap().test_groups {
            // 4, then both coordinates in full width (SEC 1 section 2.3.3).
            let point = &group.key.key[1..];
            let (x, y) = point.split_at(point.len() / 2);
            let (material, hash) = match algorithm {
                Algorithm::Es256 => {
                    let (x, y) = (x.try_into().unwrap(), y.try_into().unwrap());
                    (KeyMaterial::P256 { x, y }, HashFunction::Sha2_256)
                }
                _ => {
                    let (x, y) = (x.try_into().unwrap(), y.try_into().unwrap());
                    (KeyMaterial::P384 { x, y }, HashFunction::Sha2_384)
                }
            };
            let key = key(algorithm, material);
            for test in &group.tests {
                let expected = Expected {
                    id: test.tc_id,
                    comment: &test.comment,
                    result: test.result,
                    fits: group.hash == hash,
                };
                tally.add(&key, (&test.msg, &test.sig), expected);
            }
        }
        tally.is(&format!("{file:?} as {algorithm:?}"), numbers);
    }
}

#[test]
fn ed25519() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .unwrap()
        .test_groups
    {
        let material = KeyMaterial::Ed25519(group.key.pk.as_slice().try_into().unwrap());
        let key = key(Algorithm::EdDsa, material);
        for test in &group.tests {
            let expected = Expected {
                id: test.tc_id,
                comment: &test.comment,
                result: test.result,
                fits: true,
            };
            tally.add(&key, (&test.msg, &test.sig), expected);
        }
    }
    tally.is("Ed25519", [88, 63, 0, 0]);
}
