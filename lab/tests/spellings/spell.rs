//! Hosts, paths and methods that rules name, and random spellings of them.

use std::sync::LazyLock;

use crate::random::Random;

/// Each has a virtual host.
pub const HOSTS: &[&str] = &[
    "admin.example.com",
    "eu.admin.example.com",
    "shop.example.com",
    "a_b.example.com",
    "example.com",
    "[2001:db8::1]",
];

/// What a rule names beside the hosts themselves.
pub const HOST_WILDCARDS: &[&str] = &["*.example.com", "*.admin.example.com"];

/// Each has a route, in the plain spelling.
pub const PATHS: &[&str] = &[
    "/",
    "/admin",
    "/admin/users",
    "/admin/users/7",
    "/v1/users:purge",
    "/@me/x",
    "/a%20b",
    "/caf%C3%A9",
    "/100%25",
    "/x.y/~z",
    "/open",
];

/// What a rule names beside the paths themselves.
pub const PATH_WILDCARDS: &[&str] = &[
    "/admin/*",
    "/admin/users/*",
    "/v1/*",
    "/@me/*",
    "/x.y/*",
    "/*",
];

/// Without HEAD: a rule of its own for it is what its author wants.
pub const METHODS: &[&str] = &["GET", "POST", "DELETE"];

/// What the paths are once their escapes are decoded, each byte one character.
pub fn plain_paths() -> &'static [String] {
    static PLAIN: LazyLock<Vec<String>> = LazyLock::new(|| {
        let hand = [
            "/",
            "/admin",
            "/admin/users",
            "/admin/users/7",
            "/v1/users:purge",
            "/@me/x",
            "/a b",
            "/caf\u{c3}\u{a9}",
            "/100%",
            "/x.y/~z",
            "/open",
        ];
        assert_eq!(hand.len(), PATHS.len());
        hand.map(str::to_owned).to_vec()
    });
    &PLAIN
}

pub fn method(random: &mut Random) -> String {
    let method = *random.choose(&["GET", "POST", "DELETE", "HEAD", "GET", "POST", "DELETE"]);
    match random.below(12) {
        0 => method.to_lowercase(),
        1 => folded(method, random),
        _ => method.to_owned(),
    }
}

pub fn host(random: &mut Random) -> String {
    let mut host = (*random.choose(HOSTS)).to_owned();
    if random.chance(5) {
        host = format!("*{host}").replace('*', random.pick(&["x.", "evil", "_."]));
    }
    if random.chance(40) {
        return host;
    }
    for _ in 0..1 + random.below(2) {
        host = match random.below(14) {
            0 => host.to_uppercase(),
            1 => folded(&host, random),
            2 => format!("{host}:{}", random.below(70_000)),
            3 => format!("{host}:"),
            4 => format!(
                "{host}:{}",
                random.pick(&["x", "80x", "-1", "80:80", "%38", "+80", "8@0"])
            ),
            5 => format!("{host}."),
            6 => format!("{host}.."),
            7 => format!("{}@{host}", random.pick(&["x", "admin.example.com", "x:y"])),
            8 => host.replacen('.', random.pick(&["%2e", "..", ".%00", "._"]), 1),
            9 => format!(
                "{host}{}",
                random.pick(&["%2e", "%00", ",", ",shop.example.com", "]", "*", "~"])
            ),
            10 => format!("[{host}]"),
            11 => host.replace("::", ":0::"),
            12 => host.replace(['[', ']'], ""),
            _ => format!(".{host}"),
        };
    }
    host
}

pub fn path(random: &mut Random) -> String {
    let mut path = (*random.choose(PATHS)).to_owned();
    if random.chance(20) {
        return path;
    }
    for _ in 0..1 + random.below(3) {
        path = match random.below(16) {
            0..=3 => escaped(&path, random),
            4 => path.replace(
                '/',
                random.pick(&["//", "/./", "/x/../", "///", "/%2e/", "/x/%2e%2e/"]),
            ),
            5 => path.replacen(
                '/',
                random.pick(&[
                    "//",
                    "/./",
                    "/x/../",
                    "/open/..;/",
                    "/open/..\\",
                    "/open/..%5c",
                ]),
                1,
            ),
            6 => path.replace('%', "%25"),
            7 => escaped(&path, random).replace('%', "%25"),
            8 => format!(
                "{path}{}",
                random.pick(&["/", "/", "/.", "/..", "//", "/x/..", "/%2e"])
            ),
            9 => format!(
                "{path}{}",
                random.pick(&[";", ";x=1", "%3bx", "%00", "%00.png", "#", "#x", "%23x"])
            ),
            10 => format!(
                "{path}?{}",
                random.pick(&["", "x=/open", "/../", "#/admin"])
            ),
            11 => path
                .char_indices()
                .map(|(at, c)| match c {
                    '/' if at > 0 => random
                        .pick(&["%2f", "%2F", "\\", "%5c", "%252f", "%c0%af"])
                        .to_owned(),
                    c => c.to_string(),
                })
                .collect(),
            12 => format!("/open/..{path}"),
            13 => format!("/{}{path}", random.pick(&[".", "", "open/..", "%2e", ";x"])),
            14 => path.replace("%20", random.pick(&["+", "%20%20", "%09", "%2520"])),
            _ => path.replacen('/', random.pick(&["/%", "/%zz", "/%4", "/\u{7e}"]), 1),
        };
    }
    path
}

/// Some of the characters escaped, in digits of either case.
fn escaped(path: &str, random: &mut Random) -> String {
    let percent = *random.choose(&[10, 50, 100]);
    let mut rest = path.bytes();
    let mut escaped = String::from(char::from(rest.next().unwrap_or(b'/')));
    while let Some(byte) = rest.next() {
        // An escape stays whole; its digits may change their case.
        if byte == b'%' {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            escaped.push('%');
            escaped.push_str(&folded(&digits, random));
        } else if byte != b'/' && byte != b'?' && random.chance(percent) {
            escaped.push_str(&folded(&format!("%{byte:02x}"), random));
        } else {
            escaped.push(char::from(byte));
        }
    }
    escaped
}

/// Letters in random cases.
fn folded(text: &str, random: &mut Random) -> String {
    text.chars()
        .map(|c| match random.below(2) {
            0 => c.to_ascii_uppercase(),
            _ => c.to_ascii_lowercase(),
        })
        .collect()
}
