//! Where tokens stand in a request: finding them all, and taking one out.
//!
//! Several programs may read one request and each may pick another token. So every place is looked at, a header's every line and every comma included, and differing
//! tokens are refused (this is called smuggling). Envoy joins repeated lines with a comma, which no token contains.

use std::borrow::Cow;

use crate::headers::Edit;
use crate::headers::bytes::{find, same, unhex};
use crate::headers::{same_header, spelled};
use crate::request::{Request, length_bit};
use crate::spec::Location;

/// What was found in the places looked at. `places` has a bit for each place with the token.
pub(crate) enum Located<'r> {
    Nothing,
    One { token: Cow<'r, [u8]>, places: u64 },
    Several,
}

impl<'r> Located<'r> {
    /// Looks at those of `locations` whose bit is set.
    pub fn find(request: &Request<'r>, locations: &[Location], look_at: u64) -> Self {
        let mut found = Self::Nothing;
        for (place, location) in locations.iter().enumerate() {
            let bit = 1 << place;
            if look_at & bit == 0 {
                continue;
            }
            match location {
                Location::Header { name, prefix } => {
                    // A line with another credential beside a token's is a second credential, as a part behind a comma is.
                    let (mut here, mut other) = (Self::Nothing, false);
                    for part in lines(request, name)
                        .flat_map(|(_, value)| parts(value))
                        .map(<[u8]>::trim_ascii)
                    {
                        match after_prefix(part, prefix) {
                            Some(token) if !fits_longer(part, name, prefix, locations) => {
                                here.add(Some(Cow::Borrowed(token)), bit);
                            }
                            _ => other = true,
                        }
                    }
                    match here {
                        Self::Nothing => {}
                        Self::One { token, .. } if !other => found.add(Some(token), bit),
                        _ => found.add(None, bit),
                    }
                }
                Location::Cookie(name) => {
                    for value in request.headers.all("cookie") {
                        for (_, token) in
                            cookies(value).filter(|(cookie, _)| *cookie == name.as_bytes())
                        {
                            found.add(Some(Cow::Borrowed(unquoted(token))), bit);
                        }
                    }
                }
                Location::Param(name) => {
                    for (_, value) in pairs(request)
                        .map(|(_, pair)| parameter(pair))
                        .filter(|(parameter, _)| *unescaped(parameter) == *name.as_bytes())
                    {
                        found.add(Some(unescaped(value)), bit);
                    }
                }
            }
        }
        found
    }

    /// `None` stands for a credential that is not one token. An empty one is none at all: that is how a cookie is cleared.
    fn add(&mut self, candidate: Option<Cow<'r, [u8]>>, bit: u64) {
        if candidate.as_ref().is_some_and(|token| token.is_empty()) {
            return;
        }
        *self = match (std::mem::replace(self, Self::Several), candidate) {
            (Self::Nothing, Some(token)) => Self::One { token, places: bit },
            (Self::One { token, places }, Some(other)) if token == other => Self::One {
                token,
                places: places | bit,
            },
            _ => Self::Several,
        };
    }
}

/// The lines of a header in every spelling, with the name as it came: to servers that hand over headers as variables they are one header.
fn lines<'a, 'r>(
    request: &'a Request<'r>,
    known: &'a str,
) -> impl Iterator<Item = &'r (&'r [u8], &'r [u8])> + use<'a, 'r> {
    request
        .headers
        .of_lengths(length_bit(known.as_bytes()))
        .iter()
        .filter(move |(name, _)| {
            name.len() == known.len() && (same(name, known.as_bytes()) || same_header(name, known))
        })
}

/// Whether a part belongs to another place of the same header, whose prefix is longer.
fn fits_longer(part: &[u8], name: &str, prefix: &str, locations: &[Location]) -> bool {
    locations.iter().any(|location| match location {
        Location::Header {
            name: other,
            prefix: longer,
        } => {
            longer.len() > prefix.len()
                && same_header(other.as_bytes(), name)
                && after_prefix(part, longer).is_some()
        }
        Location::Cookie(_) | Location::Param(_) => false,
    })
}

/// The parts of a list. Most values are none, and are told by the fastest search there is.
fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (whole, list) = if find(value, b',').is_some() {
        (None, Some(value))
    } else {
        (Some(value), None)
    };
    whole
        .into_iter()
        .chain(list.into_iter().flat_map(|list| list.split(|b| *b == b',')))
}

/// What follows the prefix. A scheme (a prefix that ends in a space) is compared without case and may be followed by more spaces (RFC 9110 section 11.4).
fn after_prefix<'r>(part: &'r [u8], prefix: &str) -> Option<&'r [u8]> {
    let Some(scheme) = prefix.strip_suffix(' ') else {
        return part.strip_prefix(prefix.as_bytes());
    };
    let (start, rest) = part.split_at_checked(scheme.len())?;
    // A tab is wrong there, and some programs take it for a space: what follows is a token, and a malformed one.
    let ends = matches!(rest.first(), None | Some(b' ' | b'\t'));
    let spaces = rest.iter().take_while(|b| **b == b' ').count();
    let token = rest.get(spaces..)?;
    (ends && start.eq_ignore_ascii_case(scheme.as_bytes())).then_some(token)
}

/// The pairs of a `cookie` header (RFC 6265 section 4.2).
fn cookies(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|b| *b == b';').filter_map(|pair| {
        let equals = pair.iter().position(|b| *b == b'=')?;
        Some((
            pair.get(..equals)?.trim_ascii(),
            pair.get(equals + 1..)?.trim_ascii(),
        ))
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|inside| inside.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// The pairs of the query, as they stand, each with the separator before it. Some servers split at `;` too (HTML 4.01 appendix B.2.2), so a token between two of them counts.
fn pairs<'r>(request: &Request<'r>) -> impl Iterator<Item = (Option<u8>, &'r [u8])> {
    let target = request.first(":path").unwrap_or_default();
    let target = target.split(|b| *b == b'#').next().unwrap_or_default();
    let mark = target.iter().position(|b| *b == b'?');
    let mut query = mark.and_then(|mark| target.get(mark + 1..));
    let mut before = None;
    std::iter::from_fn(move || {
        let rest = query?;
        let end = rest.iter().position(|b| matches!(b, b'&' | b';'));
        let pair = rest.get(..end.unwrap_or(rest.len()))?;
        let separator = before;
        before = end.and_then(|end| rest.get(end).copied());
        query = end.and_then(|end| rest.get(end + 1..));
        Some((separator, pair))
    })
}

/// A pair's name and value, as they stand.
fn parameter(pair: &[u8]) -> (&[u8], &[u8]) {
    let equals = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
    (
        pair.get(..equals).unwrap_or(pair),
        pair.get(equals + 1..).unwrap_or_default(),
    )
}

/// A part of a form-encoded query in plain bytes; broken escapes stay as they are.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (*byte, after) {
            (b'+', _) => plain.push(b' '),
            (b'%', [high, low, after @ ..]) => match unhex(*high, *low) {
                Some(byte) => {
                    plain.push(byte);
                    rest = after;
                }
                None => plain.push(b'%'),
            },
            (byte, _) => plain.push(byte),
        }
    }
    Cow::Owned(plain)
}

/// The edits that take every copy of a token out of the places where tokens may stand.
pub(crate) fn remove(
    request: &Request<'_>,
    locations: &[Location],
    token: &[u8],
    edits: &mut Vec<Edit>,
) {
    let holds = |place: usize| matches!(Located::find(request, locations, 1 << place), Located::One { token: found, .. } if *found == *token);
    let holding: Vec<&Location> = locations
        .iter()
        .enumerate()
        .filter(|(place, _)| holds(*place))
        .map(|(_, location)| location)
        .collect();
    for location in &holding {
        if let Location::Header { name, .. } = location {
            let names = lines(request, name).map(|(name, _)| Edit::remove(spelled(name)));
            edits.extend(names);
        }
    }
    let is_cookie = |name: &[u8]| {
        holding
            .iter()
            .any(|location| matches!(location, Location::Cookie(known) if known.as_bytes() == name))
    };
    if holding
        .iter()
        .any(|location| matches!(location, Location::Cookie(_)))
    {
        let pairs = request
            .headers
            .all("cookie")
            .flat_map(|value| value.split(|b| *b == b';').map(<[u8]>::trim_ascii));
        let left: Vec<&[u8]> = pairs
            .filter(|pair| cookies(pair).all(|(name, _)| !is_cookie(name)))
            .collect();
        edits.push(if left.is_empty() {
            Edit::remove("cookie")
        } else {
            Edit::set("cookie", left.join(&b"; "[..]))
        });
    }
    let is_param = |name: &[u8]| {
        holding
            .iter()
            .any(|location| matches!(location, Location::Param(known) if known.as_bytes() == name))
    };
    if holding
        .iter()
        .any(|location| matches!(location, Location::Param(_)))
    {
        let mut left = Vec::new();
        for (separator, pair) in
            pairs(request).filter(|(_, pair)| !is_param(&unescaped(parameter(pair).0)))
        {
            if !left.is_empty() {
                left.push(separator.unwrap_or(b'&'));
            }
            left.extend_from_slice(pair);
        }
        let target = request.first(":path").unwrap_or_default();
        let path = target
            .split(|b| matches!(b, b'?' | b'#'))
            .next()
            .unwrap_or_default();
        edits.push(Edit::set(
            ":path",
            if left.is_empty() {
                path.to_vec()
            } else {
                [path, &left].join(&b'?')
            },
        ));
    }
}
