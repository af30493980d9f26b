//! Token realms that istio-agent refuses, so that no registry can send it to the insides of a cluster. It looks at the
//! text alone: a name that resolves to such an address passes. Source: `validateRealmURL` of Istio 1.30 to 1.31.

use std::net::IpAddr;

use http::Uri;

use crate::registry::http::{bare_host, host};

pub(super) fn check(realm: &str) -> Result<(), &'static str> {
    let uri: Uri = realm.parse().map_err(|_| "it is no URL")?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("its scheme is neither http nor https");
    }
    let authority = host(&uri);
    let name = bare_host(&authority);
    if name.is_empty() {
        return Err("it has no host");
    }
    if name == "metadata.google.internal" {
        return Err("it is a cloud's metadata service");
    }
    if name == "localhost" {
        return Err("it is localhost");
    }
    let inner = match name.parse() {
        Ok(IpAddr::V4(address)) => {
            address.is_private() || address.is_loopback() || address.is_link_local()
        }
        Ok(IpAddr::V6(address)) => {
            address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local()
        }
        Err(_) => false,
    };
    match inner {
        true => Err("it is a private, loopback or link-local address"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_literal_inner_addresses_are_refused() {
        for refused in [
            "http://127.0.0.1:5001/token",
            "https://10.1.2.3/t",
            "https://[::1]/t",
            "https://[fe80::1]/t",
            "http://localhost/t",
            "ftp://a.example/t",
            "http://169.254.169.254/x",
            "https://metadata.google.internal/t",
            "http://u@127.0.0.1/t",
            "http://a.example:x@[::1]/t",
        ] {
            assert!(check(refused).is_err(), "{refused} passed");
        }
        for passed in [
            "https://auth.example.com/token?x=1",
            "http://vm:5001/token",
            "https://8.8.8.8/t",
        ] {
            assert_eq!(check(passed), Ok(()), "{passed}");
        }
    }
}
