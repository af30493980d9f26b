//! The forwarded chain, element by element, with what each was to the decision.

use corpus::{Observed, by_name, text};
use serde::Serialize;
use serde_json::Value;

use crate::redact;

/// An element of the chain, from the left.
#[derive(Debug, Serialize)]
pub struct ChainElement {
    pub element: String,
    pub marks: Vec<Mark>,
}

/// The chain, and how much of it is not shown.
#[derive(Debug, Default)]
pub struct Chain {
    pub elements: Vec<ChainElement>,
    /// Elements on the left that are not among `elements`.
    pub more: usize,
}

/// What an element was to the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Mark {
    /// The decision is about this one.
    #[serde(rename = "client")]
    Client,
    /// It may speak for what stands left of it.
    #[serde(rename = "trusted hop")]
    TrustedHop,
    /// Counted as a trusted hop, but the count does not come out: it may be a stranger's own address.
    #[serde(rename = "taken for a hop")]
    TakenForHop,
    /// The direct peer, which Envoy itself wrote.
    #[serde(rename = "peer")]
    Peer,
    /// It stands left of the client: anybody may have written it, and it changes nothing.
    #[serde(rename = "unverified")]
    Unverified,
    /// The reading ended here without a client.
    #[serde(rename = "not believed")]
    NotBelieved,
}

impl Mark {
    const fn words(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::TrustedHop => "trusted hop",
            Self::TakenForHop => "taken for a hop",
            Self::Peer => "peer",
            Self::Unverified => "unverified",
            Self::NotBelieved => "not believed",
        }
    }
}

impl ChainElement {
    /// The marks in words.
    pub fn words(&self) -> String {
        self.marks
            .iter()
            .map(|mark| mark.words())
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub fn is_client(&self) -> bool {
        self.marks.contains(&Mark::Client)
    }
}

/// A longer chain is shown by its right end: what stands left of it was written by strangers.
const SHOWN: usize = 40;

/// Draws the chain as the filter was handed it. `by_count`: hops alone say who is trusted.
pub fn chain(position: Option<&str>, by_count: bool, observed: &Observed) -> Chain {
    let headers = by_name(&observed.before);
    let Some(values) = headers.get("x-forwarded-for") else {
        return Chain::default();
    };
    let Some(found) = observed
        .explanation
        .as_ref()
        .and_then(|explanation| explanation.get("chain"))
    else {
        return Chain::default();
    };
    let number = |field: &str| {
        found
            .get(field)
            .and_then(Value::as_u64)
            .and_then(|number| usize::try_from(number).ok())
    };
    let too_few = found
        .get("anomalies")
        .and_then(Value::as_array)
        .is_some_and(|anomalies| anomalies.iter().any(|anomaly| anomaly == "tooFewHops"));
    let reading = Reading {
        gateway: position == Some("Gateway"),
        client: number("clientIndex"),
        trusted: number("trusted").unwrap_or(0),
        hop: if by_count && too_few {
            Mark::TakenForHop
        } else {
            Mark::TrustedHop
        },
    };

    let joined = values
        .iter()
        .map(|value| text(value))
        .collect::<Vec<_>>()
        .join(",");
    let mut elements: Vec<ChainElement> = joined
        .rsplit(',')
        .enumerate()
        .take(SHOWN)
        .map(|(from_right, element)| ChainElement {
            element: redact::anything(element.trim()),
            marks: reading.marks(from_right),
        })
        .collect();
    elements.reverse();
    let more = joined.split(',').count() - elements.len();
    Chain { elements, more }
}

/// What the decision found in the chain.
struct Reading {
    gateway: bool,
    client: Option<usize>,
    trusted: usize,
    /// What a trusted element is called.
    hop: Mark,
}

impl Reading {
    fn marks(&self, from_right: usize) -> Vec<Mark> {
        let mut marks = Vec::new();
        if self.gateway && from_right == 0 {
            marks.push(Mark::Peer);
        }
        if self.client == Some(from_right) {
            marks.push(Mark::Client);
        } else if from_right < self.trusted {
            marks.push(self.hop);
        } else if self.client.is_none() && from_right == self.trusted {
            marks.push(Mark::NotBelieved);
        } else if marks.is_empty() {
            marks.push(Mark::Unverified);
        }
        marks
    }
}
