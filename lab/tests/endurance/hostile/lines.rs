//! Start lines, header lines and bodies that break the rules of HTTP/1.1 (RFC 9112), or come near to it.

use super::tokens::Tokens;
use super::{CHAIN, Draft, Then, any_bytes, field_bytes};
use crate::random::Random;
use crate::tap::mark;

/// Ways around the open tree of the policy: each must be judged as what it is, or be refused.
pub fn path(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    let start = random.pick(&[
        "/shop",
        "/admin",
        "/public/../",
        "/public/../shop",
        "//public",
        "/PUBLIC",
        "/publicx",
        "/public%2f..%2fshop",
    ]);
    let mut path = start.as_bytes().to_vec();
    for _ in 0..random.below(30) {
        path.extend(random.pick::<[u8]>(&[
            b"/",
            b"//",
            b"%2f",
            b"%2F",
            b"%5c",
            b"\\",
            b"/..",
            b"/.",
            b"%2e%2e/",
            b"..;/",
            b";a=b",
            b"%00",
            b"%",
            b"%zz",
            b"%c0%af",
            b"%25%32%66",
            b"?",
            b"#",
            b"public",
            b"shop",
            b"\xff",
            b"%ff",
            b"~",
            b"%7e",
        ]));
    }
    draft.target = path;
}

pub fn method(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    draft.method = match random.below(4) {
        0 => field_bytes(random, 30),
        1 => vec![b'A'; random.below(10_000)],
        _ => random
            .pick::<[u8]>(&[
                b"get",
                b"PRI",
                b"HEAD",
                b"CONNECT",
                b"OPTIONS",
                b"TRACE",
                b"PATCH",
                b"PROPFIND",
                b"G\xffT",
                b"G ET",
                b"",
                b"GET\t",
            ])
            .into(),
    };
    // The answer to HEAD has a length and no body, that to CONNECT may have neither.
    draft.then = Then::Leave;
}

pub fn header_bytes(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    for _ in 0..1 + random.below(10) {
        let mut line = field_bytes(random, 100);
        let name = random.pick::<[u8]>(&[b"x-odd: ", b"cookie:", b"x odd: "]);
        line.splice(0..0, name.iter().copied());
        match random.below(12) {
            0 => line.push(0),
            1 => line.extend(any_bytes(random, 20)),
            2 => line = b": nameless".to_vec(),
            3 => line = b"no colon".to_vec(),
            4 => line = b"x-empty:".to_vec(),
            5 => line = [b"x-\xff\x80: ", &line[..]].concat(),
            6 => line.extend(b"\n"),
            _ => {}
        }
        draft.lines.push(line);
    }
    // A stray line end may have cut the request in two.
    draft.then = Then::Leave;
}

pub fn hundreds(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    let (count, names) = (100 + random.below(1_000), 1 + random.below(500));
    for number in 0..count {
        draft.header(format!("x-{}", number % names), field_bytes(random, 8));
    }
}

pub fn huge(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    let size = 1 << (10 + random.below(7));
    match random.below(4) {
        0 => draft.header(CHAIN, vec![b'1'; size]),
        1 => draft.header("x-odd", vec![0x80; size]),
        2 => draft.header(vec![b'n'; size], "x"),
        _ => draft.target = [b"/shop?", &vec![b'q'; size][..]].concat(),
    }
}

pub fn own_headers(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    for _ in 0..1 + random.below(10) {
        let name = random.pick(&[
            "x-envoy-original-path",
            "x-envoy-internal",
            "x-envoy-external-address",
            "x-envoy-expected-rq-timeout-ms",
            "x-envoy-retry-on",
            "x-envoy-upstream-alt-stat-name",
            "x-envoy-peer-metadata",
            "x-request-id",
            "x-forwarded-client-cert",
            ":path",
            ":authority",
            ":method",
            "path",
            "te",
            "connection",
            "upgrade",
            "expect",
            "host",
        ]);
        let value = match random.below(4) {
            0 => b"/public/a".to_vec(),
            1 => b"authorization, x-forwarded-for".to_vec(),
            2 => Vec::new(),
            _ => field_bytes(random, 40),
        };
        draft.header(name, value);
    }
    draft.then = Then::Leave;
}

/// RFC 9112 section 5.2: a line that begins with a space continues the one before.
pub fn folded(draft: &mut Draft, random: &mut Random, tokens: &Tokens) {
    draft.header("authorization", "Bearer");
    draft
        .lines
        .push(format!("{}{}", random.pick(&[" ", "\t", "  \t"]), tokens.good).into());
    draft.may_pass = true;
    draft.then = Then::Leave;
}

pub fn content_length(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    draft.method = b"POST".to_vec();
    let value = random.pick(&[
        "-1",
        "+3",
        "3, 3",
        "3, 4",
        "0x3",
        "99999999999999999999999",
        "3 3",
        "",
        "three",
        "03",
        "2",
        "1000000",
    ]);
    draft.header("content-length", value);
    if random.chance(30) {
        draft.header("content-length", "4");
    }
    draft.body = b"abc".to_vec();
    draft.then = Then::Leave;
}

pub fn chunks(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    draft.method = b"POST".to_vec();
    draft.header("transfer-encoding", "chunked");
    draft.body = random
        .pick::<[u8]>(&[
            b"3\r\nabc\r\n0\r\n\r\n",
            b"zz\r\nabc\r\n",
            b"ffffffffffffffffff\r\n",
            b"-1\r\n",
            b"3\nabc\n0\n\n",
            b"3;ext=\x00\r\nabc\r\n0\r\n\r\n",
            b"2\r\nabc\r\n0\r\n\r\n",
            b"0\r\nauthorization: Bearer x\r\n\r\n",
            b"\r\n",
            b"3 \r\nabc\r\n0\r\n\r\n",
        ])
        .into();
    draft.then = Then::Leave;
}

/// Two framings at once, and a second request hidden where they part.
pub fn transfer_encoding(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    draft.method = b"POST".to_vec();
    let coding = random.pick(&[
        "chunked",
        "identity",
        "chunked, identity",
        "gzip, chunked",
        "xchunked",
        " chunked",
        "chunked;x",
        "\"chunked\"",
        "\x0bchunked",
    ]);
    draft.header(
        random.pick(&[
            "transfer-encoding",
            "Transfer-Encoding ",
            "transfer_encoding",
        ]),
        coding,
    );
    let second = format!(
        "GET /shop HTTP/1.1\r\nhost: x\r\nx-mark: {}\r\n\r\n",
        mark(SMUGGLED)
    );
    draft.header("content-length", random.below(second.len()).to_string());
    draft.body = [b"0\r\n\r\n", second.as_bytes()].concat();
    draft.then = Then::Leave;
}

pub fn start_line(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    match random.below(4) {
        0 => {
            draft.version = random
                .pick::<[u8]>(&[
                    b"HTTP/1.0",
                    b"HTTP/0.9",
                    b"HTTP/2.0",
                    b"HTTP/9.9",
                    b"http/1.1",
                    b"HTTP/1.1 x",
                    b"",
                    b"HTTP/1.",
                ])
                .into()
        }
        1 => {
            draft.target = random
                .pick::<[u8]>(&[
                    b"*",
                    b"http://other.example.com/shop",
                    b"http://",
                    b"shop.example.com:443",
                    b"",
                    b"/ /",
                    b"?x",
                    b"http://[::1/",
                ])
                .into()
        }
        2 => draft.without("host"),
        _ => draft.replace(
            "host",
            random.pick::<[u8]>(&[
                b"", b"a,b", b"a b", b"[::1", b"\xff", b"x:99999", b"x@y", b"x/../y",
            ]),
        ),
    }
    draft.then = Then::Leave;
}

pub fn cut_off(draft: &mut Draft, random: &mut Random, tokens: &Tokens) {
    draft.header("authorization", format!("Bearer {}", tokens.good));
    // Before the end of the headers in any case.
    draft.cut = Some(1 + random.below(draft.bytes().len() - 3));
    draft.then = Then::Finish;
}

pub fn noise(draft: &mut Draft, random: &mut Random, _: &Tokens) {
    draft.lines.clear();
    draft.method = any_bytes(random, 100);
    draft.target = any_bytes(random, 100);
    draft.version = any_bytes(random, 300);
    draft.then = Then::Finish;
}

/// The number of the hidden request: no sample has it, so it may never arrive.
const SMUGGLED: usize = 99_999_999;
