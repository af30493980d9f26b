//! A request's path as rules see it.

use std::borrow::Cow;

use super::Ambiguous;
use super::index::{Key, Kind};
use crate::bytes::unhex;

/// What is left of a path after every escape was decoded, without query and without the slash at its end.
///
/// Servers decode all escapes before they look for a handler, so `/v1/users%3Apurge` is `/v1/users:purge` to them, and to rules. What some decode and others don't, or what
/// decoding turns into a separator, is ambiguous instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path<'r>(Cow<'r, [u8]>);

impl<'r> Path<'r> {
    /// Reads a `:path`. Ambiguous are: an encoded slash, a backslash, NUL or `;` in either form, a raw `#`, a dot segment, a double slash, a broken escape, an escape that
    /// is left after decoding, an overlong form of UTF-8, and no slash at the start.
    pub fn parse(target: &'r [u8]) -> Result<Self, Ambiguous> {
        let mut segment = Segment::Other;
        let (mut end, mut before) = (target.len(), 0);
        // Made at the first escape: most paths have none.
        let mut decoded: Option<Vec<u8>> = None;
        let mut bytes = target.iter().enumerate();
        while let Some((index, byte)) = bytes.next() {
            let mut byte = *byte;
            match byte {
                b'?' => {
                    end = index;
                    break;
                }
                // Servlet containers cut a segment off at `;`, so `/admin;x` and `/a/..;/admin` are other paths to them.
                b'#' | b'\\' | 0 | b';' => return Err(Ambiguous),
                b'%' => {
                    let (Some((_, high)), Some((_, low))) = (bytes.next(), bytes.next()) else {
                        return Err(Ambiguous);
                    };
                    match unhex(*high, *low) {
                        None | Some(b'/' | b'\\' | 0 | b';') => return Err(Ambiguous),
                        Some(plain) => byte = plain,
                    }
                    if decoded.is_none() {
                        let mut start = Vec::with_capacity(target.len());
                        start.extend_from_slice(target.get(..index).unwrap_or_default());
                        decoded = Some(start);
                    }
                }
                _ => {}
            }
            if byte >= 0x80 && is_overlong(before, byte) {
                return Err(Ambiguous);
            }
            before = byte;
            // An encoded slash returned above, so this one is a separator.
            segment = match (byte, segment) {
                (b'/', Segment::Other) => Segment::Empty,
                (b'/', _) => return Err(Ambiguous),
                (b'.', Segment::Empty) => Segment::Dot,
                (b'.', Segment::Dot) => Segment::Dots,
                _ => Segment::Other,
            };
            if let Some(decoded) = &mut decoded {
                decoded.push(byte);
            }
        }
        if matches!(segment, Segment::Dot | Segment::Dots) {
            return Err(Ambiguous);
        }
        let path = match decoded {
            None => Cow::Borrowed(target.get(..end).unwrap_or(target)),
            Some(decoded) if has_escape(&decoded) => return Err(Ambiguous),
            Some(decoded) => Cow::Owned(decoded),
        };
        // `OPTIONS *` asks about the whole server.
        if path.first() != Some(&b'/') && *path != *b"*" {
            return Err(Ambiguous);
        }
        Ok(Self(without_last_slash(path)))
    }

    /// Any `:path`, for policies that say `ambiguousPath: Allow`: what is ambiguous is compared as it stands, the rest is decoded as by [`Path::parse`].
    pub fn as_it_stands(target: &'r [u8]) -> Self {
        let end = target.iter().position(|b| matches!(b, b'?' | b'#'));
        let path = target.get(..end.unwrap_or(target.len())).unwrap_or(target);
        if !path.contains(&b'%') {
            return Self(without_last_slash(Cow::Borrowed(path)));
        }
        let mut plain = Vec::with_capacity(path.len());
        let mut rest = path;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            let escape = match (*byte, after) {
                (b'%', [high, low, after @ ..]) => unhex(*high, *low).map(|byte| (byte, after)),
                _ => None,
            };
            match escape {
                Some((b'/' | b'\\' | 0 | b';', _)) | None => plain.push(*byte),
                Some((b'%', [high, low, ..])) if unhex(*high, *low).is_some() => plain.push(*byte),
                Some((byte, after)) => {
                    plain.push(byte);
                    rest = after;
                }
            }
        }
        Self(without_last_slash(Cow::Owned(plain)))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What was read of a segment: enough to know a dot segment (RFC 3986 section 3.3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Empty,
    Dot,
    Dots,
    Other,
}

/// A longer form of a character than UTF-8 allows (RFC 3629 section 3): `%c0%af` is a slash to whoever decodes it all the same.
fn is_overlong(before: u8, byte: u8) -> bool {
    matches!(
        (before, byte),
        (_, 0xc0 | 0xc1) | (0xe0, 0x80..0xa0) | (0xf0, 0x80..0x90)
    )
}

/// Whether there is something left to decode for whoever decodes twice.
fn has_escape(path: &[u8]) -> bool {
    path.windows(3)
        .any(|three| matches!(three, [b'%', high, low] if unhex(*high, *low).is_some()))
}

/// `/exact/` is `/exact` to many routers.
fn without_last_slash(path: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match path {
        Cow::Borrowed([rest @ .., b'/']) if !rest.is_empty() => Cow::Borrowed(rest),
        Cow::Owned(mut path) => {
            if path.len() > 1 && path.last() == Some(&b'/') {
                path.pop();
            }
            Cow::Owned(path)
        }
        path => path,
    }
}

/// Paths that a rule names.
#[derive(Clone, Debug)]
pub(crate) enum PathPattern {
    Any,
    Exact(Vec<u8>),
    /// This path and all below it; without the slash at the end.
    Tree(Vec<u8>),
}

impl PathPattern {
    /// `None`: not `*`, nor a path in printable ASCII that is not ambiguous, with `/*` behind it or not.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let (fixed, tree) = match text.strip_suffix("/*") {
            Some("") => return Some(Self::Tree(Vec::new())),
            Some(tree) => (tree, true),
            None => (text, false),
        };
        if fixed.contains(['*', '?']) || !fixed.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        // `/a//*` is no tree.
        if tree && fixed.ends_with('/') {
            return None;
        }
        let path = Path::parse(fixed.as_bytes()).ok()?.0.into_owned();
        Some(if tree {
            Self::Tree(path)
        } else {
            Self::Exact(path)
        })
    }

    pub fn matches(&self, path: &Path<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => *exact == *path.0,
            Self::Tree(tree) => path
                .0
                .strip_prefix(tree.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")),
        }
    }

    /// What a request has when this matches its path, and how many bytes of the path it is made of; `None` when any path may.
    pub fn key(&self) -> Option<(u64, usize)> {
        let (kind, path) = match self {
            Self::Any => return None,
            Self::Exact(path) => (Kind::Path, path),
            Self::Tree(path) => (Kind::Tree, path),
        };
        Some((Key::whole(kind, path.iter().copied()), path.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_ambiguous_paths() {
        for path in [
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a/./b",
            "/a/../b",
            "/..",
            "/a/.",
            "/%2e/a",
            "/a/%2E%2e",
            "//a",
            "/a//b",
            "/a//",
            "//",
            "/a/%00",
            "/a\0",
            "/%",
            "/%4",
            "/%zz",
            "a",
            "",
            "?",
            "/.%2e",
            "/a;x",
            "/a/..;/b",
            "/a%3Bx",
            "/a/..%c0%afb",
            "/%C1%9c",
            "/%e0%80%af",
            "/%f0%80%80%af",
            "/a#/../",
            "/a#",
            "/a#b?c",
            "/a%252fb",
            "/a%25%32%46b",
            "/%2561",
            "/a%2525",
            "/..%252fadmin",
            "**",
            "*/",
            "%2Fa",
            "%2A%2F",
        ] {
            assert_eq!(Path::parse(path.as_bytes()), Err(Ambiguous), "{path}");
        }
        for path in [
            "/",
            "/a",
            "/a/",
            "/a.b",
            "/...",
            "/.well-known",
            "/a%20b",
            "/%61",
            "*",
            "/a?x=//../",
            "/a?x#y",
            "/..a/b",
            "/caf%c3%a9",
            "/%e0%a4%a8",
            "/%f0%9f%98%80",
            "/caf%e9",
            "/100%25",
            "/%25zz",
            "/?",
            "*?x",
        ] {
            assert!(Path::parse(path.as_bytes()).is_ok(), "{path}");
        }
    }

    #[test]
    fn decodes_every_escape() {
        for (path, normal) in [
            ("/%61dmin", "/admin"),
            ("/%7e%7Ea?%61", "/~~a"),
            ("/v1/users%3Apurge", "/v1/users:purge"),
            ("/%40admin%2a", "/@admin*"),
            ("/a%20b/", "/a b"),
            ("/a%3Fb?c", "/a?b"),
            ("/a%23b", "/a#b"),
            ("/100%25", "/100%"),
            ("/", "/"),
            ("/%2a", "/*"),
            ("/a/?b", "/a"),
        ] {
            let path = Path::parse(path.as_bytes()).unwrap();
            assert_eq!(path.bytes(), normal.as_bytes());
        }
    }

    #[test]
    fn what_is_ambiguous_stands_as_it_is_where_that_is_allowed() {
        for (path, normal) in [
            ("/%61%2fb", "/a%2fb"),
            ("/%3Aa%5C%3b%00", "/:a%5C%3b%00"),
            ("/a%252f%3A", "/a%252f:"),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%zz%61", "/%zza"),
            ("/%25zz", "/%zz"),
            ("/%2e%2e/a", "/../a"),
            ("/a//", "/a/"),
            ("/a#b", "/a"),
            ("/a%2f/?b", "/a%2f"),
            ("", ""),
        ] {
            let path = Path::as_it_stands(path.as_bytes());
            assert_eq!(path.bytes(), normal.as_bytes());
        }
        // Where nothing is ambiguous, both give one form.
        for path in ["/", "/a/", "/%61%3A?b", "/caf%C3%A9", "/100%25", "*"] {
            let path = path.as_bytes();
            assert_eq!(Path::parse(path), Ok(Path::as_it_stands(path)));
        }
    }

    #[test]
    fn a_tree_is_its_root_and_all_below() {
        let matches = |pattern: &str, path: &str| {
            let pattern = PathPattern::parse(pattern).unwrap();
            pattern.matches(&Path::parse(path.as_bytes()).unwrap())
        };
        for (pattern, path, expected) in [
            ("/a/*", "/a", true),
            ("/a/*", "/a/", true),
            ("/a/*", "/a/b", true),
            ("/a/*", "/ab", false),
            ("/a/*", "/", false),
            ("/*", "/x", true),
            ("/*", "/", true),
            ("/*", "*", false),
            ("*", "*", true),
            ("/a", "/a/", true),
            ("/a/", "/a", true),
            ("/a", "/a/b", false),
            ("/", "/", true),
            ("/a%3Ab", "/a:b", true),
            ("/@x/*", "/%40x/y", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_is_in_normal_form() {
        for text in [
            "",
            "a",
            "/a*",
            "/a/*/b",
            "/a?b",
            "/a#b",
            "/a b",
            "/caf\u{e9}",
            "/a//b",
            "/a//*",
            "/a/../b",
            "/a;b",
            "/a%2fb",
            "/a%252fb",
            "/a%",
            "//*",
            "**",
            "*/*",
            "/a\\b",
        ] {
            assert!(PathPattern::parse(text).is_none(), "{text}");
        }
    }
}
