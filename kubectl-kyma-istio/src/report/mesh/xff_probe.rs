//! What `xff probe` answers: for each request, whom each layer took for the client.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::error::exit;
use crate::printer::{Style, Text};

/// Requests that were sent, and what was seen of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probed {
    pub url: String,
    /// Where the URL comes from, if nobody gave it.
    pub found: Option<String>,
    /// The address that we send from; what lies in between may change it.
    pub from: Option<IpAddr>,
    pub requests: Vec<ProbedRequest>,
    /// What policies counted meanwhile, of all requests that came.
    pub counted: BTreeMap<String, BTreeMap<String, u64>>,
    /// What couldn't be seen, and why.
    pub not_seen: Vec<String>,
}

/// One request.
#[derive(Debug, Serialize)]
pub struct ProbedRequest {
    /// x-forwarded-for as it was sent.
    pub sent: Option<String>,
    pub status: u16,
    /// Whom Envoy took for the client.
    pub envoy: Option<Sight>,
    /// Whom the policy took for the client.
    pub policy: Option<Sight>,
    /// Why the policy refused it, where its replies say so.
    pub refused: Option<String>,
    /// x-forwarded-for as the backend got it.
    pub backend: Option<Sight>,
}

/// What a layer saw, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sight {
    pub value: String,
    pub by: String,
}

impl ProbedRequest {
    /// True when two layers that say so mean different clients.
    fn differs(&self) -> bool {
        match (&self.envoy, &self.policy) {
            (Some(envoy), Some(policy)) => envoy.value != policy.value,
            _ => false,
        }
    }
}

impl Probed {
    pub fn exit_code(&self) -> u8 {
        match self.requests.iter().any(ProbedRequest::differs) {
            true => exit::NEGATIVE,
            false => exit::DONE,
        }
    }

    pub fn human(&self, text: &mut Text) {
        let found = self.found.as_ref().map(|found| format!(" ({found})"));
        text.line(format_args!("{}{}", self.url, found.unwrap_or_default()));
        if let Some(from) = self.from {
            text.line(format_args!("sent from {from}"));
        }
        for request in &self.requests {
            request.human(text);
        }
        for (policy, counts) in &self.counted {
            let counts: Vec<String> = counts
                .iter()
                .map(|(what, count)| format!("{what} {count}"))
                .collect();
            let counts = match counts.is_empty() {
                true => "nothing".to_owned(),
                false => counts.join(", "),
            };
            text.line(format_args!("policy {policy} counted meanwhile: {counts}"));
        }
        for what in &self.not_seen {
            let label = text.styled(Style::Strong, "not seen:");
            text.line(format_args!("{label} {what}"));
        }
        if self.exit_code() == exit::NEGATIVE {
            let bad = text.styled(Style::Bad, "Envoy and the policy mean different clients");
            text.line(format_args!("{bad}: `kubectl kyma-istio xff show`"));
        }
    }
}

impl ProbedRequest {
    fn human(&self, text: &mut Text) {
        let sent = self.sent.as_deref().unwrap_or("none");
        let heading = text.styled(Style::Strong, &format!("x-forwarded-for: {sent}"));
        text.line(format_args!("{heading}  => {}", self.status));
        let layers = [
            ("Envoy", &self.envoy),
            ("policy", &self.policy),
            ("backend", &self.backend),
        ];
        for (who, sight) in layers {
            match (sight, &self.refused) {
                (Some(sight), _) => {
                    text.line(format_args!("  {who:<8} {}  ({})", sight.value, sight.by));
                }
                (None, Some(reason)) if who == "policy" => {
                    text.line(format_args!("  {who:<8} refused: {reason}"));
                }
                (None, _) => text.line(format_args!("  {who:<8} not seen")),
            }
        }
    }
}
