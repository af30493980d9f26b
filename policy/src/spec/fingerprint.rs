//! The name of a policy: what its parsed value is, not how it was spelled.
//!
//! Istio carries a plugin's configuration as a protobuf Struct and spells it anew: other order, other white space, `1.0` for `1`. The fingerprint is taken over
//! a canonical form that none of this changes: members sorted by name, no white space, whole numbers without a fraction and others as `d` and the bits of
//! their doubles, texts as JSON with the fewest escapes.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::spec::sorted;
use crate::spec::tape::Raw;

/// SHA-256 of a policy's canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The first 52 bits, the most that a gauge read as a double keeps exactly.
    pub fn gauge(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 12
    }

    /// The fingerprint of a document: its `apiVersion` and its `spec` without `target`. `None` when it nests too deep.
    pub(crate) fn of(api_version: &str, spec: Raw<'_>) -> Option<Self> {
        let mut canonical = Canonical(Sha256::new());
        canonical.0.update(b"{\"apiVersion\":");
        canonical.text(api_version);
        canonical.0.update(b",\"spec\":");
        canonical.object(spec.members()?, Some("target"), 0)?;
        canonical.0.update(b"}");
        Some(Self(canonical.0.finalize().into()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// No policy nests deeper than this; what does is refused rather than walked.
const DEEPEST: usize = 32;

struct Canonical(Sha256);

impl Canonical {
    fn value(&mut self, raw: Raw<'_>, depth: usize) -> Option<()> {
        let depth = depth + 1;
        if depth > DEEPEST {
            return None;
        }
        match raw.get().as_bytes().first()? {
            b'{' => self.object(raw.members()?, None, depth)?,
            b'[' => {
                self.0.update(b"[");
                for (index, item) in raw.elements()?.into_iter().enumerate() {
                    if index > 0 {
                        self.0.update(b",");
                    }
                    self.value(item, depth)?;
                }
                self.0.update(b"]");
            }
            // Without escapes it stands there in the canonical form.
            b'"' => match raw.plain() {
                Some(_) => self.0.update(raw.get()),
                None => self.text(&raw.text()?),
            },
            b't' | b'f' | b'n' => self.0.update(raw.get()),
            _ => {
                let number = raw.number()?;
                let whole = number as i64;
                // As integers, or by their bits behind a mark that no integer has: printing doubles would take a thirtieth of the module. -0 is 0.
                if whole as f64 == number {
                    self.0.update(whole.to_string());
                } else {
                    self.0.update(format!("d{:016x}", number.to_bits()));
                }
            }
        }
        Some(())
    }

    fn object(
        &mut self,
        mut members: Vec<(Cow<'_, str>, Raw<'_>)>,
        without: Option<&str>,
        depth: usize,
    ) -> Option<()> {
        members.retain(|(name, _)| Some(&**name) != without);
        let names: Vec<(&str, usize)> = members
            .iter()
            .enumerate()
            .map(|(index, (name, _))| (&**name, index))
            .collect();
        for (place, (name, index)) in sorted(names).into_iter().enumerate() {
            self.0.update(if place > 0 { &b","[..] } else { b"{" });
            self.text(name);
            self.0.update(b":");
            self.value(members.get(index)?.1, depth)?;
        }
        if members.is_empty() {
            self.0.update(b"{");
        }
        self.0.update(b"}");
        Some(())
    }

    fn text(&mut self, text: &str) {
        // A text always serialises.
        self.0
            .update(serde_json::to_string(text).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tape::Tape;

    fn of(spec: &str) -> Fingerprint {
        let tape = Tape::of(spec).unwrap();
        Fingerprint::of("v", tape.root()).unwrap()
    }

    #[test]
    fn spelling_does_not_change_it() {
        let plain = of(r#"{"a":{"hops":1,"x":["é\n"]},"b":true}"#);
        assert_eq!(
            plain,
            of(r#"{ "b" : true, "a": {"x": ["\u00e9\u000a"], "hops": 1.0} }"#)
        );
        assert_eq!(
            plain,
            of(r#"{"a":{"hops":1e0,"x":["é\n"]},"b":true,"target":{"gateway":"g"}}"#)
        );
    }

    /// Proxies of one release are compared with plugins of another: the form may not change. The sum is `sha256sum`'s, of the form written out.
    #[test]
    fn the_form_is_written_out() {
        // {"apiVersion":"v","spec":{"a":1,"b":[d4004000000000000,"x\"é\n","/"],"c":true,"d":null,"e":-7,"f":[],"z":{}}}
        let spec = r#"{"z": {}, "f": [ ], "e": -7.0, "d": null, "c": true, "b": [2.5, "x\"\u00e9\n", "\/"], "a": 1e0, "target": {}}"#;
        let sum = "592647265053e7afa145e7caea70b4660a0a2a6b4e0f69387d3e4b4261c8293c";
        assert_eq!(of(spec).to_string(), sum);
        assert_eq!(format!("{:?}", of(spec)), format!("Fingerprint({sum})"));
        assert_eq!(of(spec).gauge(), 0x5_9264_7265_053e);
    }

    #[test]
    fn a_spec_may_nest_to_a_depth_and_no_deeper() {
        let nested = |levels: usize| {
            let spec = format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
            Fingerprint::of("v", Tape::of(&spec).unwrap().root()).is_some()
        };
        assert!(nested(DEEPEST - 1) && !nested(DEEPEST));
    }

    #[test]
    fn meaning_does() {
        let plain = of(r#"{"a":1,"b":["x","y"]}"#);
        for other in [
            r#"{"a":2,"b":["x","y"]}"#,
            r#"{"a":1,"b":["y","x"]}"#,
            r#"{"a":"1","b":["x","y"]}"#,
            r#"{"a":1}"#,
            r#"{"a":1.5,"b":["x","y"]}"#,
        ] {
            assert_ne!(plain, of(other), "{other}");
        }
        // The bits of 2.5 are 4004000000000000 in hexadecimal digits.
        assert_ne!(of(r#"{"a":2.5}"#), of(r#"{"a":4004000000000000}"#));
        assert_eq!(of(r#"{"a":2.5}"#), of(r#"{"a":25e-1}"#));
    }

    #[test]
    fn the_gauge_is_exact_as_a_double() {
        let gauge = of("{}").gauge();
        assert_eq!(gauge as f64 as u64, gauge);
        assert!(gauge < 1 << 52);
        assert!(of("{}").to_string().starts_with(&format!("{gauge:013x}")));
    }
}
