//! TokenRules that were verified before.
//!
//! A hit saves parsing and the signature, nothing else: time, provider and rule are judged for every request. The cache changes no decision, whatever its size (a property test).

use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use std::hash::BuildHasher;

use super::token::Claims;
use crate::headers::Edit;
use crate::headers::bytes::same;
use crate::spec::Fingerprint;

/// A verified token and what follows from it.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Index of the provider.
    pub provider: usize,
    pub claims: Claims,
    /// What it publishes.
    pub edits: Vec<Edit>,
}

/// A bounded memory of verified tokens, owned by whoever calls [`crate::Policy::decide`].
#[derive(Debug)]
pub struct VerifiedTokens {
    /// Pairs of slots; a token has its place in one pair, the one used longer ago makes room.
    slots: Vec<Slot>,
    pairs: u64,
    hasher: FixedState,
    /// Whose tokens these are: other keys or audiences are another policy.
    owner: Option<Fingerprint>,
}

#[derive(Debug, Default)]
struct Slot {
    entry: Option<(Box<[u8]>, Arc<Verified>)>,
    recent: bool,
}

/// Longer tokens are verified each time, which bounds the memory: capacity times this.
const LONGEST_TOKEN: usize = 4096;

impl VerifiedTokens {
    /// A cache of at most `capacity` tokens, rounded up to an even number; 0 keeps none. The seed makes places unforeseeable.
    pub fn new(capacity: usize, seed: u64) -> Self {
        let pairs = capacity.div_ceil(2);
        Self {
            slots: std::iter::repeat_with(Slot::default)
                .take(pairs * 2)
                .collect(),
            pairs: pairs as u64,
            hasher: FixedState::with_seed(seed),
            owner: None,
        }
    }

    /// Forgets everything that another policy verified.
    pub(crate) fn belong_to(&mut self, policy: Fingerprint) {
        if self.owner.replace(policy) != Some(policy) {
            self.slots.fill_with(Slot::default);
        }
    }

    /// The entry of a token that can still be believed.
    pub(crate) fn get(&mut self, token: &[u8], now: Duration) -> Option<Arc<Verified>> {
        let pair = self.pair(token)?;
        let hit = pair.iter().position(|slot| slot.holds(token))?;
        // Out of its time it is no use, and the full check says why.
        if !pair
            .get(hit)?
            .entry
            .as_ref()
            .is_some_and(|(_, verified)| verified.claims.time.holds(now))
        {
            pair.get_mut(hit)?.entry = None;
            return None;
        }
        for (index, slot) in pair.iter_mut().enumerate() {
            slot.recent = index == hit;
        }
        pair.get(hit)?
            .entry
            .as_ref()
            .map(|(_, verified)| Arc::clone(verified))
    }

    pub(crate) fn keep(&mut self, token: &[u8], verified: &Arc<Verified>) {
        if token.len() > LONGEST_TOKEN {
            return;
        }
        let Some(pair) = self.pair(token) else { return };
        let oldest = (0..)
            .zip(pair.iter())
            .min_by_key(|(_, slot)| (slot.entry.is_some(), slot.recent))
            .map(|(index, _): (usize, _)| index);
        for (index, slot) in pair.iter_mut().enumerate() {
            slot.recent = Some(index) == oldest;
            if slot.recent {
                slot.entry = Some((token.into(), Arc::clone(verified)));
            }
        }
    }

    fn pair(&mut self, token: &[u8]) -> Option<&mut [Slot]> {
        let place = self.hasher.hash_one(token).checked_rem(self.pairs)?;
        let start = usize::try_from(place).ok()? * 2;
        self.slots.get_mut(start..start + 2)
    }
}

impl Slot {
    /// INVARIANT: the whole token is compared, never only a hash of it.
    fn holds(&self, token: &[u8]) -> bool {
        self.entry
            .as_ref()
            .is_some_and(|(known, _)| same(known, token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_tokens_in_a_pair_the_one_used_longer_ago_makes_room() {
        let verified = Arc::new(Verified {
            provider: 0,
            claims: Claims::none(),
            edits: Vec::new(),
        });
        let mut known = VerifiedTokens::new(2, 0);
        let holds =
            |known: &mut VerifiedTokens, token: &[u8]| known.get(token, Duration::ZERO).is_some();
        known.keep(b"a", &verified);
        known.keep(b"b", &verified);
        known.keep(b"c", &verified);
        assert_eq!(
            [b"b", b"c"].map(|token| holds(&mut known, token)),
            [true, true]
        );
        assert!(holds(&mut known, b"b"));
        known.keep(b"d", &verified);
        assert_eq!(
            [b"b", b"c", b"d"].map(|token| holds(&mut known, token)),
            [true, false, true]
        );
    }
}
