//! What may look like a token.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use lab::repository;

use super::{Draft, any_bytes, field_bytes};
use crate::random::Random;

/// The published examples: one that is good until 2036, and two that never are.
pub struct Tokens {
    pub good: String,
    expired: String,
    forged: String,
}

impl Tokens {
    pub fn read() -> Self {
        let read = |name: &str| {
            let path = repository().join("examples/tokens").join(name);
            std::fs::read_to_string(path).unwrap().trim().to_owned()
        };
        Self {
            good: read("ann.jwt"),
            expired: read("expired.jwt"),
            forged: read("forged.jwt"),
        }
    }
}

fn bearer(draft: &mut Draft, token: impl AsRef<[u8]>) {
    draft.header("authorization", [b"Bearer ", token.as_ref()].concat());
}

pub fn junk(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    let segments: Vec<Vec<u8>> = (0..random.below(6))
        .map(|_| match random.below(4) {
            0 => field_bytes(random, 200),
            1 => URL_SAFE_NO_PAD.encode(any_bytes(random, 200)).into(),
            2 => STANDARD.encode(any_bytes(random, 200)).into(),
            _ => random
                .pick::<[u8]>(&[
                    b"",
                    b"=",
                    b"A",
                    b"%2e",
                    b"null",
                    b"e30",
                    b"eyJhbGciOiJub25lIn0",
                ])
                .into(),
        })
        .collect();
    bearer(draft, segments.join(&b'.'));
}

pub fn changed(draft: &mut Draft, random: &mut Random, tokens: &Tokens) {
    let mut bytes = random
        .choose(&[&tokens.good, &tokens.expired, &tokens.forged])
        .as_bytes()
        .to_vec();
    match random.below(5) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => bytes = bytes.repeat(2),
        2 => bytes.extend(random.pick::<[u8]>(&[b"=", b".", b"A", b"\xff", b" x"])),
        3 => bytes.insert(0, *random.choose(b".=A\x80")),
        _ => {}
    }
    if bytes == tokens.good.as_bytes() || random.chance(40) {
        for _ in 0..1 + random.below(3) {
            let place = random.below(bytes.len().max(1));
            // What is not of the alphabet can't turn one good spelling into another.
            if let Some(byte) = bytes.get_mut(place) {
                *byte = *random.choose(b"!~\x80\xff+/%=");
            }
        }
    }
    bearer(draft, bytes);
}

pub fn odd_json(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    let header = random.pick(&[
        r#"{"alg":"RS256","kid":"rsa-a"}"#,
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256","kid":"rsa-a"}"#,
        r#"{"alg":"RS256","kid":"rsa-a","crit":["x"]}"#,
        r#"{"alg":["RS256"]}"#,
        r#"{"alg":"RS256","alg":"none"}"#,
        r#"{"alg":"EdDSA","kid":"ed-a"}"#,
        "{}",
        "[]",
        "{",
        "\u{feff}{}",
        r#"{"alg":"\ud800"}"#,
    ]);
    let claims = random.pick(&[
        r#"{"iss":"https://login.example.com","aud":"shop","exp":2082758400}"#,
        r#"{"iss":"https://login.example.com","iss":"x"}"#,
        r#"{"exp":1e400}"#,
        r#"{"exp":-1}"#,
        r#"{"iss":"https:\u002f\u002flogin.example.com"}"#,
        r#"{"a":123456789012345678901234567890}"#,
        r#"{"sub":"\u0000"}"#,
        "null",
        "\"",
        "{\"iss\":\"\u{e9}\"}",
        "{'iss':1}",
        "",
    ]);
    let signature = any_bytes(random, 300);
    let parts =
        [header.as_bytes(), claims.as_bytes(), &signature].map(|part| URL_SAFE_NO_PAD.encode(part));
    bearer(draft, parts.join("."));
}

/// Brackets without end: a reader that recurses runs out of stack.
pub fn deep(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    let depth = 1 << (4 + random.below(11));
    let opening = *random.choose(&["[", "{\"a\":", "[{\"a\":"]);
    let text = format!(
        "{{\"iss\":\"https://login.example.com\",\"x\":{}",
        opening.repeat(depth)
    );
    let text = &text[..text.len().min(40_000)];
    let good = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"rsa-a"}"#);
    let deep = URL_SAFE_NO_PAD.encode(text);
    let token = match random.below(2) {
        0 => format!("{deep}.{good}.AAAA"),
        _ => format!("{good}.{deep}.AAAA"),
    };
    bearer(draft, token);
}

pub fn huge(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    let size = *random.choose(&[8_191, 8_192, 8_193, 30_000, 65_535, 65_536, 65_537, 80_000]);
    let mut token = match random.below(4) {
        0 => vec![b'A'; size],
        1 => vec![b'.'; size],
        2 => b"eyJhbGciOiJSUzI1NiJ9."
            .iter()
            .copied()
            .cycle()
            .take(size)
            .collect(),
        _ => vec![0xff; size],
    };
    if random.chance(50) {
        token.splice(..0, *b"eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS1hIn0.");
    }
    bearer(draft, token);
}

pub fn several(draft: &mut Draft, random: &mut Random, tokens: &Tokens) {
    bearer(draft, &tokens.good);
    // Another one beside it, so that the good one must not count.
    match random.below(5) {
        0 => bearer(draft, &tokens.expired),
        1 => bearer(draft, "x"),
        2 => draft.header("cookie", format!("t={}", tokens.forged)),
        3 => draft.target = format!("/shop?t={}", tokens.expired).into(),
        _ => {
            for _ in 0..100 {
                bearer(draft, &tokens.forged);
            }
        }
    }
}

pub fn everywhere(draft: &mut Draft, random: &mut Random, tokens: &Tokens) {
    let value = match random.below(3) {
        0 => field_bytes(random, 100),
        1 => tokens.expired.clone().into_bytes(),
        _ => b"%zz%".to_vec(),
    };
    for _ in 0..1 + random.below(20) {
        let separator = random.pick::<[u8]>(&[b";", b"; ", b";;", b"=", b"; \"", b","]);
        draft.header(
            "cookie",
            [b"a=b", separator, b"t=", &value[..], separator].concat(),
        );
    }
    let query = URL_SAFE.encode(any_bytes(random, 60));
    draft.target = format!(
        "/shop?{}t={query}&t&t=&%74={query}",
        "&".repeat(random.below(50))
    )
    .into();
}

pub fn odd_authorization(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    for _ in 0..1 + random.below(4) {
        let name = random.pick(&[
            "authorization",
            "Authorization",
            "AUTHORIZATION",
            "proxy-authorization",
        ]);
        let value = random.pick::<[u8]>(&[
            b"",
            b"Bearer",
            b"Bearer ",
            b"Bearer  ",
            b"bearer\tx",
            b"Basic YTpi",
            b"Bearer ,",
            b",,,,",
            b"Bearer x,Bearer y",
            b"\xff\xff",
            b"Negotiate",
            b"Bearer Bearer",
        ]);
        draft.header(name, value);
    }
}

/// The token is fine, so this may be allowed; no company may do worse than a refusal.
pub fn good_in_odd_company(draft: &mut Draft, random: &mut Random, tokens: &Tokens) {
    draft.may_pass = true;
    let scheme = *random.choose(&["Bearer", "bearer", "BEARER"]);
    draft.header("authorization", format!("{scheme} {}", tokens.good));
    for _ in 0..random.below(150) {
        draft.header(format!("x-{}", random.below(60)), field_bytes(random, 80));
    }
    if random.chance(20) {
        bearer(draft, &tokens.good);
    }
}
