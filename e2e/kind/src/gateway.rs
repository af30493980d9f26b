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
        // A Gateway takes the pods of all namespaces that have its labels: they must be nobody else's.
        let own = format!("{}-{name}", self.name());
        self.apply(&objects(name, trusted_proxies, &own));
        self.apply(&route(name, &own, 8080, backend));
        let service = kubectl(["get", "service", name, "--output=json"])
            .within(self.name())
            .json();
        Gateway::at(self, name, &service["spec"]["ports"][0]["nodePort"])
    }
}

/// Istio's own, which everybody shares.
const INGRESS: &str = "istio-ingressgateway";

impl Space {
    /// The ingress gateway of the installation, routing everything to the Service `backend` of this namespace.
    ///
    /// # Panics
    /// It isn't installed, or has no NodePort.
    #[track_caller]
    #[must_use]
    pub fn ingress(&self, backend: &str) -> Gateway<'_> {
        self.apply(&route(backend, "ingressgateway", 80, backend));
        let service = kubectl(["get", "service", INGRESS, "--output=json"])
            .within("istio-system")
            .json();
        let ports = service["spec"]["ports"].as_array().expect("its ports");
        let http = ports
            .iter()
            .find(|port| port["port"] == 80)
            .expect("port 80");
        Gateway::at(self, INGRESS, &http["nodePort"])
    }
}

fn objects(name: &str, trusted_proxies: u8, own: &str) -> Value {
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
                    // Without the policy, `auto` counts as `latest`, and the image, once injected, is pulled every time.
                    "containers": [{ "name": "istio-proxy", "image": "auto", "imagePullPolicy": "IfNotPresent" }],
                },
            },
        } },
    ] })
}

/// Everything that comes to this port of the gateways with this label `istio` goes to a Service.
fn route(name: &str, gateways: &str, port: u16, backend: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": { "name": name }, "spec": {
            "selector": { "istio": gateways },
            "servers": [{ "port": { "number": port, "name": "http", "protocol": "HTTP" }, "hosts": ["./*"] }],
        } },
        { "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": { "name": name }, "spec": {
            "hosts": ["*"], "gateways": [name],
            "http": [{ "route": [{ "destination": { "host": backend, "port": { "number": 80 } } }] }],
        } },
    ] })
}

impl<'s> Gateway<'s> {
    fn at(space: &'s Space, name: &str, port: &Value) -> Self {
        let port = port
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .expect("a NodePort");
        Self {
            space,
            name: name.to_owned(),
            address: SocketAddr::new(facts().node_address, port),
            once: http::agent(0),
            keeping: http::agent(1),
        }
    }

    /// Its name, which is the value of its pods' label `app` and its service account.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits for the gateway, the app behind it and the route between them.
    #[track_caller]
    pub fn serves(&self) {
        self.space.ready(&[&self.name]);
        self.answers();
    }

    /// Waits for the app behind it and the route.
    #[track_caller]
    pub fn answers(&self) {
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
