//! The ingress gateway's certificate: given, or made for a domain.

use std::path::Path;

use k8s_openapi::jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use mesh::patch::Certificate;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::cli::Patch;
use crate::error::Error;

/// The life of a certificate that is made here, in days.
const LIFE: i32 = 365;

/// None: nobody asks for one.
pub fn given(arguments: &Patch) -> Result<Option<Certificate>, Error> {
    match (&arguments.tls_cert, &arguments.tls_key, &arguments.domain) {
        (Some(chain), Some(key), _) => read(chain, key).map(Some),
        (_, _, Some(domain)) => self_signed(domain).map(Some),
        _ => Ok(None),
    }
}

fn read(chain: &Path, key: &Path) -> Result<Certificate, Error> {
    let text = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })
    };
    let certificate = Certificate {
        chain: text(chain)?,
        key: text(key)?,
    };
    let wrong = |file: &Path, expected: &str| {
        Error::input(format!(
            "`{}` holds no {expected}, expected PEM",
            file.display()
        ))
    };
    let chain_der: Vec<CertificateDer<'_>> =
        CertificateDer::pem_slice_iter(certificate.chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| wrong(chain, "certificate"))?;
    if chain_der.is_empty() {
        return Err(wrong(chain, "certificate"));
    }
    let key_der = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes())
        .map_err(|_| wrong(key, "private key"))?;
    let signing = rustls::crypto::ring::sign::any_supported_type(&key_der)
        .map_err(|_| wrong(key, "private key of a kind that TLS uses"))?;
    CertifiedKey::new(chain_der, signing)
        .keys_match()
        .map_err(|_| {
            Error::input(format!(
                "the key `{}` is not the one of the first certificate in `{}`",
                key.display(),
                chain.display()
            ))
        })?;
    Ok(certificate)
}

fn self_signed(domain: &str) -> Result<Certificate, Error> {
    let wrong = |why: String| {
        Error::input_hint(
            format!("--domain: can't make a certificate for `{domain}`: {why}"),
            "a domain is like `kyma.example.com`",
        )
    };
    if !is_domain(domain) {
        return Err(wrong("it is no DNS name".to_owned()));
    }
    let names = vec![domain.to_owned(), format!("*.{domain}")];
    let mut params = CertificateParams::new(names).map_err(|error| wrong(error.to_string()))?;
    params.distinguished_name.push(DnType::CommonName, domain);
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    // A day back, for clocks that are behind.
    let (from, to) = (
        today.saturating_sub(1.day()),
        today.saturating_add(LIFE.days()),
    );
    let of = |date: Date| {
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        rcgen::date_time_ymd(i32::from(date.year()), month, day)
    };
    (params.not_before, params.not_after) = (of(from), of(to));
    let key = KeyPair::generate().map_err(|error| wrong(error.to_string()))?;
    let certificate = params
        .self_signed(&key)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(Certificate {
        chain: certificate.pem(),
        key: key.serialize_pem(),
    })
}

/// Labels of letters, digits and dashes, a dot between them.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // `*.` comes in front.
    text.len() <= 251 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_for_a_domain_is_one_that_tls_takes() {
        let made = self_signed("kyma.example.com").unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        let (chain, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        std::fs::write(&chain, &made.chain).unwrap();
        std::fs::write(&key, &made.key).unwrap();
        assert!(read(&chain, &key).is_ok());
        // Another one's key is told.
        std::fs::write(&key, self_signed("other.example.com").unwrap().key).unwrap();
        let error = read(&chain, &key).unwrap_err().to_string();
        assert!(
            error.contains("is not the one of the first certificate"),
            "{error}"
        );
        std::fs::write(&chain, "nothing").unwrap();
        let error = read(&chain, &key).unwrap_err().to_string();
        assert!(error.contains("holds no certificate"), "{error}");
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for text in [
            "",
            "a..b",
            "-a.example",
            "a b",
            "*.example.com",
            "exämple.com",
        ] {
            assert!(self_signed(text).is_err(), "{text}");
        }
    }
}
