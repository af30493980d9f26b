//! From the bytes of a token to claims that are verified.
//!
//! An [`Unverified`] token gives nothing away but what is needed to choose a provider and a key. [`Claims`] are made in one place, [`Unverified::verify`], and nowhere
//! else, so reading a claim that nobody signed does not compile.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;

use super::json::Json;
use super::key::Key;
use super::verify::{Algorithm, Verdict, Verify};
use crate::headers::bytes::cut;
use crate::reason::Reason;
use crate::spec::Provider;
use crate::spec::tape::Tape;

/// The three segments of a token, decoded.
pub(crate) struct Segments<'t> {
    signing_input: &'t [u8],
    /// As it stands in the token, base64url.
    payload: &'t [u8],
    header: Vec<u8>,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

/// A token whose signature was not checked.
pub(crate) struct Unverified<'s> {
    segments: &'s Segments<'s>,
    header: Json<'s>,
    claims: Json<'s>,
    /// The payload, JSON.
    text: &'s str,
}

/// The claims of a token that was signed by a key of its provider, in its time, for its audience. They live as long as it takes to answer what the policy asks
/// of them; [`super::Verified`] keeps the answers.
#[derive(Debug)]
pub(crate) struct Claims<'s> {
    /// INVARIANT: verified: written by [`Unverified::verify`] only.
    claims: Json<'s>,
    /// The payload, JSON.
    text: &'s str,
    /// The payload as it stood in the token, base64url.
    pub payload: &'s [u8],
    /// When they are valid.
    pub time: Validity,
}

/// From (inclusive) until (exclusive), in seconds since 1970, clock skew counted in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Validity {
    from: f64,
    until: f64,
}

impl Validity {
    /// All of time, for tests of those who keep what was verified.
    #[cfg(test)]
    pub const ALWAYS: Self = Self {
        from: f64::NEG_INFINITY,
        until: f64::INFINITY,
    };

    /// All of time up to a moment.
    #[cfg(test)]
    pub const fn until(until: f64) -> Self {
        Self {
            until,
            ..Self::ALWAYS
        }
    }

    /// Whether a moment is inside.
    pub fn holds(&self, now: Duration) -> bool {
        (self.from..self.until).contains(&now.as_secs_f64())
    }
}

impl<'s> Claims<'s> {
    /// A claim by the path of its names.
    pub fn at(&self, path: &[String]) -> Option<&Json<'s>> {
        self.claims.at(path)
    }

    /// All of them as the token has them: a number keeps every digit.
    pub fn values(&self) -> Option<Tape<'s>> {
        Tape::of(self.text).ok()
    }
}

/// The last second of the year 9999: a date beyond it is a mistake or a trick.
const LAST_SECOND: f64 = 253_402_300_799.0;

impl<'t> Segments<'t> {
    /// Takes a compact JWS apart (RFC 7515 section 7.1): three base64url segments without padding.
    pub fn of(token: &'t [u8]) -> Result<Self, Reason> {
        // A fourth segment would leave a dot in the third, which no base64url has.
        let segments = cut(token, b'.').and_then(|(header, rest)| Some((header, cut(rest, b'.')?)));
        let (header, (payload, signature)) = segments.ok_or(Reason::TokenMalformed)?;
        let decode = |segment: &[u8]| {
            BASE64URL
                .decode(segment)
                .map_err(|_| Reason::TokenMalformed)
        };
        let header_length = header.len() + 1 + payload.len();
        let signature = decode(signature)?;
        if header.is_empty() || payload.is_empty() {
            return Err(Reason::TokenMalformed);
        }
        Ok(Self {
            signing_input: token.get(..header_length).ok_or(Reason::TokenMalformed)?,
            payload,
            claims: decode(payload)?,
            header: decode(header)?,
            signature,
        })
    }
}

impl<'s> Unverified<'s> {
    /// Reads the header and the claims: two JSON objects.
    pub fn parse(segments: &'s Segments<'s>) -> Result<Self, Reason> {
        let object =
            |text: &'s str| Json::parse(text).filter(|json| matches!(json, Json::Object(_)));
        let header = std::str::from_utf8(&segments.header).ok();
        let header = header.and_then(object).ok_or(Reason::TokenMalformed)?;
        let text = std::str::from_utf8(&segments.claims).map_err(|_| Reason::ClaimsMalformed)?;
        let claims = object(text).ok_or(Reason::ClaimsMalformed)?;
        Ok(Self {
            segments,
            header,
            claims,
            text,
        })
    }

    /// The issuer that the token names. It chooses the provider and proves nothing.
    pub fn claimed_issuer(&self) -> Option<&str> {
        self.claims.member("iss").and_then(Json::text)
    }

    /// Checks everything, the signature before any claim, so that a forger learns nothing about claims.
    pub fn verify(
        self,
        provider: &Provider,
        now: Duration,
        verify: &dyn Verify,
    ) -> Result<Claims<'s>, Reason> {
        let key = self.choose_key(provider)?;
        // No extension is understood here, so every critical header is unknown (RFC 7515 section 4.1.11).
        if self.header.member("crit").is_some() {
            return Err(Reason::CriticalHeader);
        }
        self.check_type(provider)?;
        match verify.verify(key, self.segments.signing_input, &self.segments.signature) {
            Verdict::Valid => {}
            Verdict::Invalid => return Err(Reason::SignatureInvalid),
            Verdict::Unavailable => return Err(Reason::SignatureUnchecked),
        }
        let time = self.check_time(provider, now.as_secs_f64())?;
        self.check_audience(provider)?;
        self.check_subject(provider)?;
        self.text("jti")?;
        Ok(Claims {
            claims: self.claims,
            text: self.text,
            payload: self.segments.payload,
            time,
        })
    }

    /// The one key that may verify this token: by `kid` and algorithm, or without a `kid` the only key of the algorithm. A key without an id fits a `kid` that no other
    /// key has (RFC 7517 section 4.5: it is optional there).
    fn choose_key<'p>(&self, provider: &'p Provider) -> Result<&'p Key, Reason> {
        let named = self
            .header
            .member("alg")
            .and_then(Json::text)
            .ok_or(Reason::TokenMalformed)?;
        // `none` and HMAC have no name here (RFC 8725 section 3.1).
        let algorithm = Algorithm::named(named).ok_or(Reason::AlgorithmNotAllowed)?;
        let keys = || provider.keys.iter().map(|(_, key)| key);
        let fitting = || keys().filter(|key| key.algorithm == algorithm);
        if fitting().next().is_none() {
            return Err(Reason::AlgorithmNotAllowed);
        }
        match self.header.member("kid") {
            None => only(fitting()),
            Some(Json::Text(id)) => {
                let mut own = keys()
                    .filter(|key| key.id.as_deref() == Some(&**id))
                    .peekable();
                if own.peek().is_some() {
                    own.find(|key| key.algorithm == algorithm)
                        .ok_or(Reason::AlgorithmNotAllowed)
                } else if id.is_empty() {
                    Err(Reason::KeyNotFound)
                } else {
                    only(fitting().filter(|key| key.id.is_none()))
                }
            }
            Some(_) => Err(Reason::TokenMalformed),
        }
    }

    /// `typ`, where the provider asks for one (RFC 8725 section 3.11).
    fn check_type(&self, provider: &Provider) -> Result<(), Reason> {
        if provider.types.is_empty() {
            return Ok(());
        }
        let typ = self
            .header
            .member("typ")
            .and_then(Json::text)
            .map(str::to_ascii_lowercase);
        let typ = typ
            .as_deref()
            .map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        let known = |name: &String| Some(name.strip_prefix("application/").unwrap_or(name)) == typ;
        provider
            .types
            .iter()
            .any(known)
            .then_some(())
            .ok_or(Reason::TypeNotAccepted)
    }

    /// `exp`, `nbf` and `iat` (RFC 7519 sections 4.1.4 to 4.1.6).
    fn check_time(&self, provider: &Provider, now: f64) -> Result<Validity, Reason> {
        let skew = provider.clock_skew.as_secs_f64();
        let (expires, not_before, issued) =
            (self.date("exp")?, self.date("nbf")?, self.date("iat")?);
        if expires.is_none() && provider.require_expiration {
            return Err(Reason::ExpirationMissing);
        }
        let until = expires.map_or(f64::INFINITY, |expires| expires + skew);
        if now >= until {
            return Err(Reason::Expired);
        }
        let from = not_before.map_or(f64::NEG_INFINITY, |start| start - skew);
        if now < from {
            return Err(Reason::NotYetValid);
        }
        let made = issued.map_or(f64::NEG_INFINITY, |issued| issued - skew);
        if now < made {
            return Err(Reason::IssuedInFuture);
        }
        if let Some(most) = provider.max_lifetime {
            match (expires, issued) {
                (Some(expires), Some(issued)) if expires - issued <= most.as_secs_f64() => {}
                _ => return Err(Reason::LifetimeTooLong),
            }
        }
        Ok(Validity {
            from: from.max(made),
            until,
        })
    }

    /// A NumericDate, whole or not, between 1970 and 9999.
    fn date(&self, name: &str) -> Result<Option<f64>, Reason> {
        match self.claims.member(name) {
            None => Ok(None),
            Some(Json::Number(number)) => {
                let date = number
                    .as_f64()
                    .filter(|date| (0.0..=LAST_SECOND).contains(date));
                date.map(Some).ok_or(Reason::ClaimsMalformed)
            }
            Some(_) => Err(Reason::ClaimsMalformed),
        }
    }

    /// `aud` is a text or a list of texts (RFC 7519 section 4.1.3).
    fn check_audience(&self, provider: &Provider) -> Result<(), Reason> {
        let audience = self.claims.member("aud");
        let named = match audience {
            None => Vec::new(),
            Some(Json::Text(one)) => vec![&**one],
            Some(Json::List(list)) => list
                .iter()
                .map(Json::text)
                .collect::<Option<_>>()
                .ok_or(Reason::ClaimsMalformed)?,
            Some(_) => return Err(Reason::ClaimsMalformed),
        };
        let accepted = provider.audiences.is_empty()
            || named
                .iter()
                .any(|name| provider.audiences.iter().any(|known| known == name));
        accepted.then_some(()).ok_or(Reason::AudienceNotAccepted)
    }

    fn check_subject(&self, provider: &Provider) -> Result<(), Reason> {
        let subject = self.text("sub")?;
        let known = |pattern: &String| match (subject, pattern.strip_suffix('*')) {
            (Some(subject), Some(prefix)) => subject.starts_with(prefix),
            (Some(subject), None) => subject == pattern,
            (None, _) => false,
        };
        (provider.subjects.is_empty() || provider.subjects.iter().any(known))
            .then_some(())
            .ok_or(Reason::SubjectNotAccepted)
    }

    /// A claim that must be a text where it stands (RFC 7519 sections 4.1.2 and 4.1.7).
    fn text(&self, name: &str) -> Result<Option<&str>, Reason> {
        match self.claims.member(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Reason::ClaimsMalformed),
        }
    }
}

/// The key, where there is exactly one.
fn only<'p>(mut keys: impl Iterator<Item = &'p Key>) -> Result<&'p Key, Reason> {
    match (keys.next(), keys.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(Reason::KeyNotFound),
    }
}
