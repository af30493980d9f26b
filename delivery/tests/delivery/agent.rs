//! What istio-agent makes of our images, of certificates and of realms, and what a rehearsal says of the same.

use delivery::{
    Credentials, Image, Layout, Options, Provenance, Rehearsal, StepName, TakenAs, inspect_image,
    rehearse,
};
use lab::SelfSigned;
use lab::registry::Access;
use lab::server::Response;

use crate::support::judge::{judge, judge_insecure};
use crate::support::registry::Store;
use crate::support::{fake, filter, image, module, push};

#[test]
fn istio_agent_takes_every_layout_that_push_makes() {
    let registry = Store::start(&Access::Everybody);
    let filter = filter();
    for (layout, taken_as) in [
        (Layout::Compat, TakenAs::Compat),
        (Layout::Artifact, TakenAs::Artifact),
    ] {
        let reference = registry.reference(&format!("team/filter:{layout:?}"));
        let provenance = Provenance {
            version: Some("0.1.0".into()),
            revision: Some("abc".into()),
            ..Provenance::default()
        };
        let pushed = push(
            &reference,
            Credentials::Anonymous,
            &Options::default(),
            &Image::build(&filter, layout, &provenance),
        )
        .unwrap();

        let pinned = pushed.reference.to_string();
        if let Some(verdict) = judge(&pinned, None, Some(pushed.digest.hex())) {
            assert_eq!(verdict.error, None);
            let sha256 = &filter.module().sha256;
            assert_eq!(verdict.sha256.as_ref(), Some(sha256));
        }
        if let Some(by_tag) = judge(&reference.to_string(), None, None) {
            assert_eq!(by_tag.digest.as_deref(), Some(pushed.digest.hex()));
        }

        let found = inspect_image(&reference, Credentials::Anonymous, &Options::default()).unwrap();
        assert!(found.works(), "{found:?}");
        assert_eq!(found.taken_as, Some(taken_as));
        assert_eq!(found.module.as_ref(), Some(filter.module()));
        let facts = found.image.unwrap();
        assert_eq!(
            (&facts.digest, &facts.reference),
            (&pushed.digest, &pushed.reference)
        );
        assert_eq!(
            facts.annotations["org.opencontainers.image.revision"],
            "abc"
        );
    }
}

#[test]
fn a_certificate_that_no_proxy_trusts_stops_istio_agent_and_the_rehearsal_unless_insecure() {
    let certificate = SelfSigned::new().unwrap();
    let registry = Store::with_tls(&Access::Everybody, Some(&certificate));
    let options = Options {
        ca: Some(certificate.certificate()),
        ..Options::default()
    };
    let pushed = push(
        &registry.reference("team/filter:1"),
        Credentials::Anonymous,
        &options,
        &image(&module(""), Layout::Compat),
    )
    .unwrap();
    let url = &pushed.reference.to_string();
    let rehearsed = |insecure| {
        rehearse(
            &Rehearsal {
                url,
                sha256: None,
                secret: None,
                insecure,
            },
            &Options::default(),
        )
    };
    if let Some(verdict) = judge(url, None, None) {
        let error = verdict.error.unwrap_or_default();
        assert!(error.contains("certificate"), "{error}");
    }
    assert_eq!(rehearsed(false).failure().unwrap().name, StepName::Ping);
    if let Some(verdict) = judge_insecure(url) {
        assert_eq!(verdict.error, None);
    }
    assert!(rehearsed(true).works(), "{:?}", rehearsed(true));
}

#[test]
fn a_plain_realm_of_a_registry_with_tls_stops_istio_agent_and_the_rehearsal() {
    let certificate = SelfSigned::new().unwrap();
    let challenge = "Bearer realm=\"http://tokens.example.com/token\",service=\"x\"";
    let server = fake("127.0.0.1:0", Some(&certificate), move |_| {
        Response::new(401).header("www-authenticate", challenge)
    });
    let url = &format!("oci://{}/team/filter:1", server.address());
    if let Some(verdict) = judge_insecure(url) {
        let error = verdict.error.unwrap_or_default();
        assert!(
            error.contains("not allowed for a secure registry"),
            "{error}"
        );
    }
    let checked = rehearse(
        &Rehearsal {
            url,
            sha256: None,
            secret: None,
            insecure: true,
        },
        &Options::default(),
    );
    assert_eq!(
        checked.failure().unwrap().name,
        StepName::Challenge,
        "{checked:?}"
    );
}
