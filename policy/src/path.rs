//! A request's path as rules see it.
//!
//! A proxy and the program behind it may read the same path differently; whoever finds such a path walks around a rule. So paths on which readers are known to
//! differ are called ambiguous, and the others are compared in one normal form: unreserved characters unescaped (RFC 3986 section 6.2.2.2), nothing else changed.

use std::borrow::Cow;

/// The path of a `:path` pseudo header.
pub(crate) struct Path<'a>(&'a [u8]);

impl<'a> Path<'a> {
    /// Cuts off query and fragment.
    pub fn of(target: &'a [u8]) -> Self {
        let end = target.iter().position(|b| matches!(b, b'?' | b'#'));
        Self(target.get(..end.unwrap_or(target.len())).unwrap_or(target))
    }

    /// Whether two readers could take this path for two paths: an escaped slash or backslash, a backslash, a dot segment, a double slash, a path parameter (`;`), NUL, a
    /// broken escape, an overlong form of UTF-8, or no slash at its start.
    pub fn ambiguous(&self) -> bool {
        if self.0 == b"*" {
            return false;
        }
        if self.0.first() != Some(&b'/') {
            return true;
        }
        let mut segment = Segment::default();
        let mut before = 0;
        let mut rest = self.0.iter().skip(1);
        while let Some(byte) = rest.next() {
            let byte = if *byte == b'%' {
                let (Some(high), Some(low)) = (rest.next(), rest.next()) else {
                    return true;
                };
                match unhex(*high, *low) {
                    None | Some(b'/' | b'\\' | 0 | b';') => return true,
                    Some(byte) => byte,
                }
            } else {
                *byte
            };
            // A longer form of a character than UTF-8 allows (RFC 3629 section 3): `%c0%af` is a slash to whoever decodes it all the same.
            let overlong = matches!(
                (before, byte),
                (_, 0xc0 | 0xc1) | (0xe0, 0x80..0xa0) | (0xf0, 0x80..0x90)
            );
            if overlong {
                return true;
            }
            before = byte;
            match byte {
                // Servlet containers cut a segment off at `;`, so `/admin;x` and `/a/..;/admin` are other paths to them.
                b'\\' | 0 | b';' => return true,
                // An escaped slash returned above, so this one is a separator.
                b'/' if segment.length == 0 || segment.is_dots() => return true,
                b'/' => segment = Segment::default(),
                byte => segment.push(byte),
            }
        }
        segment.is_dots()
    }

    /// The normal form.
    pub fn normal(&self) -> Cow<'a, [u8]> {
        if !self.0.contains(&b'%') {
            return Cow::Borrowed(self.0);
        }
        let mut normal = Vec::with_capacity(self.0.len());
        let mut rest = self.0;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            if let (b'%', [high, low, after @ ..]) = (*byte, after)
                && let Some(byte) = unhex(*high, *low)
            {
                rest = after;
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    normal.push(byte);
                } else {
                    normal.extend([b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
                }
            } else {
                normal.push(*byte);
            }
        }
        Cow::Owned(normal)
    }
}

/// What a dot segment is told by: its length and whether it has dots only.
#[derive(Default)]
struct Segment {
    length: usize,
    other: bool,
}

impl Segment {
    fn push(&mut self, byte: u8) {
        self.length += 1;
        self.other |= byte != b'.';
    }

    fn is_dots(&self) -> bool {
        (1..=2).contains(&self.length) && !self.other
    }
}

/// The byte of two hexadecimal digits.
pub(crate) fn unhex(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
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
            "/a/%00",
            "/a\0",
            "/%",
            "/%4",
            "/%zz",
            "a",
            "",
            "/.%2e",
            "/a;x",
            "/a/..;/b",
            "/a%3Bx",
            "/a/..%c0%afb",
            "/%C1%9c",
            "/%e0%80%af",
            "/%f0%80%80%af",
        ] {
            assert!(Path::of(path.as_bytes()).ambiguous(), "{path}");
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
            "/a#/../",
            "/..a/b",
            "/caf%c3%a9",
            "/%e0%a4%a8",
            "/%f0%9f%98%80",
            "/caf%e9",
        ] {
            assert!(!Path::of(path.as_bytes()).ambiguous(), "{path}");
        }
    }

    #[test]
    fn unescapes_the_unreserved_only() {
        for (path, normal) in [
            ("/%61dmin", "/admin"),
            ("/a%2fb", "/a%2Fb"),
            ("/%7e%7Ea?%61", "/~~a"),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/a%20b", "/a%20b"),
        ] {
            assert_eq!(
                Path::of(path.as_bytes()).normal().as_ref(),
                normal.as_bytes(),
                "{path}"
            );
        }
    }
}
