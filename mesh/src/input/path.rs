//! Paths into an `IstioOperator`, in istioctl's spelling: `components.ingressGateways[0].k8s`, `k8s.env[name:PILOT_HTTP10].value`,
//! `podAnnotations.prometheus\.io/port`. They begin below `spec`.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A field of an object.
    Key(String),
    /// An item of a list by its number, from zero.
    Index(usize),
    /// The item of a list whose field has this value.
    Item(String, String),
}

/// A path with at least one step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

impl Path {
    /// Reads a path; says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut steps = Vec::new();
        for part in split(text) {
            let (key, brackets) = match part.find('[') {
                Some(at) => part.split_at(at),
                None => (part.as_str(), ""),
            };
            if !key.is_empty() {
                steps.push(Step::Key(key.replace("\\.", ".")));
            } else if brackets.is_empty() {
                return Err("an empty step");
            }
            if !brackets.is_empty() {
                let inner = brackets
                    .strip_prefix('[')
                    .and_then(|rest| rest.strip_suffix(']'));
                steps.push(item(inner.ok_or("a bracket that is not closed")?)?);
            }
        }
        match steps.first() {
            Some(Step::Key(_)) => Ok(Self(steps)),
            _ => Err("no field to begin with"),
        }
    }

    /// Its steps, at least one.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path without any step: `spec` itself.
    pub(crate) fn root() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn key(&self, name: &str) -> Self {
        self.with(Step::Key(name.to_owned()))
    }

    pub(crate) fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Whether this path is `other` or below it.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The names of its fields, without places in lists.
    pub(crate) fn keys(&self) -> Vec<&str> {
        fn key(step: &Step) -> Option<&str> {
            match step {
                Step::Key(name) => Some(name),
                _ => None,
            }
        }
        self.0.iter().filter_map(key).collect()
    }
}

fn item(inner: &str) -> Result<Step, &'static str> {
    if let Some((name, value)) = inner.split_once(':') {
        return Ok(Step::Item(name.to_owned(), value.to_owned()));
    }
    inner
        .parse()
        .map(Step::Index)
        .map_err(|_| "a bracket with neither a number nor `name:value`")
}

/// Splits at dots, but not at `\.` and not inside of brackets.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut escaped, mut inside) = (false, false);
    for c in text.chars() {
        inside = (inside || c == '[') && c != ']';
        match (c == '.' && !escaped && !inside, parts.last_mut()) {
            (false, Some(last)) => last.push(c),
            _ => parts.push(String::new()),
        }
        escaped = c == '\\';
    }
    // istioctl's own spelling of a list is `list.[0]`.
    let mut joined: Vec<String> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(last) if part.starts_with('[') && !last.ends_with(']') => last.push_str(&part),
            _ => joined.push(part),
        }
    }
    joined
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(name) if index == 0 => f.write_str(&name.replace('.', "\\."))?,
                Step::Key(name) => write!(f, ".{}", name.replace('.', "\\."))?,
                Step::Index(number) => write!(f, "[{number}]")?,
                Step::Item(name, value) => write!(f, "[{name}:{value}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for text in [
            "hub",
            "components.ingressGateways[0].k8s.replicaCount",
            "components.pilot.k8s.env[name:A.B].value",
            r"components.pilot.k8s.podAnnotations.prometheus\.io/port",
        ] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        let dotted = Path::parse("components.ingressGateways.[0].enabled").unwrap();
        assert_eq!(dotted.to_string(), "components.ingressGateways[0].enabled");
    }

    #[test]
    fn broken_paths_are_refused() {
        for text in ["", ".", "a..b", "[0].a", "a[0", "a[x]", "a[0][1]"] {
            assert!(Path::parse(text).is_err(), "{text:?}");
        }
    }
}
