//! The hostile host as data: which host call fails or lies, when, and how.

use crate::status::Status;

/// Rules that change the answers of host calls; the first rule that fits a call wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hostile {
    /// The rules.
    pub rules: Vec<Rule>,
}

impl Hostile {
    /// An honest host.
    pub fn none() -> Hostile {
        Hostile::default()
    }

    /// A host whose call of that name always behaves like this.
    pub fn always(call: &str, behaviour: Behaviour) -> Hostile {
        Hostile::none().and(Rule {
            call: call.to_owned(),
            when: When::Always,
            behaviour,
        })
    }

    /// Adds a rule.
    #[must_use]
    pub fn and(mut self, rule: Rule) -> Hostile {
        self.rules.push(rule);
        self
    }

    /// What to do with the `nth` call of that name, counted from 1.
    pub(crate) fn behaviour(&self, call: &str, nth: u64) -> Option<&Behaviour> {
        self.rules
            .iter()
            .find(|rule| rule.call == call && rule.when.fits(nth))
            .map(|rule| &rule.behaviour)
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name of a host call: one of [`crate::host_call_names`].
    pub call: String,
    /// Which of its calls.
    pub when: When,
    /// What happens then.
    pub behaviour: Behaviour,
}

/// Which calls a rule is for; counted from 1 since the rules were set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All of them.
    Always,
    /// This one only.
    Nth(u64),
    /// This one and all later ones.
    From(u64),
}

impl When {
    fn fits(self, nth: u64) -> bool {
        match self {
            When::Always => true,
            When::Nth(wanted) => nth == wanted,
            When::From(first) => nth >= first,
        }
    }
}

/// How a host call goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It does nothing and answers this status.
    Refuse(Status),
    /// It does nothing and answers this number, which need not be a status at all.
    RefuseWith(u32),
    /// It says Ok, does nothing and writes nothing.
    Ignore,
    /// It does its work and lies about the result.
    Lie(Lie),
}

/// How a result is falsified. A lie that does not fit the kind of result leaves it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Only so many bytes are given.
    Truncate(usize),
    /// A null pointer and size 0.
    Nothing,
    /// A header map without entries; for other bytes, four zero bytes.
    EmptyMap,
    /// Header map: the count is four billion. Other bytes: the first four are 0xff.
    GarbageCount,
    /// Header map: every size says 2 GiB. Other bytes: every byte is 0x7f.
    GarbageLengths,
    /// The bytes are right, the size that is reported is this.
    ReportSize(u32),
    /// The pointer that is reported is this, whatever lies there.
    ReportPointer(u32),
    /// Every value begins with bytes that are no UTF-8.
    NotUtf8,
    /// Every header name begins with bytes that are no UTF-8.
    NamesNotUtf8,
    /// These bytes in place of the true ones.
    Bytes(Vec<u8>),
    /// This number in place of the true one: a clock, a token, a metric, a version of shared data.
    Number(u64),
}

impl Lie {
    /// One lie of each kind, for tests that walk through them.
    pub fn samples() -> Vec<Lie> {
        vec![
            Lie::Truncate(0),
            Lie::Truncate(1),
            Lie::Truncate(7),
            Lie::Nothing,
            Lie::EmptyMap,
            Lie::GarbageCount,
            Lie::GarbageLengths,
            Lie::ReportSize(0),
            Lie::ReportSize(3),
            Lie::ReportSize(0x7fff_ffff),
            Lie::ReportSize(u32::MAX),
            Lie::ReportPointer(0),
            Lie::ReportPointer(u32::MAX),
            Lie::NotUtf8,
            Lie::NamesNotUtf8,
            Lie::Bytes(vec![0]),
            Lie::Number(0),
            Lie::Number(u64::MAX),
        ]
    }

    pub(crate) fn about_pairs(&self, pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let broken = |bytes: &[u8]| [&[0xff, 0xfe], bytes].concat();
        let told = match self {
            Lie::NotUtf8 => pairs
                .iter()
                .map(|(name, value)| (name.clone(), broken(value)))
                .collect(),
            Lie::NamesNotUtf8 => pairs
                .iter()
                .map(|(name, value)| (broken(name), value.clone()))
                .collect(),
            _ => pairs.to_vec(),
        };
        let mut bytes = crate::pairs::encode(&told);
        match self {
            Lie::NotUtf8 | Lie::NamesNotUtf8 => bytes,
            Lie::GarbageLengths => {
                let sizes = pairs.len().saturating_mul(2);
                for size in bytes.chunks_exact_mut(4).skip(1).take(sizes) {
                    size.copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
                }
                bytes
            }
            _ => self.about_bytes(bytes),
        }
    }

    pub(crate) fn about_bytes(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Lie::Truncate(keep) => bytes.truncate(*keep),
            Lie::Nothing => bytes.clear(),
            Lie::EmptyMap => bytes = vec![0; 4],
            Lie::GarbageCount => bytes.iter_mut().take(4).for_each(|byte| *byte = 0xff),
            Lie::GarbageLengths => bytes.fill(0x7f),
            Lie::NotUtf8 => bytes = [&[0xff, 0xfe], bytes.as_slice()].concat(),
            Lie::Bytes(told) => bytes.clone_from(told),
            Lie::ReportSize(_) | Lie::ReportPointer(_) | Lie::NamesNotUtf8 | Lie::Number(_) => {}
        }
        bytes
    }
}
