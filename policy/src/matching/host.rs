//! A request's host as rules see it.

use std::net::Ipv6Addr;

use super::Ambiguous;
use super::index::{Key, Kind};

/// A host without its port and without the dot that ends a full name; compared without case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host<'r>(&'r [u8]);

impl<'r> Host<'r> {
    /// Reads an authority: `name[:digits]` or `[IPv6][:digits]`.
    ///
    /// Envoy takes everything from the last colon on for the port, whatever it is (`HeaderUtility::getPortStart`), and Istio's gateways leave it out when they look for a
    /// virtual host: `admin.example.com:x` is routed to `admin.example.com`. So what has another form than the two is ambiguous, and so is no host at all.
    pub fn parse(authority: &'r [u8]) -> Result<Self, Ambiguous> {
        let bracket = authority.iter().rposition(|b| *b == b']');
        let colon = authority.iter().rposition(|b| *b == b':');
        let port = colon.filter(|colon| bracket.is_none_or(|bracket| bracket < *colon));
        let host = match port.and_then(|colon| authority.split_at_checked(colon)) {
            None => authority,
            Some((host, [_, port @ ..]))
                if !port.is_empty() && port.iter().all(u8::is_ascii_digit) =>
            {
                host
            }
            Some(_) => return Err(Ambiguous),
        };
        if host.starts_with(b"[") {
            return is_address(host).then_some(Self(host)).ok_or(Ambiguous);
        }
        is_name(host)
            .then(|| Self(host.strip_suffix(b".").unwrap_or(host)))
            .ok_or(Ambiguous)
    }

    /// These bytes, whatever they are.
    #[cfg(feature = "findings")]
    pub(super) fn sample(bytes: &'r [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes, in any case.
    pub fn bytes(&self) -> &'r [u8] {
        self.0
    }
}

/// Letters, digits, `-` and `_` in labels that are not empty; one dot may stand behind the last.
fn is_name(host: &[u8]) -> bool {
    let mut is_empty = true;
    for byte in host {
        match byte {
            b'.' if is_empty => return false,
            b'.' => is_empty = true,
            b'-' | b'_' => is_empty = false,
            byte if byte.is_ascii_alphanumeric() => is_empty = false,
            _ => return false,
        }
    }
    !host.is_empty()
}

/// An IPv6 address in brackets, in the one spelling of RFC 5952: rules and virtual hosts compare texts.
fn is_address(host: &[u8]) -> bool {
    let inside = host
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"))
        .and_then(|inside| std::str::from_utf8(inside).ok());
    inside.is_some_and(|inside| {
        let address = inside.parse::<Ipv6Addr>();
        address.is_ok_and(|address| address.to_string().eq_ignore_ascii_case(inside))
    })
}

/// A host that a rule names, in lower case.
#[derive(Debug)]
pub(crate) enum HostPattern {
    /// This host.
    Exact(String),
    /// All hosts below a domain, at any depth, and not the domain itself; with the dot in front.
    Below(String),
}

impl HostPattern {
    /// `None`: not a host in normal form, nor `*.` and such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let name = text.strip_prefix("*.").unwrap_or(&text);
        let normal = Host::parse(name.as_bytes()).ok()?;
        // Neither a port nor a last dot was cut off.
        if normal.0 != name.as_bytes() {
            return None;
        }
        match text.strip_prefix('*') {
            None => Some(Self::Exact(text)),
            Some(_) if name.starts_with('[') => None,
            Some(domain) => Some(Self::Below(domain.to_owned())),
        }
    }

    /// A host that only this and wider patterns match.
    #[cfg(feature = "findings")]
    pub fn sample(&self) -> Vec<u8> {
        match self {
            Self::Exact(name) => name.as_bytes().to_vec(),
            Self::Below(domain) => [super::NOBODYS, domain.as_bytes()].concat(),
        }
    }

    pub fn matches(&self, host: Host<'_>) -> bool {
        match self {
            Self::Exact(name) => host.0.eq_ignore_ascii_case(name.as_bytes()),
            // No host begins with the dot of a domain.
            Self::Below(domain) => host
                .0
                .len()
                .checked_sub(domain.len())
                .and_then(|left| host.0.get(left..))
                .is_some_and(|end| end.eq_ignore_ascii_case(domain.as_bytes())),
        }
    }

    /// What a request has when this matches its host, and how many bytes of the host it is made of.
    pub fn key(&self) -> (u64, usize) {
        let (kind, text) = match self {
            Self::Exact(name) => (Kind::Host, name),
            Self::Below(domain) => (Kind::Domain, domain),
        };
        (Key::whole(kind, text.bytes().rev()), text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_loses_its_port_and_its_last_dot() {
        for (authority, host) in [
            ("a.b:80", "a.b"),
            ("A.b.", "A.b"),
            ("a.b.:80", "a.b"),
            ("a", "a"),
            ("a_b.c-d", "a_b.c-d"),
            ("10.0.0.1:8080", "10.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("[2001:DB8::a]", "[2001:DB8::a]"),
        ] {
            assert_eq!(
                Host::parse(authority.as_bytes()),
                Ok(Host(host.as_bytes())),
                "{authority}"
            );
        }
    }

    /// Each was let through Envoy's authority check, or would be by another proxy in front.
    #[test]
    fn another_form_is_ambiguous() {
        for authority in [
            "",
            ".",
            "a..",
            "a..b",
            ".a",
            ":80",
            "a:",
            "a:x",
            "a:80x",
            "a:80:80",
            "a:b",
            "::1",
            "u@a",
            "u:p@a",
            "a,b",
            "a%2eb",
            "a b",
            "a/b",
            "a;b",
            "caf\u{e9}",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]:",
            "[::1]:x",
            "[::1%25eth0]",
            "[a]",
            "[]",
            "[0::1]",
            "[::1].",
            "[::0:1]",
            "[2001:db8::0001]",
            "x[::1]",
        ] {
            assert_eq!(
                Host::parse(authority.as_bytes()),
                Err(Ambiguous),
                "{authority}"
            );
        }
    }

    #[test]
    fn a_star_is_one_label_or_more() {
        for (pattern, host, matches) in [
            ("example.com", "EXAMPLE.com", true),
            ("Example.COM", "example.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.Example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "badexample.com", false),
            ("[2001:DB8::1]", "[2001:db8::1]", true),
        ] {
            let host = Host::parse(host.as_bytes()).unwrap();
            let pattern = HostPattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(host), matches, "{pattern:?} {host:?}");
        }
    }

    #[test]
    fn a_pattern_is_in_normal_form() {
        for text in [
            "", "*", "*.", "a:80", "a.", "a b", "*.[::1]", "[::0001]", "a.*", "**.a", "http://a",
        ] {
            assert!(HostPattern::parse(text).is_none(), "{text}");
        }
    }
}
