//! Configuration that proxies take when they are injected or started: until then they keep the old one.

use super::{Told, counted};
use crate::diff::noise::is_below;
use crate::diff::{Change, Impact};
use crate::object::Id;
use crate::observed::{ISTIO_SYSTEM, Observed, ProxyKind, is_under_way, proxy};

/// Fields of the mesh config that a proxy takes from its injection or its start; the others are hot.
const AT_START: [&str; 3] = [
    "data.mesh.defaultConfig",
    "data.mesh.trustDomain",
    "data.mesh.enablePrometheusMerge",
];
/// What only gateways take.
const GATEWAYS_ONLY: &str = "data.mesh.defaultConfig.gatewayTopology";
/// Fields of the injector's values that reach a sidecar.
const INJECTED: [&str; 21] = [
    "data.config",
    "data.values.global.caAddress",
    "data.values.global.certSigners",
    "data.values.global.hub",
    "data.values.global.tag",
    "data.values.global.variant",
    "data.values.global.proxy",
    "data.values.global.proxy_init",
    "data.values.global.imagePullPolicy",
    "data.values.global.imagePullSecrets",
    "data.values.global.logAsJson",
    "data.values.global.logging",
    "data.values.global.meshID",
    "data.values.global.mountMtlsCerts",
    "data.values.global.multiCluster",
    "data.values.global.nativeNftables",
    "data.values.global.network",
    "data.values.global.pilotCertProvider",
    "data.values.global.sts",
    "data.values.pilot.cni",
    "data.values.sidecarInjectorWebhook",
];

pub(super) fn config(id: &Id, fields: &[Change], observed: &Observed) -> Vec<Told> {
    if id.namespace.as_deref() != Some(ISTIO_SYSTEM) {
        return Vec::new();
    }
    let is_any = |path: &str, of: &[&str]| of.iter().any(|above| is_below(path, above));
    let mut told = Vec::new();
    let for_gateways = |change: &&Change| change.path.starts_with(GATEWAYS_ONLY);
    let for_sidecars =
        |change: &&Change| is_any(&change.path, &AT_START) || is_any(&change.path, &INJECTED);
    if fields
        .iter()
        .filter(|change| !for_gateways(change))
        .any(|change| for_sidecars(&change))
    {
        let sidecars = proxies(observed, ProxyKind::Sidecar);
        if sidecars > 0 {
            let verb = if sidecars == 1 { "needs" } else { "need" };
            told.push((
                Impact::NeedsSync,
                format!("{} {verb} sync", counted(sidecars, "sidecar")),
            ));
        }
    }
    if fields
        .iter()
        .any(|change| change.path.starts_with("data.mesh.defaultConfig") || for_gateways(&change))
    {
        let gateways = proxies(observed, ProxyKind::Gateway);
        if gateways > 0 {
            let what = format!(
                "gateways take it when they restart ({})",
                counted(gateways, "pod")
            );
            told.push((Impact::NeedsSync, what));
        }
    }
    told
}

fn proxies(observed: &Observed, kind: ProxyKind) -> usize {
    let pods = observed.pods.iter().filter(|pod| is_under_way(pod));
    pods.filter_map(proxy)
        .filter(|proxy| proxy.kind == kind)
        .count()
}
