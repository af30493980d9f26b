//! A header map with Envoy's manners: names are lower case, repeated names keep their order, values are bytes.

use crate::Pairs;

/// An ordered header map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(Pairs);

impl Headers {
    pub(crate) fn new(pairs: Pairs) -> Headers {
        Headers(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect(),
        )
    }

    pub(crate) fn pairs(&self) -> &Pairs {
        &self.0
    }

    /// The first value only, whatever else is there: that is what Envoy's single-value getter gives.
    pub(crate) fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// All values of a name, in order.
    pub(crate) fn all(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .filter(move |(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
    }

    /// Takes every line of that name away and puts one at the end, as Envoy's `setCopy` does.
    pub(crate) fn replace(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// The sum of all names and values in bytes: what `proxy_get_header_map_size` answers.
    pub(crate) fn byte_size(&self) -> usize {
        self.0
            .iter()
            .flat_map(|(name, value)| [name.len(), value.len()])
            .sum()
    }
}
