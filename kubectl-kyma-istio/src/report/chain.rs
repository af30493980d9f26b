//! The forwarded chain, element by element, with what each was to the decision.

use corpus::{Observed, by_name, text};
use policy::{Position, Scenario};
use serde::Serialize;
use serde_json::Value;

/// An element of the chain, from the left.
#[derive(Debug, Serialize)]
pub struct ChainElement {
    pub element: String,
    pub marks: Vec<Mark>,
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
    /// The direct peer, which Envoy itself wrote.
    #[serde(rename = "peer")]
    Peer,
    /// Whoever wrote it is not trusted.
    #[serde(rename = "not looked at")]
    NotLookedAt,
    /// The reading ended here without a client.
    #[serde(rename = "not believed")]
    NotBelieved,
}

impl Mark {
    const fn words(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::TrustedHop => "trusted hop",
            Self::Peer => "peer",
            Self::NotLookedAt => "not looked at",
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

/// Draws the chain as the filter was handed it.
pub fn chain(scenario: &Scenario, observed: &Observed) -> Vec<ChainElement> {
    let headers = by_name(&observed.before);
    let Some(values) = headers.get("x-forwarded-for") else {
        return Vec::new();
    };
    let Some(found) = observed
        .explanation
        .as_ref()
        .and_then(|explanation| explanation.get("chain"))
    else {
        return Vec::new();
    };
    let number = |field: &str| {
        found
            .get(field)
            .and_then(Value::as_u64)
            .and_then(|number| usize::try_from(number).ok())
    };
    let (client, trusted) = (number("clientIndex"), number("trusted").unwrap_or(0));
    let gateway = scenario.position == Some(Position::Gateway);

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
            element: element.trim().to_owned(),
            marks: marks(from_right, gateway, client, trusted),
        })
        .collect();
    elements.reverse();
    elements
}

fn marks(from_right: usize, gateway: bool, client: Option<usize>, trusted: usize) -> Vec<Mark> {
    let mut marks = Vec::new();
    if gateway && from_right == 0 {
        marks.push(Mark::Peer);
    }
    if client == Some(from_right) {
        marks.push(Mark::Client);
    } else if from_right < trusted {
        marks.push(Mark::TrustedHop);
    } else if client.is_none() && from_right == trusted {
        marks.push(Mark::NotBelieved);
    } else if marks.is_empty() {
        marks.push(Mark::NotLookedAt);
    }
    marks
}
