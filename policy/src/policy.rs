//! The compiled policy and the one function that everything serves: [`Policy::decide`].

use crate::caller::{TokenRules, VerifiedTokens, Verify};
use crate::client::{Client, Forwarded, Unknown};
use crate::decision::{Decision, Draft, Outcome, Reply, RuleRef, Trace, reply};
use crate::headers::{Edit, Strip};
use crate::reason::Reason;
use crate::request::{Needs, Position, Request};
use crate::spec::read::Path;
use crate::spec::{self, ConfigError, Document, Fingerprint, Problems, Replies};

/// A HeaderPolicy, compiled and immutable.
#[derive(Debug)]
pub struct Policy {
    /// `None`: told for each request.
    position: Option<Position>,
    judge_outbound: bool,
    shadow: bool,
    forwarded: Option<Forwarded>,
    tokens: Option<TokenRules>,
    strip: Strip,
    replies: Replies,
    fingerprint: Fingerprint,
    warnings: Vec<ConfigError>,
}

impl Policy {
    /// Compiles a policy from JSON: a file's document, or the filter's plugin configuration. `verify` says whose numbers make a key.
    ///
    /// # Errors
    /// Every problem of the document, each with its path; at least one. Beyond 50 they are counted.
    pub fn from_json(text: &[u8], verify: &dyn Verify) -> Result<Self, Vec<ConfigError>> {
        let mut problems = Problems::default();
        let policy = Self::compile(text, verify, &mut problems);
        policy.ok_or_else(|| problems.into_told())
    }

    fn compile(text: &[u8], verify: &dyn Verify, problems: &mut Problems) -> Option<Self> {
        let values = Document::values(text, problems)?;
        let Document { mut spec, raw_spec } = Document::read(&values, problems)?;
        spec::check(&mut spec, verify, problems);
        let fingerprint = Fingerprint::of(spec::API_VERSION, raw_spec);
        if fingerprint.is_none() {
            problems.push(ConfigError::new(
                Path::Field(&Path::Root, "spec"),
                "values nested deeper than 32",
                "fewer levels",
            ));
        }
        if !problems.is_empty() {
            return None;
        }
        let client_ip_header = spec
            .forwarded
            .as_ref()
            .and_then(|forwarded| forwarded.client_ip_header.clone());
        let providers = spec.jwt.iter_mut().flat_map(|jwt| &mut jwt.providers);
        let left_out = providers.map(|provider| std::mem::take(&mut provider.left_out));
        let warnings = left_out.flat_map(Problems::into_told).collect();
        let tokens = spec.jwt.map(TokenRules::compile);
        let own = client_ip_header
            .iter()
            .chain(&spec.replies.reason_header)
            .map(spec::HeaderName::as_str);
        let mut stripped: Vec<&str> = own.collect();
        if let Some(tokens) = &tokens {
            stripped.extend(tokens.emitted());
            stripped.extend(tokens.overrides());
        }
        let strip = Strip::new(stripped);
        Some(Self {
            position: spec.position,
            judge_outbound: spec.judge_outbound,
            shadow: spec.shadow,
            forwarded: spec.forwarded.as_ref().map(Forwarded::compile),
            strip,
            tokens,
            replies: spec.replies,
            fingerprint: fingerprint?,
            warnings,
        })
    }

    /// The policy's name: what it says, however it was spelled.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Keys that can't be used and were left out of their sets.
    pub fn warnings(&self) -> &[ConfigError] {
        &self.warnings
    }

    /// What has to be read from the host beside the headers.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs {
            position: self.position.is_none(),
            time: self.tokens.is_some(),
            identity: false,
            address: false,
            tls: false,
        };
        if let Some(forwarded) = &self.forwarded {
            forwarded.add_needs(self.position, &mut needs);
        }
        needs
    }

    /// Whether traffic at this position is left alone: nothing of such a request has to be read. `position` is [`Request::position`].
    pub fn passes(&self, position: Option<Position>) -> bool {
        self.position.or(position) == Some(Position::SidecarOutbound) && !self.judge_outbound
    }

    /// Whether a trailer of this name is removed from a judged request: what the policy may emit, what would replace what rules look at, headers that tokens come in, the chain and its companions, in any
    /// spelling. Servers may merge trailers into headers (RFC 9110 section 6.5.1), and a trusted proxy writes none of these, so the peer and `companions` don't matter.
    #[cold]
    pub fn strips_trailer(&self, name: &[u8]) -> bool {
        !self.shadow
            && (self.strip.removes(name)
                || self
                    .tokens
                    .as_ref()
                    .is_some_and(|tokens| tokens.may_stand_in(name))
                || self
                    .forwarded
                    .as_ref()
                    .is_some_and(|forwarded| forwarded.strips_trailer(name)))
    }

    /// Whether a header carries a token's payload, which explanations don't show.
    pub(crate) fn hides(&self, header: &str) -> bool {
        self.tokens
            .as_ref()
            .is_some_and(|tokens| tokens.carries_payload(header))
    }

    /// Decides about one request. It can't fail: what can't be judged is refused.
    pub fn decide(
        &self,
        request: &Request<'_>,
        known: &mut VerifiedTokens,
        verify: &dyn Verify,
    ) -> Decision {
        let mut trace = Trace {
            position: self.position.or(request.position),
            ..Trace::default()
        };
        let untouched = Client::Unknown(Unknown::NotJudged);
        if self.passes(request.position) {
            trace.passed = true;
            return Decision::allow(untouched, trace);
        }
        known.belong_to(self.fingerprint);
        let mut draft = Draft {
            strips: Vec::new(),
            effects: Vec::new(),
            client: untouched,
            trace,
        };
        self.strip.apply(request, &mut draft);
        let judged = self.evaluate(request, known, verify, &mut draft);
        let mut decision = Decision::allow(draft.client, draft.trace);
        match (judged, self.shadow) {
            (Ok(shadow), false) => {
                decision.edits = if draft.strips.is_empty() {
                    draft.effects
                } else {
                    draft.strips.append(&mut draft.effects);
                    tidy(draft.strips)
                };
                decision.shadow = shadow;
            }
            (Ok(shadow), true) => decision.shadow = shadow,
            (Err(reason), true) => decision.shadow = Some(reason),
            (Err(reason), false) => {
                decision.edits = tidy(draft.strips);
                decision.verdict =
                    Outcome::Deny(reason, reply(&self.replies, reason, Some(request)));
            }
        }
        decision
    }

    /// The order is part of the contract: what the policy may emit was stripped before; then companions of peers that are not trusted, the chain, the token.
    fn evaluate(
        &self,
        request: &Request<'_>,
        known: &mut VerifiedTokens,
        verify: &dyn Verify,
        draft: &mut Draft,
    ) -> Result<Option<Reason>, Reason> {
        let position = draft.trace.position.ok_or(Reason::PositionUnknown)?;
        if let Some(forwarded) = &self.forwarded {
            forwarded.resolve(request, position, draft)?;
        }
        match &self.tokens {
            Some(tokens) => tokens.authenticate(request, known, verify, draft),
            None => Ok(None),
        }
    }

    /// The reply that this policy gives for a reason that lies outside the engine.
    pub fn reply(&self, reason: Reason) -> Reply {
        reply(&self.replies, reason, None)
    }

    pub(crate) fn rule_name(&self, rule: RuleRef) -> Option<&str> {
        self.tokens.as_ref()?.rule_name(rule)
    }

    pub(crate) fn provider_name(&self, index: usize) -> Option<&str> {
        self.tokens.as_ref()?.provider_name(index)
    }
}

/// Drops a removal that a later edit of the same header makes needless: setting a header replaces all its values.
fn tidy(edits: Vec<Edit>) -> Vec<Edit> {
    let mut kept: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits.into_iter().rev() {
        if !kept.iter().any(|later| later.name() == edit.name()) {
            kept.push(edit);
        }
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_edit_of_a_header_stays_in_its_place() {
        let (remove, set) = (|name| Edit::remove(name), |name| Edit::set(name, *b"1"));
        let edits = vec![remove("a"), remove("b"), set("a"), remove("c"), set("b")];
        assert_eq!(tidy(edits), [set("a"), remove("c"), set("b")]);
        assert_eq!(tidy(vec![remove("a"), set("a")]), [set("a")]);
        assert_eq!(tidy(vec![set("b"), remove("a")]), [set("b"), remove("a")]);
    }
}
