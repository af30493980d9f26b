//! `spec.jwt`, compiled: which rule judges a request, and whether its token satisfies it.

use std::sync::Arc;

use super::{
    Located, Passes, Segments, Unverified, Verified, VerifiedTokens, Verify, edits, remove,
};
use crate::decision::{Draft, RuleRef};
use crate::headers::same_header;
use crate::matching::{CompiledRule, Rules, Terms, holds, replaces_method};
use crate::reason::Reason;
use crate::request::Request;
use crate::spec::{self, Access, ClaimTest, Location, Preflight, Provider, TokenAfter};

#[derive(Debug)]
pub(crate) struct TokenRules {
    providers: Vec<Provider>,
    /// Every place where any provider's tokens may stand.
    locations: Vec<Location>,
    /// For each provider a bit for each of its places.
    places: Vec<u64>,
    rules: Rules,
    /// The claim tests of all rules, one rule after the other.
    tests: Vec<ClaimTest>,
    otherwise: Terms,
    pass_preflight: bool,
    longest_token: usize,
}

impl TokenRules {
    /// Sets of providers and of places are bits of a word: `spec::check` refuses more of either than there are.
    pub fn compile(wire: spec::Jwt) -> Self {
        let mut locations: Vec<Location> = Vec::new();
        for location in wire
            .providers
            .iter()
            .flat_map(|provider| &provider.locations)
        {
            if !locations.contains(location) {
                locations.push(location.clone());
            }
        }
        let bits = |provider: &Provider| {
            (0..)
                .zip(&locations)
                .filter(|(_, location)| provider.locations.contains(location))
                .map(|(place, _): (u32, _)| 1 << place)
                .sum()
        };
        let places: Vec<u64> = wire.providers.iter().map(bits).collect();
        let terms = |access: Access, names: &[String], claims, shadow| {
            let mut terms = Terms {
                claims,
                shadow,
                ..Terms::of(access)
            };
            for (index, (provider, places)) in wire.providers.iter().zip(&places).enumerate() {
                if names.is_empty() || names.contains(&provider.name) {
                    terms.providers += 1 << index;
                    terms.places |= places;
                }
            }
            terms
        };
        let mut tests: Vec<ClaimTest> = Vec::new();
        let rules = wire
            .rules
            .into_iter()
            .map(|mut rule| {
                let claims = std::mem::take(&mut rule.claims);
                let start = tests.len();
                tests.extend(claims);
                let claims = start..tests.len();
                let terms = terms(rule.access, &rule.providers, claims, rule.shadow);
                CompiledRule::new(rule, terms)
            })
            .collect();
        Self {
            otherwise: terms(wire.otherwise, &[], 0..0, false),
            pass_preflight: wire.preflight == Preflight::Pass,
            longest_token: wire
                .providers
                .iter()
                .map(|provider| provider.max_token_bytes as usize)
                .max()
                .unwrap_or(0),
            rules: Rules::new(rules, wire.ambiguous_path),
            tests,
            places,
            locations,
            providers: wire.providers,
        }
    }

    /// Every header that verified claims may be written to.
    pub fn emitted(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().flat_map(|provider| {
            let claims = provider
                .claims_to_headers
                .iter()
                .map(|emitted| &emitted.header);
            claims
                .chain(&provider.payload_header)
                .map(spec::HeaderName::as_str)
        })
    }

    /// Whether a header is a place of tokens, in any spelling.
    #[cold]
    pub fn may_stand_in(&self, header: &[u8]) -> bool {
        self.locations.iter().any(|location| match location {
            Location::Header { name, .. } => same_header(header, name),
            Location::Cookie(_) => same_header(header, "cookie"),
            Location::Param(_) => false,
        })
    }

    /// Headers that would replace what rules looked at, see [`Rules::overrides`].
    pub fn overrides(&self) -> &'static [&'static str] {
        self.rules.overrides()
    }

    pub fn rule_name(&self, rule: RuleRef) -> Option<&str> {
        match rule {
            RuleRef::Rule(index) => self.rules.name(index),
            RuleRef::Otherwise => Some("otherwise"),
            RuleRef::Preflight => Some("preflight"),
        }
    }

    pub fn carries_payload(&self, header: &str) -> bool {
        let mut names = self
            .providers
            .iter()
            .filter_map(|provider| provider.payload_header.as_ref());
        names.any(|name| name.as_str() == header)
    }

    pub fn provider_name(&self, index: usize) -> Option<&str> {
        self.providers
            .get(index)
            .map(|provider| provider.name.as_str())
    }

    /// Finds the rule and verifies the token that it asks for. `Ok(Some(reason))`: a rule in shadow would have refused.
    pub fn authenticate(
        &self,
        request: &Request<'_>,
        known: &mut VerifiedTokens,
        verify: &dyn Verify,
        draft: &mut Draft,
    ) -> Result<Option<Reason>, Reason> {
        let found = self.rules.find(request)?;
        let (rule, terms) = match found.rule {
            Some((place, rule)) => (RuleRef::Rule(place), &rule.terms),
            None => (RuleRef::Otherwise, &self.otherwise),
        };
        let asks = matches!(terms.access, Access::Require | Access::Optional);
        if asks && self.pass_preflight && is_preflight(request) {
            draft.trace.rule = Some(RuleRef::Preflight);
            return Ok(found.shadow);
        }
        draft.trace.rule = Some(rule);
        match self.satisfy(terms, request, known, verify, draft) {
            Err(reason) if terms.shadow => Ok(Some(found.shadow.unwrap_or(reason))),
            other => other.map(|()| found.shadow),
        }
    }

    /// INVARIANT: effects come last: a refusal, which may be a shadow only, has none.
    fn satisfy(
        &self,
        terms: &Terms,
        request: &Request<'_>,
        known: &mut VerifiedTokens,
        verify: &dyn Verify,
        draft: &mut Draft,
    ) -> Result<(), Reason> {
        match terms.access {
            Access::Open => return Ok(()),
            Access::Deny => return Err(Reason::RuleDenied),
            Access::Require | Access::Optional => {}
        }
        let (token, found) = match Located::find(request, &self.locations, terms.places) {
            Located::One { token, places } => (token, places),
            Located::Several => return Err(Reason::SeveralTokens),
            Located::Nothing if terms.access == Access::Optional => return Ok(()),
            Located::Nothing => return Err(Reason::MissingToken),
        };
        let verified = match known.get(&token, request.now) {
            Some(verified) => {
                draft.trace.cached = true;
                verified
            }
            None => {
                let verified = Arc::new(self.verify(&token, terms, found, request, verify)?);
                known.keep(&token, &verified);
                verified
            }
        };
        // The cache knows nothing of rules and places, so both are checked for every request.
        let provider = self
            .providers
            .get(verified.provider)
            .ok_or(Reason::IssuerNotTrusted)?;
        if !self.accepts(verified.provider, terms, found) {
            return Err(Reason::IssuerNotTrusted);
        }
        draft.trace.provider = Some(verified.provider);
        if !terms
            .claims
            .clone()
            .all(|place| verified.passes.holds(place))
        {
            return Err(Reason::ClaimMismatch);
        }
        draft.effects.extend(verified.edits.iter().cloned());
        if provider.token == TokenAfter::Remove {
            remove(request, &self.locations, &token, &mut draft.effects);
        }
        Ok(())
    }

    /// Whether a provider counts for these terms and its tokens may stand in each of these places.
    fn accepts(&self, provider: usize, terms: &Terms, found: u64) -> bool {
        let allowed = self.places.get(provider).copied().unwrap_or(0);
        terms.providers & (1 << provider) != 0 && found & !allowed == 0
    }

    fn verify(
        &self,
        token: &[u8],
        terms: &Terms,
        found: u64,
        request: &Request<'_>,
        verify: &dyn Verify,
    ) -> Result<Verified, Reason> {
        if token.len() > self.longest_token {
            return Err(Reason::TokenTooLarge);
        }
        let segments = Segments::of(token)?;
        let unverified = Unverified::parse(&segments)?;
        let issuer = unverified
            .claimed_issuer()
            .ok_or(Reason::IssuerNotTrusted)?;
        let named = self
            .providers
            .iter()
            .enumerate()
            .find(|(_, provider)| provider.issuer == issuer);
        let (index, provider) = named
            .filter(|(index, _)| self.accepts(*index, terms, found))
            .ok_or(Reason::IssuerNotTrusted)?;
        if token.len() > provider.max_token_bytes as usize {
            return Err(Reason::TokenTooLarge);
        }
        let claims = unverified.verify(provider, request.now, verify)?;
        let keeps = VerifiedTokens::keeps(token);
        Ok(Verified {
            provider: index,
            time: claims.time,
            // Of a token that is not kept, nobody asks for the tests of other rules.
            passes: Passes::of(self.tests.iter().enumerate().map(|(place, test)| {
                (keeps || terms.claims.contains(&place)) && holds(test, &claims)
            })),
            edits: edits(provider, &claims),
        })
    }
}

/// A CORS preflight carries no credentials (Fetch standard, "CORS protocol and credentials"), so no token can be asked of it. Anybody can make one: it passes nothing
/// else. A browser's preflight has no header that replaces the method; one that has is another request for a framework that reads it.
fn is_preflight(request: &Request<'_>) -> bool {
    let some = |name: &str| request.first(name).is_some_and(|value| !value.is_empty());
    request.first(":method") == Some(b"OPTIONS")
        && some("origin")
        && some("access-control-request-method")
        && !replaces_method(request)
}
