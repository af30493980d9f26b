//! Forwarded chains that nobody should believe.

use super::tokens::Tokens;
use super::{CHAIN, Draft, field_bytes};
use crate::random::Random;

pub fn junk(draft: &mut Draft, random: &mut Random, tokens: &Tokens) {
    let mut elements: Vec<Vec<u8>> = (0..random.below(6))
        .map(|_| {
            if random.chance(50) {
                field_bytes(random, 40)
            } else {
                random.pick(&ELEMENTS).into()
            }
        })
        .collect();
    // With one trusted hop this one would be the client, so no token helps.
    elements.push(random.pick(&BAD).into());
    draft.replace(
        CHAIN,
        elements.join(random.pick::<[u8]>(&[b",", b", ", b" ,\t"])),
    );
    if random.chance(50) {
        draft.header("authorization", format!("Bearer {}", tokens.good));
    }
}

pub fn odd_addresses(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    let elements: Vec<&[u8]> = (0..1 + random.below(5))
        .map(|_| random.pick(&ELEMENTS))
        .collect();
    draft.replace(CHAIN, elements.join(&b","[..]));
}

pub fn long(draft: &mut Draft, random: &mut Random, tokens: &Tokens) {
    let elements = 33 + random.below(3_000);
    draft.replace(CHAIN, vec!["192.0.2.1"; elements].join(","));
    if random.chance(50) {
        draft.header("authorization", format!("Bearer {}", tokens.good));
    }
}

pub fn lines(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    for _ in 0..1 + random.below(40) {
        let name = random.pick(&[
            "x-forwarded-for",
            "X-Forwarded-For",
            "X-FORWARDED-FOR",
            "x_forwarded_for",
            "x-forwarded_for",
        ]);
        draft.header(name, random.pick(&ELEMENTS));
    }
}

pub fn forwarded(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    for _ in 0..1 + random.below(3) {
        let pairs: Vec<Vec<u8>> = (0..random.below(40))
            .map(|_| {
                let name = random.pick(&[
                    "for=", "For=", "by=", "host=", "proto=", "for", "=", "secret=",
                ]);
                let value = match random.below(4) {
                    0 => field_bytes(random, 20),
                    1 => b"\"[2001:db8::1]:80\"".to_vec(),
                    2 => b"\"\\\"unclosed".to_vec(),
                    _ => random.pick(&ELEMENTS).into(),
                };
                [name.as_bytes(), &value].concat()
            })
            .collect();
        draft.header(
            "forwarded",
            pairs.join(random.pick::<[u8]>(&[b";", b",", b" ; ", b";;"])),
        );
    }
}

pub fn companions(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    for _ in 0..1 + random.below(8) {
        let name = random.pick(&[
            "x-real-ip",
            "x-client-ip",
            "X-Client-IP",
            "x_client_ip",
            "x-user",
            "x_user",
            "X-USER",
            "x-payload",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-port",
            "true-client-ip",
            "cf-connecting-ip",
        ]);
        draft.header(name, field_bytes(random, 60));
    }
}

const ELEMENTS: [&[u8]; 24] = [
    b"203.0.113.9",
    b"192.0.2.1:80",
    b"[2001:db8::1]",
    b"[2001:db8::1]:443",
    b"2001:db8::1",
    b"fe80::1%eth0",
    b"::ffff:192.0.2.1",
    b"::",
    b"0.0.0.0",
    b"127.0.0.1",
    b"010.0.0.1",
    b"1.2.3",
    b"1.2.3.4.5",
    b"256.1.1.1",
    b"0x7f.1",
    b"2130706433",
    b"",
    b" ",
    b"unknown",
    b"_hidden",
    b"\"192.0.2.1\"",
    b"\xff\xfe",
    b"1:2:3:4:5:6:7:8:9",
    b"-",
];

/// None of these is an address in any reading.
const BAD: [&[u8]; 8] = [
    b"unknown",
    b"256.1.1.1",
    b"1.2.3.4.5",
    b"\xff\xfe\x80",
    b"192.0.2.1 192.0.2.2",
    b"1:2:3:4:5:6:7:8:9",
    b"'",
    b"192.0.2.1\xc3\xa9",
];
