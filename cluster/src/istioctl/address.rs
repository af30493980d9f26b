//! A URL whose secrets are never printed: neither credentials before the host nor a signature in the query.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

use super::IstioctlError;

/// An `http` or `https` URL with a host. Shown without credentials and query.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Uri);

impl Address {
    /// An archive in a mirror with the layout of Istio's releases: `BASE/VERSION/NAME`. Where the base has `{version}` in it,
    /// that is replaced and nothing is appended.
    ///
    /// # Errors
    /// The base is no URL that a mirror can have.
    pub fn in_mirror(base: &str, version: &str, name: &str) -> Result<Self, IstioctlError> {
        let folder = match base.contains("{version}") {
            true => base.replace("{version}", version),
            false => format!("{}/{version}", base.trim_end_matches('/')),
        };
        Self::in_folder(&folder, name)
    }

    /// A file of a folder.
    ///
    /// # Errors
    /// The folder is no URL.
    pub fn in_folder(folder: &str, name: &str) -> Result<Self, IstioctlError> {
        let folder = folder.trim_end_matches('/');
        let address = match folder.contains(['?', '#']) {
            true => Err("a query or a fragment"),
            false => format!("{folder}/{name}").parse(),
        };
        address.map_err(|what| IstioctlError::Base {
            base: without_secrets(folder),
            what,
        })
    }

    /// Whether it has a user or a password in it.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        let authority = self.0.authority();
        authority.is_some_and(|authority| authority.as_str().contains('@'))
    }

    /// The last part of the path: a file's name.
    pub(super) fn name(&self) -> &str {
        self.0.path().rsplit('/').next().unwrap_or_default()
    }

    /// The file beside it that has its SHA-256.
    pub(super) fn sum(&self) -> Result<Self, &'static str> {
        format!("{}.sha256", self.0).parse()
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }

    /// TLS, or this machine: what comes from there is what the host sends.
    pub(super) fn is_authentic(&self) -> bool {
        self.is_https() || self.is_loopback()
    }

    /// A redirect leads to HTTPS; on this machine alone it may lead to plain HTTP of this machine.
    pub(super) fn may_redirect_to(&self, next: &Self) -> bool {
        let stays_here = !self.is_https() && self.is_loopback() && next.is_loopback();
        next.is_https() || stays_here
    }

    /// The target of a `Location` (RFC 9110, 10.2.2): a URL, or a reference to this one.
    pub(super) fn join(&self, location: &str) -> Option<Self> {
        let scheme = self.0.scheme_str()?;
        let authority = self.0.authority()?;
        let absolute = if location.contains("://") {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{scheme}:{location}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else {
            let folder = self
                .0
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{location}")
        };
        absolute.parse().ok()
    }

    fn is_https(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }

    pub(super) fn is_loopback(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = |address: IpAddr| address.is_loopback();
        host == "localhost" || address.parse().is_ok_and(is_loopback)
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "no URL")?;
        let is_http = [&Scheme::HTTP, &Scheme::HTTPS]
            .map(Some)
            .contains(&uri.scheme());
        match (is_http, uri.host()) {
            (false, _) => Err("another scheme"),
            (true, None | Some("")) => Err("no host"),
            (true, Some(_)) => Ok(Self(uri)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (uri, scheme) = (&self.0, self.0.scheme_str().unwrap_or_default());
        write!(f, "{scheme}://{}", uri.host().unwrap_or_default())?;
        if let Some(port) = uri.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(uri.path())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that may be no URL at all, without what may be a secret in it.
fn without_secrets(text: &str) -> String {
    let shown = text.split(['?', '#']).next().unwrap_or_default();
    match shown.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://***@{host}")
        }
        None => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "istioctl-1.31.2-linux-amd64.tar.gz";

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    #[test]
    fn a_mirror_has_the_layout_of_the_release() {
        let cases = [
            (
                "https://mirror.example.com/istio",
                "https://mirror.example.com/istio/1.31.2/",
            ),
            (
                "https://mirror.example.com/istio/",
                "https://mirror.example.com/istio/1.31.2/",
            ),
            (
                "https://mirror.example.com",
                "https://mirror.example.com/1.31.2/",
            ),
            (
                "https://mirror.example.com/v{version}/all",
                "https://mirror.example.com/v1.31.2/all/",
            ),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000/1.31.2/"),
        ];
        for (base, folder) in cases {
            let found = Address::in_mirror(base, "1.31.2", NAME).expect(base);
            assert_eq!(found.to_string(), format!("{folder}{NAME}"), "{base}");
            assert_eq!(found.name(), NAME);
            assert_eq!(found.sum().expect("a sum").name(), format!("{NAME}.sha256"));
        }
    }

    #[test]
    fn a_base_that_is_no_url_is_refused_without_its_secrets() {
        let cases = [
            (
                "mirror.example.com/istio",
                "`mirror.example.com/istio/",
                "no URL",
            ),
            (
                "ftp://mirror.example.com",
                "`ftp://mirror.example.com/",
                "another scheme",
            ),
            ("https://", "`https:/", "no URL"),
            (
                "https://me:s3cret@mirror example",
                "`https://***@mirror example/",
                "no URL",
            ),
            (
                "https://mirror.example.com?key=s3cret",
                "`https://mirror.example.com`",
                "a query or a fragment",
            ),
        ];
        for (base, shown, what) in cases {
            let error = Address::in_mirror(base, "1.31.2", NAME)
                .expect_err(base)
                .to_string();
            assert!(
                error.contains(shown) && error.contains(what),
                "{base}: {error}"
            );
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn credentials_and_signatures_are_not_shown() {
        let secret = address("https://me:s3cret@mirror.example.com:8443/a/b?sig=s3cret");
        assert!(secret.has_credentials());
        assert_eq!(secret.to_string(), "https://mirror.example.com:8443/a/b");
        assert_eq!(format!("{secret:?}"), "https://mirror.example.com:8443/a/b");
    }

    #[test]
    fn a_location_is_resolved_against_the_request() {
        let from = address("https://a.example/x/y?q");
        let cases = [
            ("https://b.example/z", "https://b.example/z"),
            ("//b.example/z", "https://b.example/z"),
            ("/z", "https://a.example/z"),
            ("z", "https://a.example/x/z"),
        ];
        for (location, to) in cases {
            assert_eq!(from.join(location).expect(location).to_string(), to);
        }
    }

    #[test]
    fn a_redirect_leads_to_https_or_stays_on_this_machine() {
        let (secure, plain) = ("https://a.example/", "http://a.example/");
        let here = [
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
            "http://localhost:1/",
        ];
        for from in [secure, plain, here[0]] {
            assert!(
                address(from).may_redirect_to(&address("https://b.example/")),
                "{from}"
            );
            assert!(
                !address(from).may_redirect_to(&address("http://b.example/")),
                "{from}"
            );
        }
        for to in here {
            assert!(address(here[1]).may_redirect_to(&address(to)), "{to}");
            assert!(!address(secure).may_redirect_to(&address(to)), "{to}");
            assert!(!address(plain).may_redirect_to(&address(to)), "{to}");
        }
        // A host that only looks like this machine.
        assert!(!address("http://127.0.0.1.example.com/").is_authentic());
    }
}
