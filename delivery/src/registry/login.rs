//! How a registry wants to be shown who we are: nothing, a password, or a token from a realm.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde::Deserialize;

use super::http::{Ask, Http, bare_host, host, is_loopback, is_plain, names_a_user, wrong};
use super::{Doing, RegistryError, denied};
use crate::credentials::{Credentials, Secret};

/// What a registry asks for, from its `WWW-Authenticate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    Nothing,
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

/// More than any token.
const LARGEST: u64 = 1024 * 1024;

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Challenge {
    /// The first challenge that we know; registries send several.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(header::WWW_AUTHENTICATE).iter();
        lines
            .filter_map(|line| line.to_str().ok())
            .find_map(Self::read_line)
    }

    fn read_line(line: &str) -> Option<Self> {
        let (scheme, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Some(Self::Bearer {
            realm: parameter(rest, "realm")?,
            service: parameter(rest, "service"),
        })
    }
}

/// Every `realm` that a registry names, in any challenge: istio-agent checks them all, of whatever scheme.
pub(crate) fn realms(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::WWW_AUTHENTICATE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split("realm=\"").skip(1))
        .filter_map(|rest| rest.split_once('"'))
        .map(|(realm, _)| realm.to_owned())
        .collect()
}

/// `name="value"` in a list of them.
fn parameter(list: &str, name: &str) -> Option<String> {
    let mut rest = list;
    while let Some((key, tail)) = rest.split_once('=') {
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => tail.split_once(',').unwrap_or((tail, "")),
        };
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = tail;
    }
    None
}

/// The value of `Authorization` for a challenge that came from `challenged`; none where nothing is asked for or nothing is there to show.
pub(crate) fn authorization(
    http: &Http,
    registry: &Uri,
    challenged: &Uri,
    challenge: &Challenge,
    credentials: &Credentials,
    doing: &Doing<'_>,
) -> Result<Option<Secret>, RegistryError> {
    let shows = *credentials != Credentials::Anonymous && *challenge != Challenge::Nothing;
    if shows {
        http.check_credentials(registry)?;
        // Whoever stands between us and a challenge could name a realm of their own.
        http.check_credentials(challenged)?;
    }
    let ready = match (challenge, credentials) {
        (Challenge::Nothing, _)
        | (Challenge::Basic, Credentials::Anonymous | Credentials::Identity(_)) => None,
        (_, Credentials::Bearer(token)) => Some(bearer(token.reveal())),
        (Challenge::Basic, Credentials::Basic { .. }) => basic(credentials),
        (Challenge::Bearer { realm, service }, _) => {
            let realm: Uri = realm
                .parse()
                .map_err(|_| wrong(registry, "its token realm is no address"))?;
            if names_a_user(&realm) {
                return Err(wrong(registry, "its token realm names a user"));
            }
            http.check_plain(registry, &realm)?;
            if shows {
                check_realm(http, registry, &realm)?;
            }
            Some(token(http, &realm, service.as_deref(), credentials, doing)?)
        }
    };
    Ok(ready)
}

/// Refuses a realm that would see credentials in the open. Plain HTTP that was asked for is the registry's own: another host's realm could be anybody's.
fn check_realm(http: &Http, registry: &Uri, realm: &Uri) -> Result<(), RegistryError> {
    let (from, to) = (host(registry), host(realm));
    let is_here = bare_host(&from).eq_ignore_ascii_case(bare_host(&to));
    if is_plain(realm) && !is_here && !is_loopback(&to) {
        return Err(RegistryError::RealmInTheOpen { from, to });
    }
    http.check_credentials(realm)
}

/// One token of a realm, for one repository.
pub(crate) fn token(
    http: &Http,
    realm: &Uri,
    service: Option<&str>,
    credentials: &Credentials,
    doing: &Doing<'_>,
) -> Result<Secret, RegistryError> {
    let mut query = vec![("scope", doing.scope())];
    if let Some(service) = service {
        query.push(("service", service.to_owned()));
    }
    let mut answer = match credentials {
        Credentials::Identity(refresh) => {
            query.push(("grant_type", "refresh_token".to_owned()));
            query.push(("client_id", "kyma-istio".to_owned()));
            query.push(("refresh_token", refresh.reveal().to_owned()));
            let form = encode(&query);
            http.send(&Ask {
                method: Method::POST,
                uri: realm,
                headers: &[(header::CONTENT_TYPE, "application/x-www-form-urlencoded")],
                authorization: None,
                body: Some(form.as_bytes()),
            })?
        }
        credentials => {
            let joint = if realm.query().is_some() { '&' } else { '?' };
            let uri: Uri = format!("{realm}{joint}{}", encode(&query))
                .parse()
                .map_err(|_| wrong(realm, "its realm is no address"))?;
            http.send(&Ask {
                method: Method::GET,
                uri: &uri,
                headers: &[],
                authorization: basic(credentials).as_ref(),
                body: None,
            })?
        }
    };
    if answer.status != StatusCode::OK {
        return Err(denied(answer, doing, credentials));
    }
    let mut body = Vec::new();
    let read = answer.body.as_reader().take(LARGEST).read_to_end(&mut body);
    let found: Option<Token> = read.ok().and_then(|_| serde_json::from_slice(&body).ok());
    let found = found.and_then(|found| found.token.or(found.access_token));
    found
        .map(|token| bearer(&token))
        .ok_or_else(|| RegistryError::Answer {
            host: host(realm),
            doing: doing.to_string(),
            cause: "its token realm answers without a token".to_owned(),
        })
}

fn bearer(token: &str) -> Secret {
    Secret::new(format!("Bearer {token}"))
}

pub(crate) fn basic(credentials: &Credentials) -> Option<Secret> {
    let Credentials::Basic { username, password } = credentials else {
        return None;
    };
    let pair = format!("{username}:{}", password.reveal());
    Some(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
}

/// `application/x-www-form-urlencoded`.
fn encode(pairs: &[(&str, String)]) -> String {
    let value = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, text)| format!("{name}={}", value(text)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&'static str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                header::WWW_AUTHENTICATE,
                http::HeaderValue::from_static(line),
            );
        }
        Challenge::read(&headers)
    }

    #[test]
    fn the_first_known_challenge_counts() {
        assert_eq!(
            read(&["Negotiate", "Basic realm=\"x\""]),
            Some(Challenge::Basic)
        );
        assert_eq!(
            read(&[
                "bearer service=\"a, realm=b\",realm=\"https://auth.example/token?x=1\",scope=\"repository:a:pull,push\""
            ]),
            Some(Challenge::Bearer {
                realm: "https://auth.example/token?x=1".into(),
                service: Some("a, realm=b".into())
            })
        );
        assert_eq!(read(&["Bearer service=\"a\""]), None);
        assert_eq!(read(&["Bearer realm=\"open"]), None);
        assert_eq!(read(&[]), None);
    }
}
