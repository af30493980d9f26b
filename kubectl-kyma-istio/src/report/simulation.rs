//! What `filter simulate` answers: the verdict first, then why, then what follows from it.

use corpus::Scenario;
use corpus::{Observed, Outcome, by_name, text as shown};
use serde::Serialize;
use serde_json::{Value, json};

use super::chain::{ChainElement, chain};
use crate::cli::Engine;
use crate::printer::{Style, Text};
use crate::reasons::words;
use crate::redact;

/// The judgement of one request, as `--requests` answers it.
#[derive(Debug, Serialize)]
pub struct Judged {
    pub id: Option<Value>,
    pub outcome: Outcome,
    pub status: Option<u16>,
    /// The refusal's reason, or on an allow what a shadowed policy or rule would have refused it for.
    pub reason: Option<String>,
    pub client: Option<String>,
    pub rule: Option<String>,
    pub edits: Vec<Value>,
}

/// The judgement of one request, and how it came about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    #[serde(flatten)]
    pub judged: Judged,
    /// Who judged.
    pub engine: &'static str,
    /// Where the decision took the proxy to stand; none: nobody could tell.
    pub position: Option<String>,
    /// The reason in words.
    pub meaning: Option<&'static str>,
    pub hint: Option<&'static str>,
    pub chain: Vec<ChainElement>,
    /// How many elements of the chain stand left of `chain`.
    pub chain_more: usize,
    pub edited: Vec<Edited>,
    pub reply: Vec<(String, String)>,
    /// Everything that the decision says of itself.
    pub explanation: Option<Value>,
}

/// A header that the next hop gets otherwise than it came.
#[derive(Debug, Serialize)]
pub struct Edited {
    pub header: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Judged {
    pub fn new(id: Option<Value>, observed: &Observed) -> Self {
        let said = |field: &str| observed.said(field).map(str::to_owned);
        Self {
            id,
            outcome: observed.outcome,
            status: observed.status,
            reason: observed.reason_or_shadow().map(str::to_owned),
            client: said("client"),
            rule: said("rule"),
            edits: edited(observed)
                .into_iter()
                .map(|edit| edit.as_edit())
                .collect(),
        }
    }
}

impl Simulation {
    pub fn new(engine: Engine, policy: &Value, scenario: &Scenario, observed: &Observed) -> Self {
        let judged = Judged::new(None, observed);
        let words = judged.reason.as_deref().and_then(words);
        // The decision says it best; a module that explains nothing was told the request's.
        let position = match &observed.explanation {
            Some(_) => observed.said("position").map(str::to_owned),
            None => scenario.position.map(|position| format!("{position:?}")),
        };
        let chain = chain(position.as_deref(), by_count(policy), observed);
        Self {
            engine: match engine {
                Engine::Wasm => "wasm",
                Engine::Native => "native",
            },
            position,
            meaning: words.map(|words| words.sentence),
            hint: words.map(|words| words.hint),
            chain: chain.elements,
            chain_more: chain.more,
            edited: edited(observed),
            reply: observed.reply.clone(),
            explanation: observed.explanation.clone().map(redact::json),
            judged,
        }
    }

    pub fn human(&self, text: &mut Text) {
        self.verdict(text);
        text.line(format_args!(""));
        self.who(text);
        if let Some(rule) = &self.judged.rule {
            text.line(format_args!("rule     {rule}"));
        }
        self.effects(text);
    }

    fn verdict(&self, text: &mut Text) {
        let judged = &self.judged;
        let reason = judged.reason.as_deref().unwrap_or_default();
        match (judged.outcome, judged.status) {
            (Outcome::Deny, status) => {
                let verdict = text.styled(Style::Bad, "DENIED");
                text.line(format_args!(
                    "{verdict}   {} {reason}",
                    status.map_or(String::new(), |status| status.to_string())
                ));
            }
            (Outcome::Allow, _) if reason.is_empty() => {
                let verdict = text.styled(Style::Good, "ALLOWED");
                text.line(format_args!("{verdict}"));
            }
            (Outcome::Allow, _) => {
                let verdict = text.styled(Style::Good, "ALLOWED");
                text.line(format_args!(
                    "{verdict}  in shadow; enforced, it would be refused: {reason}"
                ));
            }
        }
        if let Some(meaning) = self.meaning {
            text.line(format_args!("         {meaning}"));
        }
        if let Some(hint) = self.hint {
            let label = text.styled(Style::Faint, "hint:");
            text.line(format_args!("         {label} {hint}"));
        }
    }

    fn who(&self, text: &mut Text) {
        let position = self.position.as_deref().unwrap_or("unknown");
        text.line(format_args!("position {position}"));
        if self.chain_more > 0 {
            text.line(format_args!(
                "chain    … {} more on the left",
                self.chain_more
            ));
        }
        let width = self
            .chain
            .iter()
            .map(|element| element.element.chars().count())
            .max()
            .unwrap_or(0)
            .min(45);
        for (number, element) in self.chain.iter().enumerate() {
            let label = if number == 0 && self.chain_more == 0 {
                "chain"
            } else {
                ""
            };
            let marks = element.words();
            let marks = text.styled(
                if element.is_client() {
                    Style::Strong
                } else {
                    Style::Faint
                },
                &marks,
            );
            text.line(format_args!(
                "{label:<7}  {:<width$}  {marks}",
                element.element
            ));
        }
        if let Some(client) = &self.judged.client {
            let from = self
                .explanation
                .as_ref()
                .and_then(|explanation| explanation.get("clientFrom"))
                .and_then(Value::as_str);
            let from = from
                .and_then(client_from)
                .map(|words| format!("  ({words})"))
                .unwrap_or_default();
            let client = text.styled(Style::Strong, client);
            text.line(format_args!("client   {client}{from}"));
        }
    }

    fn effects(&self, text: &mut Text) {
        for (number, edit) in self.edited.iter().enumerate() {
            let label = if number == 0 { "edits" } else { "" };
            match (&edit.before, &edit.after) {
                (Some(before), Some(after)) => text.line(format_args!(
                    "{label:<7}  set {}: {after}  (was {before})",
                    edit.header
                )),
                (None, Some(after)) => {
                    text.line(format_args!("{label:<7}  set {}: {after}", edit.header))
                }
                (before, None) => text.line(format_args!(
                    "{label:<7}  remove {}  (was {})",
                    edit.header,
                    before.as_deref().unwrap_or_default()
                )),
            }
        }
        if self.edited.is_empty() && self.judged.outcome == Outcome::Allow {
            text.line(format_args!("edits    none"));
        }
        if let Some(status) = self.judged.status {
            text.line(format_args!("reply    {status}"));
            for (name, value) in &self.reply {
                text.line(format_args!("         {name}: {value}"));
            }
        }
    }
}

/// Whether the number of hops alone says who is trusted.
pub(super) fn by_count(policy: &Value) -> bool {
    let trust = policy.pointer("/spec/forwarded/trust");
    let named = |field: &str| {
        trust
            .and_then(|trust| trust.get(field)?.as_array())
            .is_some_and(|list| !list.is_empty())
    };
    trust.is_some() && !named("cidrs") && !named("identities")
}

/// How the client was found, or why it was not, in words.
fn client_from(label: &str) -> Option<&'static str> {
    Some(match label {
        "chain" => "left of the trusted proxies",
        "peer" => "the direct peer",
        "vouched" => "leftmost; the trusted peer vouches for the chain",
        "allTrusted" => "leftmost; every element is a trusted proxy",
        "canonical" => "the one address that the gateway sent",
        "noChain" => "there is no chain to find it in",
        "tooLong" => "the chain is over a limit",
        "malformed" => "an element can't be read",
        "untrustedPeer" => "the peer is no trusted proxy",
        "tooFewHops" => "fewer trusted hops than due",
        "tooManyHops" => "more trusted hops than due",
        "conflict" => "`forwarded` tells of another chain",
        _ => return None,
    })
}

impl Edited {
    fn as_edit(&self) -> Value {
        match &self.after {
            Some(after) => json!({"set": [self.header, after]}),
            None => json!({"remove": self.header}),
        }
    }
}

fn edited(observed: &Observed) -> Vec<Edited> {
    let (before, after) = (by_name(&observed.before), by_name(&observed.after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let value = |name: &str, values: Option<&Vec<Vec<u8>>>| {
        values.map(|values| {
            values
                .iter()
                .map(|value| redact::header(name, &shown(value)))
                .collect::<Vec<_>>()
                .join(", ")
        })
    };
    let changed = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| Edited {
            header: name.clone(),
            before: value(name, before.get(name)),
            after: value(name, after.get(name)),
        })
        .collect()
}
