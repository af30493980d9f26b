//! Push, and what came of it.

use delivery::{
    Credentials, Digest, Image, Layout, Options, Provenance, RegistryError, TakenAs, inspect_image,
};

use crate::support::docker::{Access, Docker};
use crate::support::judge::judge;
use crate::support::{filter, image, module, push};

#[test]
fn istio_agent_takes_every_layout_that_push_makes() {
    let docker = Docker::start(&Access::Everybody);
    let filter = filter();
    for (layout, taken_as) in [
        (Layout::Compat, TakenAs::Compat),
        (Layout::Artifact, TakenAs::Artifact),
    ] {
        let reference = docker.reference(&format!("team/filter:{layout:?}"));
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

        let verdict = judge(
            &pushed.reference.to_string(),
            None,
            Some(pushed.digest.hex()),
        );
        assert_eq!(verdict.error, None);
        assert_eq!(
            verdict.sha256.as_deref(),
            Some(filter.module().sha256.as_str())
        );
        let by_tag = judge(&reference.to_string(), None, None);
        assert_eq!(by_tag.digest.as_deref(), Some(pushed.digest.hex()));

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
fn pushing_twice_is_one_digest_and_uploads_nothing() {
    let docker = Docker::start(&Access::Everybody);
    let reference = docker.reference("team/filter:1");
    let (first, second) = (
        image(&module(""), Layout::Compat),
        image(&module(""), Layout::Compat),
    );
    let one = push(
        &reference,
        Credentials::Anonymous,
        &Options::default(),
        &first,
    )
    .unwrap();
    let two = push(
        &reference,
        Credentials::Anonymous,
        &Options::default(),
        &second,
    )
    .unwrap();
    assert_eq!(one.digest, two.digest);
    assert!(one.uploaded > 0);
    assert_eq!((two.uploaded, two.replaced), (0, None));
    let stored = std::fs::read(docker.stored(&one.digest)).unwrap();
    assert_eq!(Digest::of(&stored), one.digest);
}

#[test]
fn a_tag_that_was_another_image_is_told() {
    let docker = Docker::start(&Access::Everybody);
    let reference = docker.reference("team/filter:1");
    let (old, new) = (
        image(&module(""), Layout::Compat),
        image(&module("(global i32 i32.const 7)"), Layout::Compat),
    );
    let first = push(
        &reference,
        Credentials::Anonymous,
        &Options::default(),
        &old,
    )
    .unwrap();
    let second = push(
        &reference,
        Credentials::Anonymous,
        &Options::default(),
        &new,
    )
    .unwrap();
    assert_eq!(first.replaced, None);
    assert_eq!(second.replaced, Some(first.digest.clone()));
    // The pinned reference still is the first.
    let found = inspect_image(
        &first.reference,
        Credentials::Anonymous,
        &Options::default(),
    )
    .unwrap();
    assert_eq!(found.image.unwrap().digest, first.digest);
}

#[test]
fn a_reference_that_names_another_digest_is_refused_before_anything_is_written() {
    let docker = Docker::start(&Access::Everybody);
    let named = image(&module("(global i32 i32.const 7)"), Layout::Compat);
    let reference = docker.reference("team/filter:1").pinned(named.digest());
    let error = push(
        &reference,
        Credentials::Anonymous,
        &Options::default(),
        &image(&module(""), Layout::Compat),
    )
    .unwrap_err();
    assert!(matches!(error, RegistryError::OtherImage { .. }), "{error}");
    assert!(!docker.folder.path().join("storage/docker").exists());
}
