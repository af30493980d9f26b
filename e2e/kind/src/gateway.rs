//! An ingress gateway of a scenario's own, reached by its NodePort.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use ureq::Agent;

use crate::cluster::{kubectl, until};
use crate::facts::facts;
use crate::http::{self, Answer};
use crate::space::Space;

/// One Envoy as Istio sets up gateways, in front of one app.
#[derive(Debug)]
pub struct Gateway<'s> {
    space: &'s Space,
    name: String,
    address: SocketAddr,
    once: Agent,
    keeping: Agent,
}

impl Space {
    /// A gateway with Istio's `numTrustedProxies`, routing everything to the Service `backend`. Both may still be starting;
    /// [`Gateway::serves`] waits for them.
    #[track_caller]
    #[must_use]
    pub fn gateway(&self, name: &str, trusted_proxies: u8, backend: &str) -> Gateway<'_> {
        self.apply(&objects(self.name(), name, trusted_proxies, backend));
        let service = kubectl(["get", "service", name, "--output=json"])
            .within(self.name())
            .json();
        let port = service["spec"]["ports"][0]["nodePort"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .expect("a NodePort");
        Gateway {
            space: self,
            name: name.to_owned(),
            address: SocketAddr::new(facts().node_address, port),
            once: http::agent(0),
            keeping: http::agent(1),
        }
    }
}

fn objects(namespace: &str, name: &str, trusted_proxies: u8, backend: &str) -> Value {
    // A Gateway takes the pods of all namespaces that have its labels: they must be nobody else's.
    let own = format!("{namespace}-{name}");
    let labels = json!({ "app": name, "istio": own, "sidecar.istio.io/inject": "true" });
    let config = json!({ "gatewayTopology": { "numTrustedProxies": trusted_proxies } });
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } },
        { "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": {
            "type": "NodePort", "selector": { "app": name }, "ports": [{ "name": "http", "port": 8080 }],
            // So that the gateway sees the client's address and not the node's.
            "externalTrafficPolicy": "Local",
        } },
        { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name }, "spec": {
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": labels, "annotations": {
                    "inject.istio.io/templates": "gateway", "proxy.istio.io/config": config.to_string(),
                } },
                "spec": {
                    "serviceAccountName": name,
                    "terminationGracePeriodSeconds": 0,
                    // Without the policy, `auto` counts as `latest` and the image, once injected, is pulled every time. One such
                    // pull that fails makes kubelet doubt the preloaded image for every other pod, too.
                    "containers": [{ "name": "istio-proxy", "image": "auto", "imagePullPolicy": "IfNotPresent" }],
                },
            },
        } },
        { "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": { "name": name }, "spec": {
            "selector": { "istio": own },
            "servers": [{ "port": { "number": 8080, "name": "http", "protocol": "HTTP" }, "hosts": ["./*"] }],
        } },
        { "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": { "name": name }, "spec": {
            "hosts": ["*"], "gateways": [name],
            "http": [{ "route": [{ "destination": { "host": backend, "port": { "number": 80 } } }] }],
        } },
    ] })
}

impl Gateway<'_> {
    /// Its name, which is the value of its pods' label `app` and its service account.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits for the gateway, the app behind it and the route between them.
    #[track_caller]
    pub fn serves(&self) {
        self.space.ready(&[&self.name]);
        until("an answer of the app through the gateway", || {
            match self.tried("/", &[]) {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(format!("{answer:?}")),
                Err(error) => Err(error),
            }
        });
    }

    /// GET from outside the cluster.
    ///
    /// # Panics
    /// No answer.
    #[track_caller]
    #[must_use]
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.tried(path, headers)
            .unwrap_or_else(|error| panic!("GET {path} at gateway {}: {error}", self.name))
    }

    /// GET from outside the cluster, on a connection of its own: one that was open before a filter came is served without it,
    /// until Envoy has drained it.
    ///
    /// # Errors
    /// No answer: no connection, or one that was closed.
    pub fn tried(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        http::get(&self.once, self.address, path, headers).map_err(|error| error.to_string())
    }

    /// GET on the connection of the one before, where that is open.
    ///
    /// # Errors
    /// No answer: no connection, or one that was closed.
    pub fn tried_again(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        http::get(&self.keeping, self.address, path, headers).map_err(|error| error.to_string())
    }

    /// The address that the gateway sees us come from.
    #[must_use]
    pub fn our_address(&self) -> IpAddr {
        http::our_address(self.address)
    }

    /// The SPIFFE identity that it shows to sidecars.
    #[must_use]
    pub fn identity(&self) -> String {
        let namespace = self.space.name();
        format!("spiffe://cluster.local/ns/{namespace}/sa/{}", self.name)
    }
}
