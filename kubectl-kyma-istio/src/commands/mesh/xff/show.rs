//! `xff show`: the same number in four places, or not.

use cluster::connect::Connection;
use cluster::observe::observe;
use cluster::proxy::{self, Pod};
use mesh::filter::{Plugin, Select, selected};
use mesh::observed::{ISTIO_SYSTEM, Observed, ProxyKind};
use serde_json::Value;

use super::super::runtime;
use crate::cli::Show;
use crate::error::Error;
use crate::report::{MeshBody, Report, TrustedProxies, XffGateway, XffPolicy, XffResource};

pub fn run(arguments: &Show) -> Result<Report, Error> {
    let shown = runtime::block_on(async {
        let connection = runtime::reader(&arguments.connection).await?;
        show(&connection).await
    })?;
    Ok(Report::new(
        arguments.output.form,
        MeshBody::TrustedProxies(shown),
    ))
}

async fn show(connection: &Connection) -> Result<TrustedProxies, Error> {
    let observed = observe(connection).await?;
    let mut gateways = Vec::new();
    let proxies = selected(&observed.pods, ISTIO_SYSTEM, &Select::Labels([].into()));
    for gateway in proxies
        .into_iter()
        .filter(|proxy| proxy.kind == ProxyKind::Gateway)
    {
        let pod = Pod {
            namespace: gateway.namespace.clone(),
            name: gateway.name.clone(),
        };
        let asked = proxy::trusted_hops(connection, &pod).await;
        let (listeners, why) = match asked {
            Ok(listeners) => (listeners, None),
            Err(error) => (Default::default(), Some(error.to_string())),
        };
        gateways.push(XffGateway {
            pod: gateway.to_string(),
            listeners,
            unknown: why,
        });
    }
    Ok(TrustedProxies {
        resources: resources(&observed),
        mesh: mesh(&observed),
        gateways,
        policies: policies(&observed),
    })
}

fn resources(observed: &Observed) -> Vec<XffResource> {
    let all = observed.istio_crs.iter().map(|resource| XffResource {
        id: resource.id(),
        hops: resource
            .pointer("/spec/config/numTrustedProxies")
            .and_then(Value::as_u64),
    });
    all.collect()
}

fn mesh(observed: &Observed) -> Option<u64> {
    let config = observed.mesh_config()?;
    let pointer = "/defaultConfig/gatewayTopology/numTrustedProxies";
    Some(config.pointer(pointer).and_then(Value::as_u64).unwrap_or(0))
}

fn policies(observed: &Observed) -> Vec<XffPolicy> {
    let ours = observed
        .wasm_plugins
        .iter()
        .map(Plugin::of)
        .filter(Plugin::is_ours);
    ours.map(|plugin| {
        let trust = plugin
            .config()
            .and_then(|config| config.pointer("/spec/forwarded/trust"))
            .cloned();
        XffPolicy {
            policy: plugin.to_string(),
            trust: trust.unwrap_or_default(),
        }
    })
    .collect()
}
