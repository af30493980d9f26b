//! istiod's two ConfigMaps: what the injector puts into sidecars, and the mesh's configuration.

use serde_json::{Map, Value, json};

use super::{Work, id};
use crate::diff::{Consequence, Impact};
use crate::object::Object;
use crate::observed::{Form, ISTIO_SYSTEM, Observed};

/// As Kyma names it, for proxies that are configured by an address.
const ZIPKIN: &str = "zipkin.kyma-system:9411";
/// As `compose` names the provider.
const PROVIDER: &str = "kyma-zipkin";

/// The injector's values get a memory limit, unless they have one.
pub(super) fn limits(observed: &Observed, memory: &str, work: &mut Work) {
    const NAME: &str = "istio-sidecar-injector";
    let what = format!("ConfigMap {ISTIO_SYSTEM}/{NAME}: sidecars get no memory limit");
    let Some(live) = config_map(observed, NAME) else {
        return work.skip(what, "it is not there");
    };
    let Some(before) = live.string("/data/values").map(str::to_owned) else {
        return work.skip(
            what,
            "this Istio keeps no values there; its template must be edited by hand",
        );
    };
    let Ok(mut values) = serde_json::from_str::<Value>(&before) else {
        return work.skip(what, "its `values` are no JSON");
    };
    let Some(proxy) = below(&mut values, &["global", "proxy", "resources", "limits"]) else {
        return work.skip(what, "its `values` have another form");
    };
    if proxy.get("memory").is_some_and(|limit| !limit.is_null()) {
        return;
    }
    proxy.insert("memory".to_owned(), memory.into());
    let after = format!("{values:#}");
    work.change(
        "limits",
        &format!("limit the memory of sidecars to {memory}"),
        &live,
        json!({ "data": { "values": before } }),
        json!({ "data": { "values": after } }),
    );
}

/// Spans go to Zipkin in `kyma-system`.
pub(super) fn tracing(observed: &Observed, work: &mut Work) {
    const NAME: &str = "istio";
    let what = format!("ConfigMap {ISTIO_SYSTEM}/{NAME}: tracing stays as it is");
    let Some(live) = config_map(observed, NAME) else {
        return work.skip(what, "it is not there");
    };
    let Some(before) = live.string("/data/mesh").map(str::to_owned) else {
        return work.skip(what, "it has no key `mesh`");
    };
    let Ok(mesh) = serde_saphyr::from_str::<Value>(&before) else {
        return work.skip(what, "its key `mesh` is no YAML");
    };
    let mesh = if mesh.is_null() { json!({}) } else { mesh };
    let Some(wanted) = with_zipkin(mesh.clone(), observed.form()) else {
        return work.skip(what, "its key `mesh` has another form");
    };
    if wanted == mesh {
        return;
    }
    let Ok(after) = serde_saphyr::to_string(&wanted) else {
        return work.skip(what, "its key `mesh` can't be written");
    };
    let impact = match observed.form() {
        Form::Modern => Impact::Note,
        Form::Legacy => Impact::NeedsSync,
    };
    work.plan.consequences.push(Consequence {
        impact,
        what: "proxies send their spans to Zipkin in kyma-system".to_owned(),
        because: vec![live.id()],
    });
    work.change(
        "tracing",
        "send spans to Zipkin in kyma-system",
        &live,
        json!({ "data": { "mesh": before } }),
        json!({ "data": { "mesh": after } }),
    );
}

/// None: something else stands where an object or a list belongs.
fn with_zipkin(mut mesh: Value, form: Form) -> Option<Value> {
    mesh.as_object_mut()?
        .insert("enableTracing".to_owned(), true.into());
    let proxies = below(&mut mesh, &["defaultConfig"])?;
    if proxies.contains_key("zipkinAddress") {
        proxies.insert("zipkinAddress".to_owned(), ZIPKIN.into());
    } else if form == Form::Legacy || proxies.contains_key("tracing") {
        below(&mut mesh, &["defaultConfig", "tracing", "zipkin"])?
            .insert("address".to_owned(), ZIPKIN.into());
    }
    if form == Form::Legacy {
        return Some(mesh);
    }
    let provider = json!({
        "name": PROVIDER, "zipkin": { "service": "zipkin.kyma-system.svc.cluster.local", "port": 9411 },
    });
    let providers = mesh
        .as_object_mut()?
        .entry("extensionProviders")
        .or_insert_with(|| json!([]))
        .as_array_mut()?;
    match providers.iter_mut().find(|one| one["name"] == PROVIDER) {
        Some(known) => *known = provider,
        None => providers.push(provider),
    }
    below(&mut mesh, &["defaultProviders"])?.insert("tracing".to_owned(), json!([PROVIDER]));
    Some(mesh)
}

/// The object at a path; what is missing is made.
fn below<'v>(value: &'v mut Value, path: &[&str]) -> Option<&'v mut Map<String, Value>> {
    let mut object = value.as_object_mut()?;
    for key in path {
        let next = object.entry(*key).or_insert(Value::Null);
        if next.is_null() {
            *next = json!({});
        }
        object = next.as_object_mut()?;
    }
    Some(object)
}

/// A ConfigMap of the root namespace.
pub(super) fn config_map(observed: &Observed, name: &str) -> Option<Object> {
    let map = observed.config_maps.iter().find(|map| {
        map.metadata.name.as_deref() == Some(name)
            && map.metadata.namespace.as_deref() == Some(ISTIO_SYSTEM)
    })?;
    super::live::typed(&id("v1", "ConfigMap", name), map)
}
