//! Changes to a request's headers, as data.

use std::sync::Arc;

/// A change to a request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Every header with this name goes.
    Remove(Arc<str>),
    /// This becomes the only header with this name.
    Set(Arc<str>, Arc<[u8]>),
}

impl Edit {
    pub(crate) fn remove(name: impl Into<Arc<str>>) -> Self {
        Self::Remove(name.into())
    }

    pub(crate) fn set(name: impl Into<Arc<str>>, value: impl Into<Arc<[u8]>>) -> Self {
        Self::Set(name.into(), value.into())
    }

    /// The header's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Remove(name) | Self::Set(name, _) => name,
        }
    }

    /// What the header becomes; empty where it goes.
    pub(crate) fn value(&self) -> &[u8] {
        match self {
            Self::Remove(_) => &[],
            Self::Set(_, value) => value,
        }
    }
}

/// A list of headers in their order: names in lower case, values as they came.
pub type HeaderList = Vec<(Vec<u8>, Vec<u8>)>;

/// Carries edits out on a list: a value that is set comes last, in the place of every line of its name.
pub(crate) fn apply(edits: &[Edit], headers: &mut HeaderList) {
    for edit in edits {
        headers.retain(|(name, _)| name != edit.name().as_bytes());
        if let Edit::Set(name, value) = edit {
            headers.push((name.as_bytes().to_vec(), value.to_vec()));
        }
    }
}
