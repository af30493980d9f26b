//! Tokens that were verified before.
//!
//! A hit saves parsing and the signature, nothing else: time, provider and rule are judged for every request. The cache changes no decision, whatever its size (a property test).

use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use std::hash::BuildHasher;

use super::token::Validity;
use crate::headers::Edit;
use crate::headers::bytes::same;
use crate::spec::Fingerprint;

/// What is kept of a verified token: what the policy would find in it once more. Neither its claims nor its payload.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Index of the provider.
    pub provider: usize,
    /// When it is valid.
    pub time: Validity,
    /// Which of the policy's claim tests it passes.
    pub passes: Passes,
    /// What it publishes.
    pub edits: Vec<Edit>,
}

/// A bit for each claim test of a policy.
#[derive(Debug)]
pub(crate) struct Passes(Box<[u64]>);

impl Passes {
    /// From the answers, in the order of the tests.
    pub fn of(answers: impl ExactSizeIterator<Item = bool>) -> Self {
        let mut words = vec![0_u64; answers.len().div_ceil(64)];
        for (place, answer) in answers.enumerate() {
            if let Some(word) = words.get_mut(place / 64) {
                *word += u64::from(answer) << (place % 64);
            }
        }
        Self(words.into())
    }

    /// Whether the test at this place is passed.
    pub fn holds(&self, place: usize) -> bool {
        let word = self.0.get(place / 64);
        word.is_some_and(|word| word >> (place % 64) & 1 == 1)
    }
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
    /// What all entries take.
    bytes: usize,
    /// The slot that makes room next when all entries take too much.
    next: usize,
}

#[derive(Debug, Default)]
struct Slot {
    entry: Option<Entry>,
    recent: bool,
}

#[derive(Debug)]
struct Entry {
    token: Box<[u8]>,
    verified: Arc<Verified>,
}

/// Longer tokens are verified each time.
const LONGEST_TOKEN: usize = 4096;
/// An entry that takes more is not kept.
const LARGEST: usize = 16 * 1024;
/// All entries together take at most this for each slot: 512 slots take 1.5 MiB.
const BYTES_PER_SLOT: usize = 3 * 1024;
/// What an edit and an entry take beside their texts.
const OVERHEAD: usize = 64;

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
            bytes: 0,
            next: 0,
        }
    }

    /// Forgets everything that another policy verified.
    pub(crate) fn belong_to(&mut self, policy: Fingerprint) {
        if self.owner.replace(policy) != Some(policy) {
            self.slots.fill_with(Slot::default);
            self.bytes = 0;
        }
    }

    /// The entry of a token that is still valid.
    pub(crate) fn get(&mut self, token: &[u8], now: Duration) -> Option<Arc<Verified>> {
        let start = self.start(token)?;
        let pair = self.slots.get_mut(start..start + 2)?;
        let hit = pair.iter().position(|slot| slot.holds(token))?;
        let verified = Arc::clone(&pair.get(hit)?.entry.as_ref()?.verified);
        // Out of its time it is no use, and the full check says why.
        if !verified.time.holds(now) {
            self.forget(start + hit);
            return None;
        }
        for (index, slot) in pair.iter_mut().enumerate() {
            slot.recent = index == hit;
        }
        Some(verified)
    }

    /// Whether a token may be kept at all.
    pub(crate) fn keeps(token: &[u8]) -> bool {
        token.len() <= LONGEST_TOKEN
    }

    pub(crate) fn keep(&mut self, token: &[u8], verified: &Arc<Verified>) {
        // Nothing is copied of what is not kept.
        let Some(start) = self.start(token).filter(|_| Self::keeps(token)) else {
            return;
        };
        let entry = Entry {
            token: token.into(),
            verified: Arc::clone(verified),
        };
        let size = entry.size();
        let limit = self.slots.len() * BYTES_PER_SLOT;
        if size > LARGEST.min(limit) {
            return;
        }
        let pair = self.slots.iter().enumerate().skip(start).take(2);
        let oldest = pair.min_by_key(|(_, slot)| (slot.entry.is_some(), slot.recent));
        let Some((place, _)) = oldest else { return };
        self.forget(place);
        // One round at most: then nothing is left.
        for _ in 0..self.slots.len() {
            if self.bytes + size <= limit {
                break;
            }
            self.forget(self.next);
            self.next = (self.next + 1) % self.slots.len();
        }
        self.bytes += size;
        for (index, slot) in self.slots.iter_mut().enumerate().skip(start).take(2) {
            slot.recent = index == place;
        }
        if let Some(slot) = self.slots.get_mut(place) {
            slot.entry = Some(entry);
        }
    }

    fn forget(&mut self, place: usize) {
        let slot = self.slots.get_mut(place);
        let entry = slot.and_then(|slot| slot.entry.take());
        self.bytes -= entry.map_or(0, |entry| entry.size());
    }

    /// Where the pair of a token begins.
    fn start(&self, token: &[u8]) -> Option<usize> {
        let place = self.hasher.hash_one(token).checked_rem(self.pairs)?;
        usize::try_from(place).ok()?.checked_mul(2)
    }
}

impl Entry {
    /// Bytes that it takes, about.
    fn size(&self) -> usize {
        let edits = self
            .verified
            .edits
            .iter()
            .map(|edit| OVERHEAD + edit.name().len() + edit.value().len());
        2 * OVERHEAD + self.token.len() + self.verified.passes.0.len() * 8 + edits.sum::<usize>()
    }
}

impl Slot {
    /// INVARIANT: the whole token is compared, never only a hash of it.
    fn holds(&self, token: &[u8]) -> bool {
        self.entry
            .as_ref()
            .is_some_and(|entry| same(&entry.token, token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(value: usize) -> Arc<Verified> {
        Arc::new(Verified {
            provider: 0,
            time: Validity::ALWAYS,
            passes: Passes::of([].into_iter()),
            edits: vec![Edit::set("x-user", vec![0; value])],
        })
    }

    #[test]
    fn of_two_tokens_in_a_pair_the_one_used_longer_ago_makes_room() {
        let verified = verified(0);
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

    #[test]
    fn all_entries_together_are_bounded_in_bytes() {
        let mut known = VerifiedTokens::new(8, 0);
        let limit = 8 * BYTES_PER_SLOT;
        let sizes = [100, 4000, 12_000, 0, 15_000, 9_000];
        for (index, size) in (0_u32..600).zip(sizes.into_iter().cycle()) {
            let token = index.to_be_bytes();
            known.keep(&token, &verified(size));
            assert!(known.get(&token, Duration::ZERO).is_some(), "{index}");
            let entries = known.slots.iter().filter_map(|slot| slot.entry.as_ref());
            assert_eq!(known.bytes, entries.map(Entry::size).sum::<usize>());
            assert!(known.bytes <= limit, "{index}: {}", known.bytes);
        }
        let kept = known.bytes;
        known.keep(b"large", &verified(LARGEST));
        known.keep(&[b'x'; LONGEST_TOKEN + 1], &verified(0));
        assert_eq!(known.bytes, kept, "what is too large is not kept");
        let longest = [b'x'; LONGEST_TOKEN];
        known.keep(&longest, &verified(0));
        assert!(known.get(&longest, Duration::ZERO).is_some());
    }

    /// An entry costs its texts and 64 bytes for itself twice and for each edit.
    #[test]
    fn the_largest_entry_is_kept_and_one_byte_more_is_not() {
        let largest = LARGEST - 3 * OVERHEAD - "x-user".len() - "t".len();
        for (value, is_kept) in [(largest, true), (largest + 1, false)] {
            let mut known = VerifiedTokens::new(8, 0);
            known.keep(b"t", &verified(value));
            assert_eq!(known.get(b"t", Duration::ZERO).is_some(), is_kept);
            assert_eq!(known.bytes, if is_kept { LARGEST } else { 0 });
        }
        assert_eq!(
            (LONGEST_TOKEN, LARGEST, BYTES_PER_SLOT, OVERHEAD),
            (4096, 16384, 3072, 64)
        );
    }

    #[test]
    fn a_cache_has_room_for_pairs_and_forgets_what_is_out_of_its_time() {
        for (capacity, slots) in [(0, 0), (1, 2), (2, 2), (3, 4)] {
            assert_eq!(VerifiedTokens::new(capacity, 0).slots.len(), slots);
        }
        let mut known = VerifiedTokens::new(0, 0);
        known.keep(b"a", &verified(0));
        assert!(known.get(b"a", Duration::ZERO).is_none());
        let mut known = VerifiedTokens::new(2, 0);
        let ends = Arc::new(Verified {
            time: Validity::until(10.0),
            ..Arc::into_inner(verified(0)).unwrap()
        });
        known.keep(b"a", &ends);
        assert!(known.get(b"a", Duration::from_secs(9)).is_some());
        assert!(known.get(b"a", Duration::from_secs(10)).is_none());
        assert_eq!(known.bytes, 0);
        assert!(known.get(b"a", Duration::from_secs(9)).is_none());
    }

    #[test]
    fn an_entry_has_a_size_and_a_token_a_pair_of_places() {
        let entry = Entry {
            token: (*b"t").into(),
            verified: Arc::new(Verified {
                passes: Passes::of([true; 65].into_iter()),
                edits: vec![Edit::set("ab", *b"xyz"), Edit::remove("c")],
                ..Arc::into_inner(verified(0)).unwrap()
            }),
        };
        // The token, two words of answers, two edits, and 64 bytes for each of these and twice for the entry.
        assert_eq!(entry.size(), 1 + 16 + (2 + 3 + 64) + (1 + 64) + 2 * 64);
        let known = VerifiedTokens::new(8, 0);
        let starts = (0_u32..200).map(|token| known.start(&token.to_be_bytes()).unwrap());
        let starts: std::collections::BTreeSet<usize> = starts.collect();
        assert_eq!(Vec::from_iter(starts), [0, 2, 4, 6]);
    }

    #[test]
    fn what_is_used_stays_and_what_belongs_to_another_policy_goes() {
        let mut known = VerifiedTokens::new(2, 0);
        known.keep(b"a", &verified(0));
        known.keep(b"b", &verified(0));
        assert!(known.get(b"b", Duration::ZERO).is_some());
        known.keep(b"c", &verified(0));
        known.keep(b"d", &verified(0));
        let holds = |known: &mut VerifiedTokens, token| known.get(token, Duration::ZERO).is_some();
        assert!(!holds(&mut known, b"b") && holds(&mut known, b"c") && holds(&mut known, b"d"));
        known.belong_to(
            Fingerprint::of("v", crate::spec::tape::Tape::of("{}").unwrap().root()).unwrap(),
        );
        assert_eq!((known.bytes, holds(&mut known, b"c")), (0, false));
    }

    #[test]
    fn each_answer_has_its_bit() {
        for count in [0_usize, 1, 63, 64, 65, 127, 128, 129] {
            let passes = Passes::of((0..count).map(|_| true));
            assert_eq!(passes.0.len(), count.div_ceil(64));
            assert!((0..count).all(|place| passes.holds(place)) && !passes.holds(count));
        }
        let answers = (0..200).map(|place| place % 3 == 0);
        let passes = Passes::of(answers.clone());
        assert!(
            (0..)
                .zip(answers)
                .all(|(place, answer)| passes.holds(place) == answer)
        );
        assert!(!passes.holds(200) && !passes.holds(64_000));
    }
}
