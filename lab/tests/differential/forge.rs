//! Tokens good and bad: signed ones from a list of oddities, and mutations of good ones that need no signature.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use corpus::{Keys, Mint, Token};
use lab::{RawRequest, repository};
use serde_json::{Value, json};

use crate::random::Random;
use crate::tokens::now;

pub const ISSUER: &str = "https://login.example.com";
pub const AUDIENCE: &str = "shop";

/// A request with what may be a token.
#[derive(Clone)]
pub struct Sample {
    /// What is odd about it.
    pub kind: &'static str,
    pub path: String,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Sample {
    pub fn bearing(kind: &'static str, token: impl AsRef<[u8]>) -> Self {
        Self::of(kind, [b"Bearer ", token.as_ref()].concat())
    }

    /// With this `authorization`.
    fn of(kind: &'static str, value: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            path: "/".to_owned(),
            headers: vec![("authorization".to_owned(), value.into())],
        }
    }

    pub fn request(&self) -> RawRequest {
        let request = RawRequest::get(self.path.clone());
        let headers = self.headers.iter().cloned();
        headers.fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    }

    /// Whether jwt_authn, which counts in whole seconds, must judge it in the second that it was made for.
    pub fn needs_second(&self) -> bool {
        self.kind.ends_with("border")
    }

    pub fn show(&self) -> String {
        let headers: Vec<String> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.escape_ascii()))
            .collect();
        let decoded: Vec<String> = self
            .headers
            .iter()
            .flat_map(|(_, value)| value.split(|byte| matches!(byte, b'.' | b' ' | b',')))
            .take(3)
            .filter_map(|segment| String::from_utf8(URL_SAFE_NO_PAD.decode(segment).ok()?).ok())
            .collect();
        format!(
            "{} {} {}",
            self.path,
            headers.join(" and "),
            decoded.join(" ")
        )
    }
}

/// A key as tokens name it.
#[derive(Clone, Copy)]
struct Signer {
    file: &'static str,
    kid: &'static str,
    alg: &'static str,
}

/// `rsa-a` and `rsa-b` serve several algorithms, each under its own name; two are of RS256.
const SIGNERS: [Signer; 8] = [
    Signer {
        file: "rsa-a",
        kid: "rsa-a",
        alg: "RS256",
    },
    Signer {
        file: "rsa-a",
        kid: "rsa-a-384",
        alg: "RS384",
    },
    Signer {
        file: "rsa-a",
        kid: "rsa-a-512",
        alg: "RS512",
    },
    Signer {
        file: "rsa-b",
        kid: "rsa-b",
        alg: "PS256",
    },
    Signer {
        file: "ec-a",
        kid: "ec-a",
        alg: "ES256",
    },
    Signer {
        file: "ec384-a",
        kid: "ec384-a",
        alg: "ES384",
    },
    Signer {
        file: "ed-a",
        kid: "ed-a",
        alg: "EdDSA",
    },
    Signer {
        file: "rsa-b",
        kid: "rsa-b-256",
        alg: "RS256",
    },
];

/// Makes samples.
pub struct Forge {
    random: Random,
    /// Apart, because a border may need more than one try.
    signers: Random,
    mint: Mint,
    /// Good tokens, one by each signer.
    good: Vec<String>,
}

impl Forge {
    pub fn new(random: Random) -> Self {
        let keys = Keys::near(&repository().join("testdata/keys/jwks.json")).unwrap();
        let mut forge = Self {
            random,
            signers: Random::new(4),
            mint: Mint::new(keys, now().as_secs()),
            good: Vec::new(),
        };
        forge.good = SIGNERS
            .iter()
            .map(|signer| forge.sign(signer, &header(signer, &[]), &payload(&[])))
            .collect();
        forge
    }

    /// The keys that both sides are given.
    pub fn jwks(&self) -> Value {
        let known: Value =
            serde_json::from_str(&self.mint.keys().jwks("@jwks.json").unwrap()).unwrap();
        let known = known["keys"].as_array().unwrap();
        let keys: Vec<Value> = SIGNERS
            .iter()
            .map(|signer| {
                let mut key = known
                    .iter()
                    .find(|key| key["kid"] == signer.file)
                    .unwrap()
                    .clone();
                key["kid"] = json!(signer.kid);
                key["alg"] = json!(signer.alg);
                key
            })
            .collect();
        json!({ "keys": keys })
    }

    pub fn good(&mut self, kind: &'static str) -> Sample {
        let token = self.random.choose(&self.good);
        Sample::bearing(kind, token)
    }

    fn sign(&mut self, signer: &Signer, header: &str, payload: &str) -> String {
        let token = json!({
            "key": signer.file, "alg": signer.alg, "headerText": header, "payload": payload,
        });
        let token: Token = serde_json::from_value(token).unwrap();
        self.mint.mint(&token).unwrap()
    }

    /// Every signed oddity, each by this many signers.
    pub fn signed(&mut self, signers: usize) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (index, signer) in SIGNERS.iter().enumerate() {
            samples.push(Sample::bearing("good", &self.good[index]));
            // Whether there is another key of the algorithm depends on the signer, so all are asked.
            let no_kid = format!(r#"{{"alg":"{}"}}"#, signer.alg);
            let token = self.sign(signer, &no_kid, &payload(&[]));
            samples.push(Sample::bearing("no kid", token));
            let spelled = spellings(&self.good[index]).into_iter();
            samples.extend(spelled.map(|(kind, value)| Sample::of(kind, value)));
            let mut twice = Sample::bearing("the same token twice", &self.good[index]);
            twice.headers.extend_from_within(..);
            samples.push(twice);
        }
        for (index, (kind, changes)) in claim_oddities().into_iter().enumerate() {
            for signer in 0..signers {
                let signer = SIGNERS[(index + signer) % SIGNERS.len()];
                let token = self.sign(&signer, &header(&signer, &[]), &payload(&changes));
                samples.push(Sample::bearing(kind, token));
            }
        }
        for (index, (kind, text)) in payload_oddities().into_iter().enumerate() {
            for signer in 0..signers {
                let signer = SIGNERS[(index + signer) % SIGNERS.len()];
                let token = self.sign(&signer, &header(&signer, &[]), &text);
                samples.push(Sample::bearing(kind, token));
            }
        }
        for (index, (kind, changes)) in header_oddities().into_iter().enumerate() {
            for signer in 0..signers {
                let signer = SIGNERS[(index + signer) % SIGNERS.len()];
                let token = self.sign(&signer, &header(&signer, &changes), &payload(&[]));
                samples.push(Sample::bearing(kind, token));
            }
        }
        samples.extend(self.confusions());
        samples
    }

    /// One key's token that claims to be another's, or nobody's.
    fn confusions(&mut self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for signer in SIGNERS {
            for other in SIGNERS {
                if other.kid == signer.kid {
                    continue;
                }
                let kind = if other.alg == signer.alg {
                    "another key's kid, same algorithm"
                } else {
                    "another key's kid"
                };
                let header = header(&signer, &[("kid", Some(format!("\"{}\"", other.kid)))]);
                let token = self.sign(&signer, &header, &payload(&[]));
                samples.push(Sample::bearing(kind, token));
            }
            for alg in ["none", "None", "NONE", "nOnE"] {
                let header = header(&signer, &[("alg", Some(format!("\"{alg}\"")))]);
                let head = [
                    URL_SAFE_NO_PAD.encode(header),
                    URL_SAFE_NO_PAD.encode(payload(&[])),
                ]
                .join(".");
                samples.push(Sample::bearing("alg none", format!("{head}.")));
                let token = self.random.choose(&self.good);
                let (_, signature) = token.rsplit_once('.').unwrap();
                samples.push(Sample::bearing("alg none", format!("{head}.{signature}")));
            }
            let hmac = json!({
                "key": signer.file, "alg": "HS256", "headerText": header(&signer, &[("alg", Some("\"HS256\"".to_owned()))]),
                "payload": payload(&[]), "mangle": "hmac",
            });
            let token: Token = serde_json::from_value(hmac).unwrap();
            samples.push(Sample::bearing("HS256", self.mint.mint(&token).unwrap()));
        }
        let stranger = Signer {
            file: "stranger",
            kid: "rsa-a",
            alg: "RS256",
        };
        let token = self.sign(&stranger, &header(&stranger, &[]), &payload(&[]));
        samples.push(Sample::bearing("a stranger's key", token));
        samples
    }

    /// A date at the border of its skew, `offset` seconds from it, made in this moment.
    pub fn border(&mut self, kind: &'static str, offset: i64) -> Sample {
        let second = i64::try_from(now().as_secs()).unwrap();
        let signer = *self.signers.choose(&SIGNERS);
        let change = match kind {
            "exp border" => ("exp", Some((second - SKEW + offset).to_string())),
            "fractional exp border" => ("exp", Some(format!("{}.5", second - SKEW + offset))),
            "nbf border" => ("nbf", Some((second + SKEW + offset).to_string())),
            _ => ("iat", Some((second + SKEW + offset).to_string())),
        };
        let token = self.sign(&signer, &header(&signer, &[]), &payload(&[change]));
        Sample::bearing(kind, token)
    }

    /// A good token, changed.
    pub fn mutated(&mut self) -> Sample {
        let token = self.random.choose(&self.good).clone();
        let other = self.random.choose(&self.good).clone();
        let random = &mut self.random;
        let parts: Vec<&str> = token.split('.').collect();
        let [head, body, signature] = parts[..] else {
            panic!("three segments")
        };
        match random.below(32) {
            0..=3 => Sample::bearing("good", &token),
            4..=8 => {
                let segment = random.below(3);
                let kind = [
                    "bit flip in the header",
                    "bit flip in the payload",
                    "bit flip in the signature",
                ][segment];
                let mut parts = parts
                    .iter()
                    .map(|part| part.as_bytes().to_vec())
                    .collect::<Vec<_>>();
                let place = random.below(parts[segment].len());
                parts[segment][place] ^= 1 << random.below(7);
                // What no header may hold, the parser refuses.
                if parts[segment][place] < b' ' || parts[segment][place] == 0x7f {
                    parts[segment][place] = b'~';
                }
                Sample::bearing(kind, parts.join(&b'.'))
            }
            9 | 10 => {
                let segment = random.below(3);
                let mut decoded = URL_SAFE_NO_PAD.decode(parts[segment]).unwrap();
                let place = random.below(decoded.len());
                decoded[place] ^= 1 << random.below(8);
                let changed = URL_SAFE_NO_PAD.encode(decoded);
                let mut parts = parts.clone();
                parts[segment] = &changed;
                Sample::bearing("bit flip before encoding", parts.join("."))
            }
            11 | 12 => {
                let orders = [
                    [head, signature, body],
                    [body, head, signature],
                    [body, signature, head],
                    [signature, head, body],
                    [signature, body, head],
                ];
                Sample::bearing("swapped segments", random.choose(&orders).join("."))
            }
            13 => Sample::bearing("truncated", &token[..random.below(token.len())]),
            14 => {
                let shapes = [
                    format!(".{token}"),
                    format!("{token}."),
                    format!("..{token}"),
                    format!("{head}..{body}.{signature}"),
                    format!("{head}.{body}..{signature}"),
                    format!("{token}.."),
                ];
                Sample::bearing("empty segment", random.choose(&shapes))
            }
            15 => {
                let shapes = [
                    format!("{head}.{body}."),
                    format!("{head}..{signature}"),
                    format!(".{body}.{signature}"),
                    format!("{head}.{body}"),
                    head.to_owned(),
                    "..".to_owned(),
                    ".".to_owned(),
                ];
                Sample::bearing("a segment missing", random.choose(&shapes))
            }
            16 => {
                let shapes = [
                    format!("{token}.{signature}"),
                    format!("{token}.AA"),
                    format!("AA.{token}"),
                ];
                Sample::bearing("a segment more", random.choose(&shapes))
            }
            17 => {
                let pad = |segment: &str| {
                    let bytes = URL_SAFE_NO_PAD.decode(segment).unwrap();
                    STANDARD.encode(bytes).replace('+', "-").replace('/', "_")
                };
                let padded = pad(signature);
                if padded == signature {
                    Sample::bearing("padding where none is due", format!("{token}="))
                } else {
                    Sample::bearing("padding", format!("{head}.{body}.{padded}"))
                }
            }
            18 => {
                let shapes = [
                    format!("{token}="),
                    format!("{token}=="),
                    format!("{token}==="),
                    format!("{head}=.{body}.{signature}"),
                    format!("{head}.{body}==.{signature}"),
                ];
                Sample::bearing("odd padding", random.choose(&shapes))
            }
            19 => {
                let changed = token.replace('-', "+").replace('_', "/");
                let kind = if changed == token {
                    "good"
                } else {
                    "the other base64 alphabet"
                };
                Sample::bearing(kind, changed)
            }
            20 => {
                // The last character of most signatures has bits that encode nothing.
                const ALPHABET: &[u8] =
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let last = signature.as_bytes()[signature.len() - 1];
                let value = ALPHABET.iter().position(|letter| *letter == last).unwrap();
                let changed = char::from(ALPHABET[value ^ 1]);
                Sample::bearing(
                    "unused bits of base64",
                    format!("{}{changed}", &token[..token.len() - 1]),
                )
            }
            21 => {
                let shapes = ["bearer", "BEARER", "bEARER", "beareR"];
                Sample::of(
                    "scheme in other case",
                    format!("{} {token}", random.pick(&shapes)),
                )
            }
            22 => {
                let shapes = [format!("Bearer  {token}"), format!("Bearer   {token}")];
                Sample::of(
                    "several spaces behind the scheme",
                    random.choose(&shapes).clone(),
                )
            }
            23 => {
                let (kind, value) = random.choose(&spellings(&token)).clone();
                Sample::of(kind, value)
            }
            24 => {
                let shapes = [
                    format!("{token} x"),
                    format!("{token};x"),
                    format!("{token}!"),
                    format!("{token}\u{e9}"),
                    format!("{token}%"),
                ];
                Sample::bearing("something behind the token", random.choose(&shapes))
            }
            25 => {
                let kind = if token == other {
                    "the same token twice"
                } else {
                    "two tokens"
                };
                if random.chance(50) {
                    Sample::bearing(
                        kind,
                        format!("{token},{}{other}", random.pick(&["Bearer ", " Bearer "])),
                    )
                } else {
                    let mut sample = Sample::bearing(kind, &token);
                    sample.headers.push((
                        "authorization".to_owned(),
                        format!("Bearer {other}").into_bytes(),
                    ));
                    sample
                }
            }
            26 => {
                let shapes = [
                    format!("{token},"),
                    format!("{token}, x"),
                    format!("{token},{token}"),
                    format!("{token},Basic eA=="),
                ];
                Sample::bearing("comma behind the token", random.choose(&shapes))
            }
            27 => {
                let shapes = [
                    format!(",{token}"),
                    format!(" , {token}"),
                    format!("x,{token}"),
                ];
                Sample::bearing("comma before the token", random.choose(&shapes))
            }
            28 => Sample {
                path: format!("/?access_token={token}"),
                headers: Vec::new(),
                kind: "token in the query",
            },
            29 => {
                let place = 1 + random.below(signature.len() - 1);
                let (start, end) = signature.split_at(place);
                Sample::bearing(
                    "a space inside the signature",
                    format!("{head}.{body}.{start} {end}"),
                )
            }
            30 => {
                let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
                let (r, s) = signature.split_at(signature.len() / 2);
                // Both numbers of an ECDSA signature have their full width and nothing else (RFC 7518 section 3.4).
                let (kind, shapes) = if matches!(r.len(), 32 | 48) && !head_names(head, "EdDSA") {
                    let wider = [&[0], r, &[0], s].concat();
                    let longer = [&signature[..], &[0]].concat();
                    ("ECDSA signature of another length", [wider, longer])
                } else {
                    let longer = [&signature[..], &[0]].concat();
                    let shifted = [&[0], &signature[..]].concat();
                    ("signature of another length", [longer, shifted])
                };
                let changed = URL_SAFE_NO_PAD.encode(random.choose(&shapes));
                Sample::bearing(kind, format!("{head}.{body}.{changed}"))
            }
            _ => {
                let kind = if token == other {
                    "the same token twice, one of them in the query"
                } else {
                    "two tokens, one of them in the query"
                };
                Sample {
                    path: format!("/?access_token={other}"),
                    ..Sample::bearing(kind, &token)
                }
            }
        }
    }
}

/// What else may stand in `authorization` beside a token.
fn spellings(token: &str) -> Vec<(&'static str, String)> {
    vec![
        ("tab behind the scheme", format!("Bearer\t{token}")),
        ("no space behind the scheme", format!("Bearer{token}")),
        ("no scheme", token.to_owned()),
        ("another scheme", format!("Basic {token}")),
        ("another scheme", format!("DPoP {token}")),
        ("text before the scheme", format!("x Bearer {token}")),
        (
            "text before the scheme",
            format!("Basic eA==, Bearer {token}"),
        ),
        ("quoted", format!("Bearer \"{token}\"")),
        ("no token", "Bearer".to_owned()),
        ("no token", "Bearer ".to_owned()),
        ("no token", String::new()),
    ]
}

fn head_names(head: &str, algorithm: &str) -> bool {
    let header = URL_SAFE_NO_PAD.decode(head).unwrap();
    String::from_utf8(header).unwrap().contains(algorithm)
}

/// Changes of members: a new value as JSON text, or none.
type Changes = Vec<(&'static str, Option<String>)>;

/// A header with `alg` and `kid`, changed.
fn header(signer: &Signer, changes: &[(&'static str, Option<String>)]) -> String {
    let members = vec![
        ("alg", format!("\"{}\"", signer.alg)),
        ("kid", format!("\"{}\"", signer.kid)),
    ];
    object(members, changes)
}

/// Good claims, changed. A name that stands there already is replaced.
fn payload(changes: &[(&'static str, Option<String>)]) -> String {
    let members = vec![
        ("iss", format!("\"{ISSUER}\"")),
        ("aud", format!("\"{AUDIENCE}\"")),
        ("sub", "\"ann\"".to_owned()),
        ("exp", (now().as_secs() + HOUR).to_string()),
    ];
    object(members, changes)
}

fn object(
    mut members: Vec<(&'static str, String)>,
    changes: &[(&'static str, Option<String>)],
) -> String {
    for (name, value) in changes {
        members.retain(|(known, _)| known != name);
        members.extend(value.clone().map(|value| (*name, value)));
    }
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn claim_oddities() -> Vec<(&'static str, Changes)> {
    let second = now().as_secs();
    let one = |kind, name, value: String| (kind, vec![(name, Some(value))]);
    let mut all = vec![
        ("no exp", vec![("exp", None)]),
        ("no aud", vec![("aud", None)]),
        ("no iss", vec![("iss", None)]),
        ("no sub", vec![("sub", None)]),
    ];
    for value in [
        "\"1999999999\"",
        "null",
        "-1",
        "true",
        "[1999999999]",
        "{}",
        "\"soon\"",
    ] {
        all.push(one("odd exp", "exp", value.to_owned()));
        all.push(one("odd nbf", "nbf", value.to_owned()));
        all.push(one("odd iat", "iat", value.to_owned()));
    }
    all.push(one("zero exp", "exp", "0".to_owned()));
    all.push(one("zero nbf and iat", "nbf", "0".to_owned()));
    all.push(one("zero nbf and iat", "iat", "0".to_owned()));
    for value in [
        "1000000000000",
        "100000000000000000",
        "9223372036854775807",
        "1e12",
    ] {
        all.push(one("huge exp", "exp", value.to_owned()));
    }
    for value in [
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1e19",
        "1e300",
        "1e400",
    ] {
        all.push(one("exp beyond 63 bits", "exp", value.to_owned()));
    }
    for value in ["253402300799", "253402300800"] {
        all.push(one(
            "exp at the end of the year 9999",
            "exp",
            value.to_owned(),
        ));
    }
    for value in [
        format!("{}.5", second + HOUR),
        format!("{}.0", second + HOUR),
        format!("{}e0", second + HOUR),
    ] {
        all.push(one("fractional exp", "exp", value));
    }
    for value in [
        format!("{}.5", second - HOUR),
        format!("{}.0", second - HOUR),
    ] {
        all.push(one("fractional nbf or iat", "nbf", value.clone()));
        all.push(one("fractional nbf or iat", "iat", value));
    }
    all.push(one("expired", "exp", (second - HOUR).to_string()));
    all.push(one("expired", "exp", "1".to_owned()));
    all.push(one("not yet valid", "nbf", (second + HOUR).to_string()));
    all.push(one("valid since", "nbf", (second - HOUR).to_string()));
    all.push(one("issued before", "iat", (second - HOUR).to_string()));
    all.push(one("future iat", "iat", (second + HOUR).to_string()));
    all.push(one("huge nbf", "nbf", "1000000000000".to_owned()));
    all.push(one("huge iat", "iat", "1000000000000".to_owned()));
    for value in ["[\"shop\"]", "[\"a\",\"shop\"]", "[\"shop\",\"shop\"]"] {
        all.push(one("good aud", "aud", value.to_owned()));
    }
    for value in [
        "\"\"",
        "[]",
        "\"Shop\"",
        "\"shop \"",
        "[\"a\",\"b\"]",
        "\"shopx\"",
    ] {
        all.push(one("other aud", "aud", value.to_owned()));
    }
    for value in [
        "\"shop/\"",
        "\"https://shop\"",
        "\"http://shop/\"",
        "[\"a\",\"shop/\"]",
    ] {
        all.push(one("aud nearly right", "aud", value.to_owned()));
    }
    for value in [
        "7",
        "true",
        "null",
        "{}",
        "[7]",
        "[\"shop\",7]",
        "[[\"shop\"]]",
        "[null]",
    ] {
        all.push(one("numeric aud", "aud", value.to_owned()));
    }
    for value in [
        "\"\"",
        "\"https://evil.example.com\"",
        "\"https://login.example.com/\"",
        "\"HTTPS://login.example.com\"",
        "\"login.example.com\"",
    ] {
        all.push(one("other iss", "iss", value.to_owned()));
    }
    for value in ["7", "null", "[\"https://login.example.com\"]", "{}"] {
        all.push(one("odd iss", "iss", value.to_owned()));
    }
    for value in ["7", "null", "[\"ann\"]", "{}"] {
        all.push(one("odd sub", "sub", value.to_owned()));
        all.push(one("odd jti", "jti", value.to_owned()));
    }
    all.push(one(
        "escapes in iss",
        "iss",
        "\"https:\\/\\/login.example.com\"".to_owned(),
    ));
    all.push(one(
        "escapes in iss",
        "iss",
        "\"https://login.example.c\\u006fm\"".to_owned(),
    ));
    all.push(one(
        "more claims",
        "groups",
        "[\"a\",{\"b\":[1,2.5,null]}]".to_owned(),
    ));
    all.push(one(
        "deep claims",
        "deep",
        format!("{}{}", "[".repeat(100), "]".repeat(100)),
    ));
    all.push(one(
        "very deep claims",
        "deep",
        format!("{}{}", "[".repeat(200), "]".repeat(200)),
    ));
    all.push(one(
        "large number",
        "n",
        "123456789012345678901234567890".to_owned(),
    ));
    all.push(one("number out of range", "n", "1e999".to_owned()));
    all.push(one(
        "text of other letters",
        "sub",
        "\"J\u{fc}rgen \u{1f600}\"".to_owned(),
    ));
    all.push(one("lone surrogate", "sub", "\"\\ud800\"".to_owned()));
    all.push(one("NUL in a claim", "sub", "\"a\\u0000b\"".to_owned()));
    all
}

fn payload_oddities() -> Vec<(&'static str, String)> {
    let good = payload(&[]);
    let open = good.trim_end_matches('}');
    let mut all = vec![
        ("claim twice", format!("{open},\"sub\":\"mallory\"}}")),
        ("claim twice", format!("{open},\"aud\":\"shop\"}}")),
        ("claim twice", format!("{open},\"exp\":1}}")),
        ("claim twice", format!("{open},\"iss\":\"{ISSUER}\"}}")),
        ("claim twice", format!("{open},\"s\\u0075b\":\"mallory\"}}")),
        (
            "claim twice inside another",
            format!("{open},\"o\":{{\"a\":1,\"a\":2}}}}"),
        ),
        (
            "spaces in the claims",
            format!(" {}\r\n ", good.replace(',', " ,\n\t")),
        ),
    ];
    for text in ["", "{}", "[]", "null", "7", "\"x\"", "{", "x"] {
        all.push(("no claims", text.to_owned()));
    }
    for text in [
        format!("{good}x"),
        format!("{good}{good}"),
        format!("{open},}}"),
        format!("{open},'a':1}}"),
        format!("/**/{good}"),
        format!("\u{feff}{good}"),
        format!("{open},\"a\":01}}"),
        format!("{open},\"a\":NaN}}"),
        format!("{open},\"a\":\"\t\"}}"),
    ] {
        all.push(("claims that are no JSON", text));
    }
    all
}

fn header_oddities() -> Vec<(&'static str, Changes)> {
    let one = |kind, name, value: &str| (kind, vec![(name, Some(value.to_owned()))]);
    let mut all = Vec::new();
    for value in ["[\"exp\"]", "[\"b64\"]", "[]", "\"exp\"", "null", "{}", "7"] {
        all.push(one("crit", "crit", value));
    }
    for value in [
        "\"JWT\"",
        "\"jwt\"",
        "\"at+jwt\"",
        "\"AT+JWT\"",
        "\"application/at+jwt\"",
        "\"JOSE\"",
        "\"\"",
    ] {
        all.push(one("typ", "typ", value));
    }
    for value in ["7", "null", "[]"] {
        all.push(one("odd typ", "typ", value));
        all.push(one("odd kid", "kid", value));
        all.push(one("odd alg", "alg", value));
    }
    for value in ["\"nobody\"", "\"RSA-A\"", "\" rsa-a\""] {
        all.push(one("unknown kid", "kid", value));
    }
    all.push(one("empty kid", "kid", "\"\""));
    all.push(("no alg", vec![("alg", None)]));
    for value in [
        "\"\"",
        "\"rs256\"",
        "\"ES512\"",
        "\"RS1\"",
        "\"ES256K\"",
        "\"HS256\"",
        "\"PS512\"",
        "\"Ed25519\"",
    ] {
        all.push(one("other alg", "alg", value));
    }
    all.push(one("b64 without crit", "b64", "false"));
    all.push(one("zip", "zip", "\"DEF\""));
    all.push(one("cty", "cty", "\"JWT\""));
    all.push(one("jku", "jku", "\"https://evil.example.com/jwks.json\""));
    all.push(one(
        "jwk",
        "jwk",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
    ));
    all.push(one("x5c", "x5c", "[\"AA==\"]"));
    all
}

/// Seconds; jwt_authn's default and ours.
const SKEW: i64 = 60;
const HOUR: u64 = 3_600;
