//! KI-V005: the CRDs that policies need.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::{Criterion, Facts, Form};
use crate::codes::Code;
use crate::observed::Observed;

const MODERN: [&str; 3] = [
    "peerauthentications.security.istio.io",
    "requestauthentications.security.istio.io",
    "authorizationpolicies.security.istio.io",
];
const LEGACY: [&str; 1] = ["policies.authentication.istio.io"];

pub(super) fn judge(observed: &Observed, form: Form) -> Criterion {
    let mut facts = Facts::default();
    let names = if form == Form::Modern {
        MODERN.as_slice()
    } else {
        LEGACY.as_slice()
    };
    established(observed, names, &mut facts);
    facts.judged(Code::Crds, "crds", form, || match form {
        Form::Modern => "kubectl kyma-istio install    # applies the CRDs first".to_owned(),
        Form::Legacy => {
            "apply the CRDs of the Istio release that runs (its chart `istio-init`)".to_owned()
        }
    })
}

/// Each CRD is there and serves a version.
pub(super) fn established(observed: &Observed, names: &[&str], facts: &mut Facts) {
    facts.must_read(observed, "customresourcedefinitions.apiextensions.k8s.io");
    for name in names {
        match observed
            .crds
            .iter()
            .find(|crd| crd.metadata.name.as_deref() == Some(*name))
        {
            None => facts.absent(format!("CustomResourceDefinition {name}: missing")),
            Some(crd) if !is_established(crd) => {
                facts.fails(format!("CustomResourceDefinition {name}: not Established"))
            }
            Some(crd) => {
                let served = crd.spec.versions.iter().filter(|version| version.served);
                let served: Vec<&str> = served.map(|version| version.name.as_str()).collect();
                facts.holds(format!(
                    "CustomResourceDefinition {name}: Established ({})",
                    served.join(", ")
                ));
            }
        }
    }
}

fn is_established(crd: &CustomResourceDefinition) -> bool {
    let conditions = crd
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    conditions
        .unwrap_or_default()
        .iter()
        .any(|c| c.type_ == "Established" && c.status == "True")
}
