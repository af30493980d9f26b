//! Push, and what came of it.

use delivery::{Credentials, Digest, Layout, Options, RegistryError, inspect_image};
use lab::registry::Access;

use crate::support::registry::Store;
use crate::support::{image, module, push};

#[test]
fn pushing_twice_is_one_digest_and_uploads_nothing() {
    let registry = Store::start(&Access::Everybody);
    let reference = registry.reference("team/filter:1");
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
    let stored = registry.stored(&one.digest);
    assert_eq!(Digest::of(&stored), one.digest);
}

#[test]
fn a_tag_that_was_another_image_is_told() {
    let registry = Store::start(&Access::Everybody);
    let reference = registry.reference("team/filter:1");
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
    let registry = Store::start(&Access::Everybody);
    let named = image(&module("(global i32 i32.const 7)"), Layout::Compat);
    let reference = registry.reference("team/filter:1").pinned(named.digest());
    let error = push(
        &reference,
        Credentials::Anonymous,
        &Options::default(),
        &image(&module(""), Layout::Compat),
    )
    .unwrap_err();
    assert!(matches!(error, RegistryError::OtherImage { .. }), "{error}");
    assert!(registry.is_untouched());
}
