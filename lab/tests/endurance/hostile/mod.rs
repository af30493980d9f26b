//! Requests that nobody should send. Each is made from its number alone, so a failure names what to send again.

mod chains;
mod lines;
mod tokens;

use crate::random::Random;
use crate::tap::mark;
use tokens::Tokens;

/// A request as it goes over the wire.
pub struct Sample {
    pub kind: &'static str,
    pub bytes: Vec<u8>,
    pub then: Then,
    /// Whether it could be allowed: it carries a good token, and nothing that the policy must refuse.
    pub may_pass: bool,
}

/// What is to be done once it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Read its answer and go on.
    Keep,
    /// Read its answer; where the next one would begin is open to debate.
    Leave,
    /// It has no end: say that nothing more comes, and read what there is.
    Finish,
}

/// Makes requests.
pub struct Forge {
    tokens: Tokens,
}

impl Forge {
    pub fn new() -> Self {
        Self {
            tokens: Tokens::read(),
        }
    }

    /// A request that is allowed.
    pub fn good(&self) -> Vec<u8> {
        let mut draft = Draft::new(0);
        draft.header("authorization", format!("Bearer {}", self.tokens.good));
        draft.bytes()
    }

    /// A request that only lacks a token.
    pub fn without_token(&self) -> Vec<u8> {
        Draft::new(0).bytes()
    }

    pub fn sample(&self, number: usize) -> Sample {
        let mut random = Random::new(SEED + number as u64);
        let mut draft = Draft::new(number);
        let (kind, make) = *random.choose(KINDS);
        make(&mut draft, &mut random, &self.tokens);
        let mut bytes = draft.bytes();
        if let Some(end) = draft.cut {
            bytes.truncate(end.min(bytes.len() - 1));
        }
        Sample {
            kind,
            bytes,
            then: draft.then,
            may_pass: draft.may_pass,
        }
    }
}

type Make = fn(&mut Draft, &mut Random, &Tokens);

/// Kinds that a filter has to judge stand twice or more: most of the others are refused by Envoy's parser.
const KINDS: &[(&str, Make)] = &[
    ("chain of junk", chains::junk),
    ("chain of junk", chains::junk),
    ("chain of odd addresses", chains::odd_addresses),
    ("chain of odd addresses", chains::odd_addresses),
    ("long chain", chains::long),
    ("chain in many lines", chains::lines),
    ("forwarded", chains::forwarded),
    ("companions", chains::companions),
    ("token of junk", tokens::junk),
    ("token of junk", tokens::junk),
    ("changed token", tokens::changed),
    ("changed token", tokens::changed),
    ("token with odd JSON", tokens::odd_json),
    ("token with odd JSON", tokens::odd_json),
    ("deep JSON", tokens::deep),
    ("huge token", tokens::huge),
    ("several tokens", tokens::several),
    ("tokens everywhere", tokens::everywhere),
    ("odd authorization", tokens::odd_authorization),
    ("good token, odd company", tokens::good_in_odd_company),
    ("path", lines::path),
    ("path", lines::path),
    ("method", lines::method),
    ("header bytes", lines::header_bytes),
    ("header bytes", lines::header_bytes),
    ("hundreds of headers", lines::hundreds),
    ("huge header", lines::huge),
    ("Envoy's own headers", lines::own_headers),
    ("obs-fold", lines::folded),
    ("content-length", lines::content_length),
    ("chunks", lines::chunks),
    ("transfer-encoding", lines::transfer_encoding),
    ("start line", lines::start_line),
    ("cut off", lines::cut_off),
    ("noise", lines::noise),
];

/// A request in the making: well formed until something is changed.
pub struct Draft {
    method: Vec<u8>,
    target: Vec<u8>,
    version: Vec<u8>,
    /// Whole lines, so that they need not be headers.
    lines: Vec<Vec<u8>>,
    body: Vec<u8>,
    then: Then,
    may_pass: bool,
    cut: Option<usize>,
}

impl Draft {
    fn new(number: usize) -> Self {
        let mut draft = Self {
            method: b"GET".to_vec(),
            target: b"/shop".to_vec(),
            version: b"HTTP/1.1".to_vec(),
            lines: Vec::new(),
            body: Vec::new(),
            then: Then::Keep,
            may_pass: false,
            cut: None,
        };
        draft.header("host", "shop.example.com");
        draft.header("x-mark", mark(number));
        draft.header(CHAIN, "203.0.113.9");
        draft
    }

    fn header(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.lines
            .push([name.as_ref(), b": ", value.as_ref()].concat());
    }

    fn without(&mut self, name: &str) {
        self.lines.retain(|line| !line.starts_with(name.as_bytes()));
    }

    fn replace(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.without(name);
        self.header(name, value);
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method[..], b" ", &self.target, b" ", &self.version].concat();
        for line in &self.lines {
            bytes.extend([b"\r\n", &line[..]].concat());
        }
        bytes.extend(b"\r\n\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// Bytes that may stand in a header's value: all but controls, those from 0x80 on among them.
fn field_bytes(random: &mut Random, most: usize) -> Vec<u8> {
    let length = random.below(most);
    let byte = |_| match random.below(256) as u8 {
        control @ (0..0x20 | 0x7f) => control | 0x80,
        byte => byte,
    };
    (0..length).map(byte).collect()
}

/// Any bytes.
fn any_bytes(random: &mut Random, most: usize) -> Vec<u8> {
    (0..random.below(most))
        .map(|_| random.below(256) as u8)
        .collect()
}

const CHAIN: &str = "x-forwarded-for";
const SEED: u64 = 0x6b79_6d61;
