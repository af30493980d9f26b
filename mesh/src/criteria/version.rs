//! KI-V001: which Istio runs. Modern: every istiod and every gateway; legacy: pilot, as the patch job did.

use super::{Criterion, Facts, Form, Required};
use crate::codes::Code;
use crate::observed::{Component, Observed, Version};
use crate::versions::versions;

pub(super) fn judge(observed: &Observed, form: Form, required: &Required) -> Criterion {
    let mut facts = Facts::default();
    facts.must_read(observed, "deployments.apps");
    let planes = observed.control_planes();
    if planes.is_empty() {
        facts.absent("no istiod found: no Deployment has a container `discovery`");
    }
    for plane in &planes {
        compare(plane, &required.version, form == Form::Modern, &mut facts);
    }
    if form == Form::Modern {
        facts.must_read(observed, "pods");
        for gateway in observed.gateways() {
            compare(&gateway, &required.version, false, &mut facts);
        }
    }
    let version = &required.version;
    let istio = &versions().istio;
    let unsupported = istio.unsupported(version.line());
    // Legacy forms are of releases that nobody expects to be installed.
    if form == Form::Modern
        && let Some(why) = &unsupported
    {
        facts.note(format!("Istio {version} was asked for: {why}"));
    }
    facts.judged(Code::Version, "version", form, || match unsupported {
        None => format!("kubectl kyma-istio upgrade --istio-version {version}"),
        Some(_) => format!("`--version` names the version that is meant; a release of the plugin that supports {version} brings it"),
    })
}

/// `must_run`: a template alone is no proof. A gateway may be scaled to nothing; the patch job looked at templates only.
fn compare(component: &Component, required: &Version, must_run: bool, facts: &mut Facts) {
    let of = match component.revision.as_str() {
        "default" => component.to_string(),
        revision => format!("{component} (revision {revision})"),
    };
    if component.images.is_empty() {
        return facts.fails(format!(
            "{of}: can't be proved, its template says `auto` and it has no pods"
        ));
    }
    for (image, pods) in &component.images {
        let place = match pods {
            0 => "in its template".to_owned(),
            1 => "in 1 pod".to_owned(),
            n => format!("in {n} pods"),
        };
        let flavour = image
            .flavour()
            .map(|flavour| format!(", {flavour}"))
            .unwrap_or_default();
        match image.version() {
            Some(found) if found == *required && *pods == 0 && must_run => {
                facts.fails(format!(
                    "{of}: can't be proved, its template says {found}, but no pod runs it"
                ));
            }
            Some(found) if found == *required => {
                facts.holds(format!("{of}: {found}{flavour} {place} ({image})"))
            }
            Some(found) => {
                facts.fails(format!(
                    "{of}: {found}{flavour} {place}, expected {required} ({image})"
                ));
            }
            None => facts.fails(format!(
                "{of}: can't be proved, image `{image}` {place} has no version in its tag"
            )),
        }
    }
}
