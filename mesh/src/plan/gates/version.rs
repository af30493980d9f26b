//! Versions: of what runs against what is wanted, of the CRDs that are there against those that would come.

use serde_json::Value;

use super::super::{Answers, Gate, Wanted, marks};
use super::{custom_resource, gate};
use crate::codes::Code;
use crate::observed::{Component, Observed, Version};
use crate::versions::{Minor, versions};

/// No downgrade, no other major version, one minor version at a time. What runs counts before what was recorded.
pub(super) fn step(
    observed: &Observed,
    wanted: &str,
    planes: &[Component],
    answers: Answers,
) -> Option<Gate> {
    let runs = planes
        .iter()
        .flat_map(Component::versions)
        .filter_map(Result::ok)
        .max();
    let recorded = custom_resource(observed).and_then(marks::recorded_version);
    let target = Version::parse(wanted);
    let (current, target) = match (runs.or(recorded), target) {
        (Some(current), Some(target)) => (current, target),
        (None, Some(_)) if planes.is_empty() || answers.take_ownership => return None,
        (current, _) => {
            let what = match current {
                Some(_) => format!("`{wanted}` is no Istio version, expected one like 1.30.2"),
                None => "Istio is installed, but neither an image tag nor the custom resource says which version".to_owned(),
            };
            return Some(gate(
                Code::UnknownVersion,
                what,
                "set images by tag, or go on with `--take-ownership`",
            ));
        }
    };
    let steps = u64::from(target.minor).saturating_sub(u64::from(current.minor));
    let refuse = |code, what: &str, hint: &str| {
        Some(gate(
            code,
            format!("Istio {current} runs, {target} is wanted: {what}"),
            hint,
        ))
    };
    if target.major != current.major {
        return refuse(
            Code::MajorJump,
            "another major version",
            "stay inside the major version",
        );
    }
    if target < current {
        return refuse(
            Code::Downgrade,
            "a downgrade",
            "use the version that runs, or a newer one",
        );
    }
    if steps > 1 {
        let next = next_step(&current);
        return refuse(
            Code::MinorJump,
            &format!("{steps} minor versions at once, expected one at most"),
            &next,
        );
    }
    None
}

/// One minor version up, by this plugin if it knows that one.
fn next_step(current: &Version) -> String {
    let istio = &versions().istio;
    let next = Minor {
        major: current.major,
        minor: current.minor + 1,
    };
    let Minor { major, minor } = next;
    match istio.supported.contains(&next) {
        true if istio.default.minor() == next => format!(
            "`upgrade --istio-version {}` first, then `sync`, then go on",
            istio.default
        ),
        true => format!(
            "`upgrade --istio-version {major}.{minor}.PATCH` first, then `sync`, then go on"
        ),
        false => format!(
            "go to {major}.{minor} first, with a release of this plugin that knows it, then `sync`, then go on"
        ),
    }
}

/// A CRD whose stored versions the wanted one no longer has can't be applied; one that a newer Istio installed shouldn't.
pub(super) fn stored(observed: &Observed, wanted: &Wanted) -> Vec<Gate> {
    let target = Version::parse(&wanted.version);
    let mut gates = Vec::new();
    for new in wanted
        .rendered
        .iter()
        .filter(|object| object.kind() == "CustomResourceDefinition")
    {
        let Some(live) = observed
            .crds
            .iter()
            .find(|live| live.metadata.name.as_deref() == Some(new.name()))
        else {
            continue;
        };
        let versions = new.pointer("/spec/versions").and_then(Value::as_array);
        let names: Vec<&str> = versions
            .into_iter()
            .flatten()
            .filter_map(|version| version.get("name")?.as_str())
            .collect();
        let stored = live
            .status
            .iter()
            .flat_map(|status| status.stored_versions.iter().flatten());
        let lost: Vec<&str> = stored
            .map(String::as_str)
            .filter(|version| !names.contains(version))
            .collect();
        let label = live
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(marks::VERSION_LABEL));
        let by = label.and_then(|label| Version::parse(label));
        let what = match (lost.as_slice(), by, &target) {
            ([], Some(by), Some(target)) if by > *target => format!(
                "`{}` was installed by Istio {by}, wanted is {target}",
                new.id()
            ),
            ([], _, _) => continue,
            (lost, _, _) => format!(
                "`{}` stores version {}, which the wanted one doesn't have",
                new.id(),
                lost.join(", ")
            ),
        };
        gates.push(gate(
            Code::NewerCrds,
            what,
            "use the Istio version that installed the CRDs, or a newer one",
        ));
    }
    gates
}
