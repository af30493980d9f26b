//! Versions: of what runs against what is wanted, of the CRDs that are there against those that would come.

use serde_json::Value;

use super::super::{Answers, Gate, Wanted, marks};
use super::{custom_resource, gate};
use crate::codes::Code;
use crate::observed::{Component, Observed, Version};
use crate::versions::{Minor, versions};

/// No downgrade, no other major version, a supported minor version, one minor version at a time. What runs counts before
/// what was recorded.
pub(super) fn step(
    observed: &Observed,
    wanted: &str,
    planes: &[Component],
    answers: Answers,
) -> Option<Gate> {
    let Some(target) = Version::parse(wanted) else {
        let example = versions().istio.default;
        return Some(gate(
            Code::UnknownVersion,
            format!("`{wanted}` is no Istio version, expected one like {example}"),
            &format!("begin the tag with the version: `{example}-{wanted}`"),
        ));
    };
    let current = runs(planes).or(recorded(observed));
    let Some(current) = current else {
        if planes.is_empty() || answers.take_ownership {
            return not_supported(None, &target, answers);
        }
        let what = "Istio is installed, but neither an image tag nor the custom resource says which version";
        return Some(gate(
            Code::UnknownVersion,
            what.to_owned(),
            "set images by tag, or go on with `--take-ownership`",
        ));
    };
    let back = no_way(&current, &target);
    if back.is_some() {
        return back;
    }
    // Before the jump: the way to a version that is not installed anyhow helps nobody.
    let unsupported = not_supported(Some(&current), &target, answers);
    if unsupported.is_some() {
        return unsupported;
    }
    let steps = u64::from(target.minor).saturating_sub(u64::from(current.minor));
    if steps > 1 {
        let next = next_step(&current);
        return Some(refuse(
            &current,
            &target,
            Code::MinorJump,
            &format!("{steps} minor versions at once, expected one at most"),
            &next,
        ));
    }
    None
}

/// A version that nothing leads to from the one that runs, whichever plugin installs it.
fn no_way(current: &Version, target: &Version) -> Option<Gate> {
    if target.major != current.major {
        let (what, hint) = ("another major version", "stay inside the major version");
        return Some(refuse(current, target, Code::MajorJump, what, hint));
    }
    (target < current).then(|| {
        let hint = "use the version that runs, or a newer one";
        refuse(current, target, Code::Downgrade, "a downgrade", hint)
    })
}

fn refuse(current: &Version, target: &Version, code: Code, what: &str, hint: &str) -> Gate {
    let what = format!("Istio {current} runs, {target} is wanted: {what}");
    gate(code, what, hint)
}

/// The gate of a version that is not installed: older than what runs, of another major version, or only rendered. None where it is
/// supported. It can be told before anything is rendered: an istioctl of that version may not be at hand.
#[must_use]
pub fn unsupported(observed: &Observed, wanted: &str) -> Option<Gate> {
    let target = Version::parse(wanted)?;
    let current = runs(&observed.control_planes()).or(recorded(observed));
    current
        .as_ref()
        .and_then(|current| no_way(current, &target))
        .or_else(|| not_supported(current.as_ref(), &target, Answers::default()))
}

fn runs(planes: &[Component]) -> Option<Version> {
    let versions = planes.iter().flat_map(Component::versions);
    versions.filter_map(Result::ok).max()
}

fn recorded(observed: &Observed) -> Option<Version> {
    custom_resource(observed).and_then(marks::recorded_version)
}

fn not_supported(current: Option<&Version>, target: &Version, answers: Answers) -> Option<Gate> {
    let istio = &versions().istio;
    let minor = target.line();
    let why = istio.unsupported(minor).filter(|_| !answers.only_shows)?;
    // The supported version that is nearest, unless it is older than what runs or too far from it.
    let nearest = match istio.supported.first() {
        Some(first) if minor < *first => first,
        _ => istio.supported.last()?,
    };
    let release = istio.release_of(*nearest);
    let reaches = current.is_none_or(|current| {
        Version::parse(&release).is_some_and(|release| {
            release >= *current && release.minor.saturating_sub(current.minor) <= 1
        })
    });
    let way = match reaches {
        true => format!("use `--istio-version {release}`, or"),
        false => "use".to_owned(),
    };
    Some(gate(
        Code::UnsupportedVersion,
        format!("Istio {target} is wanted: {why}"),
        &format!(
            "{way} a release of the plugin that supports {minor}; `render`, `diff`, `verify` and `check` know it"
        ),
    ))
}

/// One minor version up, by this plugin if it installs that one.
fn next_step(current: &Version) -> String {
    let istio = &versions().istio;
    let next = Minor {
        major: current.major,
        minor: current.minor + 1,
    };
    match istio.supports(next) {
        true => format!(
            "`upgrade --istio-version {}` first, then `sync`, then go on",
            istio.release_of(next)
        ),
        false => format!(
            "go to {next} first, with a release of this plugin that supports it, then `sync`, then go on"
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
