//! Whose Istio's CRDs are: those of another release go on serving its resources.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::super::Looked;
use super::{Leftover, named};
use crate::object::{Id, Object};
use crate::observed::{ISTIOCTL_MANAGER, Observed, is_applied_by, is_proved_ours};

/// The CRDs of `*.istio.io`.
pub(super) struct Crds<'o> {
    /// Ours; they go, and all of their kinds with them.
    pub going: Vec<&'o CustomResourceDefinition>,
    /// What others applied.
    staying: Vec<(Id, String)>,
}

/// `takes`: others' go too, because the user takes everything over, or since Kyma's operator decides.
pub(super) fn sort(observed: &Observed, takes: bool) -> Crds<'_> {
    let (mut going, mut staying) = (Vec::new(), Vec::new());
    let all = observed.crds.iter();
    for crd in all.filter(|crd| crd.spec.group.ends_with(".istio.io")) {
        match takes || is_ours(crd) {
            true => going.push(crd),
            false => staying.extend(id(crd).map(|(id, _)| (id, keepers(crd)))),
        }
    }
    Crds { going, staying }
}

impl Crds<'_> {
    /// Whether the kind of this resource goes.
    pub fn takes(&self, resource: &Object) -> bool {
        self.going
            .iter()
            .any(|crd| crd.spec.group == resource.group() && crd.spec.names.kind == resource.kind())
    }

    pub fn doomed(&self) -> Vec<(Id, String)> {
        self.going.iter().filter_map(|crd| id(crd)).collect()
    }

    pub fn looked(&self) -> Vec<Looked> {
        let looked = self.going.iter().filter_map(|crd| {
            let served = crd.spec.versions.iter().filter(|version| version.served);
            // Any served version lists all; the stored one needs no conversion.
            let version = served.max_by_key(|version| version.storage)?;
            Some(Looked {
                crd: id(crd)?.0,
                api_version: format!("{}/{}", crd.spec.group, version.name),
                plural: crd.spec.names.plural.clone(),
            })
        });
        looked.collect()
    }

    pub fn leftovers(&self) -> impl Iterator<Item = Leftover> {
        self.staying.iter().map(|(id, by)| Leftover {
            id: id.clone(),
            why: format!("others made it ({by}); its resources stay with it"),
        })
    }
}

fn id(crd: &CustomResourceDefinition) -> Option<(Id, String)> {
    named(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &crd.metadata,
    )
}

/// istioctl and Kyma's module give CRDs no label of their own.
fn is_ours(crd: &CustomResourceDefinition) -> bool {
    let object = serde_json::to_value(crd).ok().map(Object::new);
    let is_ours =
        |object: &Object| is_proved_ours(object) || is_applied_by(object, ISTIOCTL_MANAGER);
    matches!(object, Some(Ok(object)) if is_ours(&object))
}

/// The field managers, `helm, kubectl`.
fn keepers(crd: &CustomResourceDefinition) -> String {
    let fields = crd.metadata.managed_fields.iter().flatten();
    // The API server writes the conditions of each.
    let managers = fields.filter(|entry| entry.subresource.is_none());
    let mut names: Vec<&str> = managers
        .filter_map(|entry| entry.manager.as_deref())
        .collect();
    names.sort_unstable();
    names.dedup();
    match names.is_empty() {
        true => "nobody says who".to_owned(),
        false => names.join(", "),
    }
}
