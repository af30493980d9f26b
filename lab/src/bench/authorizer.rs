//! A second Envoy: it answers what ext_authz asks, and says which peer an Envoy of this machine sees.

use std::net::{IpAddr, SocketAddr};

use serde_json::json;

use crate::{Action, Bootstrap, Client, Envoy, Listener, Node, RawRequest, Result, http1::broken};

/// Says yes to everything, with a header for the upstream. It is a process of its own, so that its time is not counted.
pub(super) struct Authorizer {
    envoy: Envoy,
    peer: IpAddr,
}

impl Authorizer {
    pub(super) fn start(version: Option<String>) -> Result<Self> {
        let envoy = Envoy::start(&Bootstrap {
            listeners: vec![
                answering(YES, "x-user", "user-00000"),
                answering(MIRROR, CHAIN, "%REQ(X-FORWARDED-FOR)%"),
            ],
            version,
            log_level: "error".into(),
            ..Bootstrap::new(Node::Router)
        })?;
        let peer = appended_peer(&envoy)?;
        Ok(Self { envoy, peer })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        self.envoy.listener(YES)
    }

    /// What Envoy appends to `x-forwarded-for` for a peer on loopback: an address of the machine.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// What this Envoy says of itself, such as `1.40.0`.
    pub(super) fn version(&self) -> Result<String> {
        let said = self.envoy.admin("/server_info")?;
        let json: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        // commit/version/status/build/TLS library
        let version = json["version"]
            .as_str()
            .and_then(|all| all.split('/').nth(1));
        Ok(version.unwrap_or("unknown").to_owned())
    }
}

fn appended_peer(envoy: &Envoy) -> Result<IpAddr> {
    let answer = Client::new().send(envoy.listener(MIRROR)?, &RawRequest::get("/"))?;
    let chain = answer.header(CHAIN).unwrap_or_default();
    let last = String::from_utf8_lossy(chain)
        .rsplit(',')
        .next()
        .and_then(|last| last.trim().parse().ok());
    last.ok_or_else(|| broken("a peer in x-forwarded-for", chain))
}

fn answering(name: &str, header: &str, value: &str) -> Listener {
    let added = json!({ "header": { "key": header, "value": value } });
    Listener {
        action: Action::Answer(200),
        access_log: false,
        connection_manager: json!({ "route_config": { "response_headers_to_add": [added] } }),
        ..Listener::gateway(name)
    }
}

const YES: &str = "yes";
const MIRROR: &str = "mirror";
const CHAIN: &str = "x-seen-chain";
