//! What `xff` answers.

use std::collections::{BTreeMap, BTreeSet};

use corpus::Observed;
use mesh::diff::Consequence;
use mesh::object::Id;
use serde::Serialize;
use serde_json::Value;

use super::super::chain::{ChainElement, chain};
use super::super::simulation::by_count;
use super::diff::consequences;
use super::{Diff, ObjectDiff};
use crate::error::exit;
use crate::printer::{Style, Text};

/// The number of trusted proxies, wherever it is said.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedProxies {
    pub resources: Vec<XffResource>,
    /// None: the mesh's configuration can't be read.
    pub mesh: Option<u64>,
    pub gateways: Vec<XffGateway>,
    pub policies: Vec<XffPolicy>,
}

/// An Istio custom resource.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct XffResource {
    pub id: Id,
    pub hops: Option<u64>,
}

/// A gateway's pod, as it runs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct XffGateway {
    pub pod: String,
    pub listeners: BTreeMap<String, u64>,
    /// Why it couldn't be asked.
    pub unknown: Option<String>,
}

/// A policy's `trust`.
#[derive(Debug, Serialize)]
pub struct XffPolicy {
    pub policy: String,
    pub trust: Value,
}

impl TrustedProxies {
    /// Every number that is said somewhere.
    fn numbers(&self) -> BTreeSet<u64> {
        let resources = self
            .resources
            .iter()
            .map(|resource| resource.hops.unwrap_or(0));
        let gateways = self
            .gateways
            .iter()
            .flat_map(|gateway| gateway.listeners.values().copied());
        let policies = self
            .policies
            .iter()
            .filter_map(|policy| policy.trust.get("hops")?.as_u64());
        resources
            .chain(self.mesh)
            .chain(gateways)
            .chain(policies)
            .collect()
    }

    pub fn exit_code(&self) -> u8 {
        match self.numbers().len() {
            0 | 1
                if self
                    .gateways
                    .iter()
                    .any(|gateway| gateway.unknown.is_some()) =>
            {
                exit::UNREACHABLE
            }
            0 | 1 => exit::DONE,
            _ => exit::NEGATIVE,
        }
    }

    pub fn human(&self, text: &mut Text) {
        for resource in &self.resources {
            let hops = resource.hops.map_or_else(
                || "says nothing, which is 0".to_owned(),
                |hops| hops.to_string(),
            );
            text.line(format_args!("custom resource  {}: {hops}", resource.id));
        }
        match self.mesh {
            Some(hops) => text.line(format_args!("mesh             numTrustedProxies {hops}")),
            None => text.line(format_args!(
                "mesh             its configuration can't be read"
            )),
        }
        for gateway in &self.gateways {
            match &gateway.unknown {
                Some(why) => text.line(format_args!(
                    "gateway          {}: can't be asked: {why}",
                    gateway.pod
                )),
                None if gateway.listeners.is_empty() => {
                    text.line(format_args!(
                        "gateway          {}: no HTTP listener",
                        gateway.pod
                    ));
                }
                None => {}
            }
            for (listener, hops) in &gateway.listeners {
                text.line(format_args!(
                    "gateway          {} {listener}: runs with {hops}",
                    gateway.pod
                ));
            }
        }
        for policy in &self.policies {
            text.line(format_args!(
                "policy           {}: trusts {}",
                policy.policy, policy.trust
            ));
        }
        let verdict = match self.numbers().len() {
            0 | 1 => text.styled(Style::Good, "all say the same"),
            _ => text.styled(
                Style::Bad,
                "they differ: who the client is depends on whom you ask",
            ),
        };
        text.line(format_args!("{verdict}"));
    }
}

/// A number that was set, or would be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HopsSet {
    pub resource: Id,
    pub hops: u32,
    pub dry_run: bool,
    pub changes: Vec<ObjectDiff>,
    pub consequences: Vec<Consequence>,
    pub written: bool,
    /// Kyma's operator brings it to the mesh.
    pub is_managed: bool,
}

impl HopsSet {
    pub fn plan(&self, text: &mut Text) {
        let diff = Diff {
            context: String::new(),
            objects: self.changes.iter().map(ObjectDiff::copy).collect(),
            consequences: Vec::new(),
            skips: Vec::new(),
            warnings: Vec::new(),
            external: None,
        };
        diff.human(text);
        consequences(&self.consequences, text);
    }

    pub fn human(&self, text: &mut Text) {
        match (self.changes.is_empty(), self.dry_run) {
            (true, _) => {
                return text.line(format_args!(
                    "nothing to do: {} says {} already",
                    self.resource, self.hops
                ));
            }
            (false, true) => {
                self.plan(text);
                return text.line(format_args!("dry run: nothing was written"));
            }
            (false, false) => {}
        }
        text.line(format_args!(
            "set: {} says {} now",
            self.resource, self.hops
        ));
        match self.is_managed {
            true => text.line(format_args!("Kyma's operator brings it to the mesh and restarts the gateway; `xff show` tells when")),
            false => text.line(format_args!("next: kubectl kyma-istio install    # brings it to the mesh and restarts the gateway")),
        }
    }
}

/// One chain, read twice.
#[derive(Debug, Serialize)]
pub struct ExplainedChain {
    /// `numTrustedProxies`.
    pub trusted: u32,
    pub envoy: ChainReading,
    pub policy: Option<ChainReading>,
}

/// A chain, as somebody reads it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainReading {
    pub client: Option<String>,
    /// Why a request is refused, if it is.
    pub refused: Option<String>,
    pub chain: Vec<ChainElement>,
}

impl ChainReading {
    pub fn new(policy: &Value, observed: &Observed) -> Self {
        Self {
            client: observed.said("client").map(str::to_owned),
            refused: observed.reason_or_shadow().map(str::to_owned),
            chain: chain(Some("Gateway"), by_count(policy), observed).elements,
        }
    }

    fn human(&self, who: &str, text: &mut Text) {
        let client = self.client.as_deref().unwrap_or("unknown");
        let refused = self
            .refused
            .as_ref()
            .map(|reason| format!(", refused: {reason}"))
            .unwrap_or_default();
        let who = text.styled(Style::Strong, who);
        text.line(format_args!("{who}: the client is {client}{refused}"));
        for element in &self.chain {
            let style = if element.is_client() {
                Style::Good
            } else {
                Style::Faint
            };
            let shown = text.styled(style, &format!("{:<40}", element.element));
            text.line(format_args!("  {shown} {}", element.words()));
        }
    }
}

impl ExplainedChain {
    pub fn exit_code(&self) -> u8 {
        match &self.policy {
            Some(policy) if policy.client != self.envoy.client => exit::NEGATIVE,
            _ => exit::DONE,
        }
    }

    pub fn human(&self, text: &mut Text) {
        self.envoy
            .human(&format!("Envoy, numTrustedProxies {}", self.trusted), text);
        if let Some(policy) = &self.policy {
            policy.human("the policy", text);
            if policy.client != self.envoy.client {
                let bad = text.styled(Style::Bad, "they mean different clients");
                text.line(format_args!("{bad}"));
            }
        }
    }
}
