//! Where a roll-out that fails goes back to.

use mesh::filter::{FINGERPRINT, LONGEST_RECORD, PREVIOUS};
use mesh::object::Object;
use serde_json::{Value, json};

use super::super::deploy::now;
use super::super::looking::compiled;
use crate::error::Error;

/// Where to.
pub(super) enum Back {
    /// This stood there before.
    To(Object),
    /// Nothing was there before.
    Away,
    /// Nothing that we know of: it wasn't written now, and no earlier roll-out left a record.
    Nowhere,
}

/// What was written now gives way to what stood there. What was written before, by a run that was interrupted, gives way to
/// what that run found, as its record says.
pub(super) fn way(object: &Object, before: Option<&Object>, is_written: bool) -> Back {
    match (before, is_written) {
        (None, true) => Back::Away,
        (Some(before), true) => {
            let spec = before.pointer("/spec").cloned().unwrap_or_default();
            let previous = before.annotation(PREVIOUS);
            let back = with_spec(object, spec.clone(), previous);
            // What didn't run before either comes back as it was.
            let fingerprint = before.annotation(FINGERPRINT).unwrap_or_default();
            let back = back.or_else(|_| with(object, spec, fingerprint, previous));
            back.map_or(Back::Nowhere, Back::To)
        }
        (_, false) => {
            let record = object.annotation(PREVIOUS);
            let spec = record.and_then(|text| serde_json::from_str(text).ok());
            let back = spec.and_then(|spec| with_spec(object, spec, None).ok());
            back.map_or(Back::Nowhere, Back::To)
        }
    }
}

/// The same plugin with another `spec`, as a roll-out of its own: a new revision, so that no proxy skips it.
pub fn with_spec(
    object: &Object,
    mut spec: Value,
    previous: Option<&str>,
) -> Result<Object, Error> {
    if let Some(config) = spec
        .pointer_mut("/pluginConfig/spec")
        .and_then(Value::as_object_mut)
    {
        config.insert("revision".to_owned(), now().into());
    }
    let config = spec.get("pluginConfig").cloned().unwrap_or_default();
    let policy = compiled(config.to_string().as_bytes())
        .map_err(|_| Error::input("what stood there before doesn't compile"))?;
    with(object, spec, &policy.fingerprint().to_string(), previous)
}

fn with(
    object: &Object,
    spec: Value,
    fingerprint: &str,
    previous: Option<&str>,
) -> Result<Object, Error> {
    let mut annotations = json!({FINGERPRINT: fingerprint});
    if let Some(previous) = previous.filter(|text| text.len() <= LONGEST_RECORD) {
        annotations[PREVIOUS] = json!(previous);
    }
    Object::new(json!({
        "apiVersion": object.pointer("/apiVersion"),
        "kind": object.kind(),
        "metadata": {
            "name": object.name(), "namespace": object.namespace(),
            "labels": object.labels(), "annotations": annotations,
        },
        "spec": spec,
    }))
    .map_err(|error| Error::input(format!("what stood there before can't be applied: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin with this number of hops, as it stands on a cluster; a number that is no such doesn't compile.
    fn plugin(hops: u32, previous: Option<&Value>) -> Object {
        let mut annotations = json!({FINGERPRINT: format!("of {hops}")});
        if let Some(previous) = previous {
            annotations[PREVIOUS] = previous.to_string().into();
        }
        let config = json!({
            "apiVersion": policy::API_VERSION,
            "spec": {"position": "Gateway", "forwarded": {"trust": {"hops": hops}}, "revision": "1"},
        });
        Object::new(json!({
            "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
            "metadata": {"name": "shop", "namespace": "a", "annotations": annotations},
            "spec": {"url": format!("oci://h/r:{hops}"), "pluginConfig": config},
        }))
        .unwrap()
    }

    fn to(object: &Object, before: Option<&Object>, is_written: bool) -> Object {
        match way(object, before, is_written) {
            Back::To(object) => object,
            Back::Away | Back::Nowhere => panic!("it goes nowhere"),
        }
    }

    const REVISION: &str = "/spec/pluginConfig/spec/revision";

    #[test]
    fn what_stood_there_comes_back_as_a_roll_out_of_its_own() {
        let oldest = json!({"url": "oldest"});
        let (new, before) = (plugin(2, None), plugin(1, Some(&oldest)));
        let back = to(&new, Some(&before), true);
        assert_eq!(back.string("/spec/url"), Some("oci://h/r:1"));
        assert_ne!(back.pointer(REVISION), before.pointer(REVISION));
        assert_eq!(back.annotation(PREVIOUS), Some(&*oldest.to_string()));
        assert_ne!(back.annotation(FINGERPRINT), Some("of 1"));
    }

    #[test]
    fn an_edit_that_never_ran_comes_back_byte_for_byte() {
        let before = plugin(99, None);
        let back = to(&plugin(2, None), Some(&before), true);
        assert_eq!(back.pointer("/spec"), before.pointer("/spec"));
        assert_eq!(back.annotation(FINGERPRINT), Some("of 99"));
    }

    #[test]
    fn what_an_earlier_run_wrote_gives_way_to_what_that_run_found() {
        let found = plugin(1, None).pointer("/spec").cloned().unwrap();
        let new = plugin(2, Some(&found));
        let back = to(&new, Some(&new), false);
        assert_eq!(back.string("/spec/url"), Some("oci://h/r:1"));
    }

    #[test]
    fn only_what_was_written_now_is_taken_away() {
        let new = plugin(2, None);
        assert!(matches!(way(&new, None, true), Back::Away));
        assert!(matches!(way(&new, Some(&new), false), Back::Nowhere));
    }
}
