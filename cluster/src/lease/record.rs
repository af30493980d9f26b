//! What a Lease says, and whether it still binds others. Pure: looks and times come from outside.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use mesh::object::Object;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Rules;

/// A life that a record may ask for at most: whoever writes a Lease by hand locks the mesh for no longer.
const LONGEST_LIFE: Duration = Duration::from_secs(300);

/// Of a holder's name, so much is read.
const LONGEST_NAME: usize = 200;

fn shown(character: char) -> char {
    // Marks that turn the direction of a text around, too.
    let turns = matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turns {
        '\u{fffd}'
    } else {
        character
    }
}

/// Who works, as others read it: `install by anna on laptop, process 17, 9f2c41d0`. The last word is another for each command, so that a process of the same number in
/// another container is somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    /// A holder with a word of its own. `who`: the verb, the user and the machine.
    #[must_use]
    pub fn new(who: &str) -> Self {
        use std::hash::{BuildHasher as _, Hasher as _};
        // Keys of hash maps are random; nothing secret depends on it.
        let random = std::hash::RandomState::new().build_hasher().finish();
        let word = random & 0xffff_ffff;
        let who: String = who.chars().map(shown).take(LONGEST_NAME / 2).collect();
        Self(format!("{who}, process {}, {word:08x}", std::process::id()))
    }

    /// As it stands in `spec.holderIdentity`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The fields of `spec` that matter to others. As client-go compares them: any change is a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub holder: String,
    pub acquired: String,
    renewed: String,
    life: Duration,
}

impl Record {
    pub fn of(lease: &Object) -> Self {
        let text = |pointer: &str| lease.string(pointer).unwrap_or_default().to_owned();
        // Anybody who may write Leases chooses it, and it is shown.
        let holder = text("/spec/holderIdentity");
        let holder: String = holder.chars().map(shown).take(LONGEST_NAME).collect();
        let life = lease
            .pointer("/spec/leaseDurationSeconds")
            .and_then(Value::as_u64)
            .map_or(Rules::USUAL.life, Duration::from_secs);
        Self {
            holder,
            acquired: text("/spec/acquireTime"),
            renewed: text("/spec/renewTime"),
            life: life.min(LONGEST_LIFE),
        }
    }
}

/// A record, and since when it has been seen unchanged. The times in it are of another clock and are never compared with ours.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    pub record: Record,
    since: Instant,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody holds it, or its holder was silent for its whole life.
    Free,
    /// It says our own name: a write of ours whose answer was lost.
    Ours,
    /// Another one's, for so long at most if it is dead.
    Held { left: Duration },
}

impl Sighting {
    pub fn new(record: Record, now: Instant) -> Self {
        Self { record, since: now }
    }

    pub fn judge(&self, us: &Holder, now: Instant) -> Verdict {
        if self.record.holder.is_empty() {
            return Verdict::Free;
        }
        if self.record.holder == us.as_str() {
            return Verdict::Ours;
        }
        let silent = now.saturating_duration_since(self.since);
        match self.record.life.checked_sub(silent) {
            Some(left) if !left.is_zero() => Verdict::Held { left },
            _ => Verdict::Free,
        }
    }
}

/// `spec` of a Lease that is taken now.
pub(super) fn taken(us: &Holder, rules: &Rules, now: Timestamp) -> Value {
    json!({
        "holderIdentity": us.as_str(),
        // A Lease has whole seconds; client-go's field too.
        "leaseDurationSeconds": rules.life.as_secs().max(1),
        "acquireTime": micros(now), "renewTime": micros(now),
    })
}

/// `MicroTime`: exactly six digits.
pub(super) fn micros(time: Timestamp) -> String {
    format!("{time:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lease(holder: &str, renewed: &str, life: u64) -> Object {
        let value = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kyma-istio"},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": life, "renewTime": renewed},
        });
        Object::new(value).expect("an object")
    }

    fn seen(lease: &Object, now: Instant) -> Sighting {
        Sighting::new(Record::of(lease), now)
    }

    /// Two minutes and more off, both ways: the times in the record are never read as times.
    #[test]
    fn a_holder_with_another_clock_keeps_its_lease() {
        let us = Holder::new("install by ben");
        let now = Instant::now();
        for renewed in [
            "2001-01-01T00:00:00.000000Z",
            "2099-01-01T00:00:00.000000Z",
            "",
        ] {
            let sighting = seen(&lease("install by anna", renewed, 60), now);
            let left = 60 * SECOND;
            assert_eq!(sighting.judge(&us, now), Verdict::Held { left });
            let left = SECOND;
            assert_eq!(
                sighting.judge(&us, now + 59 * SECOND),
                Verdict::Held { left }
            );
            assert_eq!(sighting.judge(&us, now + 60 * SECOND), Verdict::Free);
        }
    }

    #[test]
    fn any_change_is_a_sign_of_life() {
        let one = Record::of(&lease("anna", "2026-01-01T00:00:00.000000Z", 60));
        assert_eq!(
            one,
            Record::of(&lease("anna", "2026-01-01T00:00:00.000000Z", 60))
        );
        for other in [
            lease("ben", "2026-01-01T00:00:00.000000Z", 60),
            lease("anna", "2026-01-01T00:00:05.000000Z", 60),
            lease("anna", "2026-01-01T00:00:00.000000Z", 30),
        ] {
            assert_ne!(one, Record::of(&other));
        }
    }

    #[test]
    fn a_life_of_a_year_counts_as_five_minutes() {
        let us = Holder::new("install by ben");
        let now = Instant::now();
        let sighting = seen(&lease("anna", "", 31_536_000), now);
        assert_ne!(sighting.judge(&us, now + 299 * SECOND), Verdict::Free);
        assert_eq!(sighting.judge(&us, now + 300 * SECOND), Verdict::Free);
    }

    #[test]
    fn a_holder_that_would_forge_a_line_is_shown_in_one() {
        let record = Record::of(&lease("a\nhint: all is well\u{202e}", "", 60));
        assert_eq!(record.holder, "a\u{fffd}hint: all is well\u{fffd}");
        let long = "x".repeat(4096);
        assert_eq!(Record::of(&lease(&long, "", 60)).holder.len(), 200);
        let us = Holder::new(&format!("install by {long}\n"));
        assert_eq!(Record::of(&lease(us.as_str(), "", 60)).holder, us.as_str());
    }

    #[test]
    fn nobody_and_ourselves() {
        let us = Holder::new("install by ben");
        let now = Instant::now();
        assert_eq!(seen(&lease("", "", 60), now).judge(&us, now), Verdict::Free);
        let ours = lease(us.as_str(), "", 60);
        assert_eq!(seen(&ours, now).judge(&us, now), Verdict::Ours);
        assert_ne!(us, Holder::new("install by ben"), "each command is its own");
    }
}
