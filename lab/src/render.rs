//! Listeners and bootstrap in Envoy's words, set as Istio sets them where a header policy can tell the difference.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{
    Action, Bootstrap, Error, Leaf, Listener, Position, Result,
    bootstrap::{UPSTREAM, upstream_cluster},
};

/// The whole bootstrap. `access_log` is the file for all listeners.
pub(crate) fn bootstrap(bootstrap: &Bootstrap, access_log: &Path) -> Result<Value> {
    let listeners = bootstrap
        .listeners
        .iter()
        .map(|one| listener(one, bootstrap, access_log))
        .collect::<Result<Vec<Value>>>()?;
    let mut clusters = bootstrap.clusters.clone();
    clusters.extend(bootstrap.upstream.map(upstream_cluster));
    Ok(json!({
        "node": { "id": bootstrap.node.id(), "cluster": bootstrap.node.cluster() },
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "layered_runtime": { "layers": [{ "name": "istio", "static_layer": {
            // From Istio's bootstrap: a fragment is cut off instead of refused.
            "envoy.reloadable_features.http_reject_path_with_fragment": false,
            "re2.max_program_size.error_level": 32768,
        } }] },
        "static_resources": { "listeners": listeners, "clusters": clusters },
    }))
}

fn listener(listener: &Listener, bootstrap: &Bootstrap, access_log: &Path) -> Result<Value> {
    let mut chain = json!({ "filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": connection_manager(listener, bootstrap, access_log)?,
    }] });
    if listener.position == Position::SidecarInbound && !listener.plaintext {
        let identity = bootstrap.identity.as_ref().ok_or_else(|| {
            Error::Unusable(format!(
                "listener `{}` requires mTLS: set the bootstrap's `identity`",
                listener.name
            ))
        })?;
        chain["transport_socket"] = mutual_tls(identity);
    }
    Ok(json!({
        "name": listener.name,
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "traffic_direction": match listener.position {
            Position::SidecarInbound => "INBOUND",
            Position::Gateway | Position::SidecarOutbound => "OUTBOUND",
        },
        // Lets a client claim any address: that is how tests come from peers all over the world.
        "listener_filters": [{
            "name": "envoy.filters.listener.proxy_protocol",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
                "allow_requests_without_proxy_protocol": true,
            },
        }],
        "filter_chains": [chain],
    }))
}

fn connection_manager(
    listener: &Listener,
    bootstrap: &Bootstrap,
    access_log: &Path,
) -> Result<Value> {
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": listener.name,
        "server_name": "istio-envoy",
        "stream_idle_timeout": "0s",
        "normalize_path": listener.normalize_path,
        "merge_slashes": listener.merge_slashes,
        "use_remote_address": listener.position == Position::Gateway,
        "upgrade_configs": [{ "upgrade_type": "websocket" }],
        "http_filters": http_filters(listener),
        "route_config": {
            "name": listener.name,
            "validate_clusters": false,
            "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route(listener, bootstrap)?] }],
        },
    });
    match &listener.xff_cidrs {
        None => manager["xff_num_trusted_hops"] = json!(listener.num_trusted_hops),
        Some(_) if listener.position == Position::Gateway => {
            return Err(Error::Unusable(format!(
                "listener `{}`: Envoy takes no `xff_cidrs` where it appends the peer itself (at gateways)",
                listener.name
            )));
        }
        Some(cidrs) => manager["original_ip_detection_extensions"] = cidr_detection(cidrs)?,
    }
    match listener.position {
        Position::Gateway => {
            manager["forward_client_cert_details"] = json!("SANITIZE_SET");
            manager["set_current_client_cert_details"] =
                json!({ "subject": true, "cert": true, "dns": true, "uri": true });
        }
        Position::SidecarInbound => {
            manager["forward_client_cert_details"] = json!("APPEND_FORWARD");
            manager["set_current_client_cert_details"] =
                json!({ "subject": true, "dns": true, "uri": true });
        }
        Position::SidecarOutbound => {}
    }
    if listener.access_log {
        manager["access_log"] = json!([access_logger(listener, access_log)]);
    }
    overlay(&mut manager, &listener.connection_manager);
    Ok(manager)
}

fn http_filters(listener: &Listener) -> Vec<Value> {
    let mut filters = listener.extra_filters_before.clone();
    filters.extend(listener.wasm.as_ref().map(crate::Wasm::http_filter));
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    }));
    filters
}

fn route(listener: &Listener, bootstrap: &Bootstrap) -> Result<Value> {
    let matches = json!({ "prefix": "/" });
    match listener.action {
        Action::Answer(status) => {
            Ok(json!({ "match": matches, "direct_response": { "status": status } }))
        }
        Action::Forward if bootstrap.upstream.is_some() => Ok(json!({
            "match": matches, "route": { "cluster": UPSTREAM, "timeout": "0s" },
        })),
        Action::Forward => Err(Error::Unusable(format!(
            "listener `{}` forwards: set the bootstrap's `upstream`",
            listener.name
        ))),
    }
}

fn cidr_detection(cidrs: &[String]) -> Result<Value> {
    let ranges = cidrs
        .iter()
        .map(|cidr| {
            let (prefix, length) = cidr.split_once('/')?;
            let length: u32 = length.parse().ok()?;
            Some(json!({ "address_prefix": prefix, "prefix_len": length }))
        })
        .collect::<Option<Vec<Value>>>()
        .ok_or_else(|| Error::Unusable(format!("expected CIDRs with a length, found {cidrs:?}")))?;
    Ok(json!([{
        "name": "envoy.http.original_ip_detection.xff",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.original_ip_detection.xff.v3.XffConfig",
            "xff_trusted_cidrs": { "cidrs": ranges },
        },
    }]))
}

fn mutual_tls(identity: &Leaf) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": true,
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": { "filename": identity.certificate },
                    "private_key": { "filename": identity.key },
                }],
                "validation_context": {
                    "trusted_ca": { "filename": identity.ca },
                    // Any identity of the trust domain, as in a STRICT mesh.
                    "match_typed_subject_alt_names": [{
                        "san_type": "URI", "matcher": { "prefix": "spiffe://" },
                    }],
                },
            },
        },
    })
}

fn access_logger(listener: &Listener, file: &Path) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file,
            "log_format": { "json_format": {
                "listener": listener.name,
                "id": "%REQ(X-LAB-ID)%",
                "code": "%RESPONSE_CODE%",
                "details": "%RESPONSE_CODE_DETAILS%",
                "flags": "%RESPONSE_FLAGS%",
                "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
            } },
        },
    })
}

/// Lays one JSON object over another, member by member.
pub(crate) fn overlay(base: &mut Value, over: &Value) {
    match (base, over) {
        (_, Value::Null) => {}
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                overlay(base.entry(name).or_insert_with(|| Map::new().into()), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}
