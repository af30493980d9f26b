//! The way back: what was changed, created and removed, kept in one Secret in the cluster so that whoever runs `--undo`
//! finds it. A record that exists is added to: what it says of an object stays the first state.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::codes::Code;
use crate::object::{Id, Object};
use crate::observed::{ISTIO_SYSTEM, MANAGED_BY, MANAGED_BY_LABEL};
use crate::plan::Gate;

/// The Secret, in the root namespace.
pub const BACKUP: &str = "kyma-istio-patch-backup";
const KEY: &str = "changes.json.gz";
/// Unpacked; a Secret holds a megabyte packed.
const LONGEST: u64 = 64 << 20;

/// Changes in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record(Vec<Change>);

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Fields of an object.
    Changed {
        /// Which.
        id: Id,
        /// The fields as they were.
        before: Value,
        /// The fields as they were set.
        after: Value,
    },
    /// An object that is new.
    Created {
        /// Which.
        id: Id,
        /// The fields that say whether it is still what was made.
        #[serde(default)]
        made: Value,
    },
    /// An object that was removed.
    Removed {
        /// It, as it can be applied again.
        object: Value,
    },
}

/// A Secret of this name that isn't a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`Secret {ISTIO_SYSTEM}/{BACKUP}` is no record of `patch`: {0}")]
pub struct RecordError(String);

impl RecordError {
    pub(super) fn gate(&self) -> Gate {
        Gate {
            code: Code::CannotTell,
            what: self.to_string(),
            hint: Some(
                "rename or delete it; what it held can't be undone by this plugin".to_owned(),
            ),
        }
    }
}

impl Change {
    /// The object.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        match self {
            Self::Changed { id, .. } | Self::Created { id, .. } => Some(id.clone()),
            Self::Removed { object } => Object::new(object.clone()).ok().map(|object| object.id()),
        }
    }
}

impl Record {
    /// Every change, in its order.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.0
    }

    pub(super) fn of(changes: Vec<Change>) -> Self {
        Self(changes)
    }

    pub(super) fn add(&mut self, change: Change) {
        self.0.push(change);
    }

    /// This one, then what is new in the other. What was changed since it was recorded is recorded anew.
    pub(super) fn and(mut self, new: Self) -> Self {
        for change in new.0 {
            let known = self.0.iter().position(|old| old.id() == change.id());
            match (known.and_then(|at| self.0.get_mut(at)), change) {
                // Killed before it was written: as it is recorded.
                (Some(Change::Changed { before, .. }), Change::Changed { before: now, .. })
                    if *before == now => {}
                (Some(old), change) => *old = change,
                (None, change) => self.0.push(change),
            }
        }
        self
    }

    /// The Secret that holds it.
    pub(super) fn secret(&self) -> Object {
        let text = json!(self).to_string();
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        // Writing into memory can't fail.
        let _ = packed.write_all(text.as_bytes());
        let bytes = packed.finish().unwrap_or_default();
        let value = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kyma-istio.dev/patch-backup",
            "metadata": { "name": BACKUP, "namespace": ISTIO_SYSTEM, "labels": labels() },
            "data": { KEY: STANDARD.encode(bytes) },
        });
        #[expect(
            clippy::expect_used,
            reason = "it stands here with all that an object needs"
        )]
        Object::new(value).expect("an object")
    }
}

pub(super) fn labels() -> Value {
    json!({ MANAGED_BY_LABEL: MANAGED_BY })
}

/// The record among the root namespace's objects, if there is one.
pub(super) fn find(root: &[Object]) -> Result<Option<Record>, RecordError> {
    let Some(secret) = secret(root) else {
        return Ok(None);
    };
    let wrong = |what: &str| RecordError(what.to_owned());
    let text = secret
        .pointer("/data")
        .and_then(|data| data.get(KEY)?.as_str())
        .ok_or_else(|| wrong("it has no key `changes.json.gz`"))?;
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| wrong("its data is no base64"))?;
    let mut unpacked = String::new();
    let mut reader = GzDecoder::new(bytes.as_slice()).take(LONGEST);
    reader
        .read_to_string(&mut unpacked)
        .map_err(|_| wrong("its data is no gzip"))?;
    serde_json::from_str(&unpacked)
        .map(Some)
        .map_err(|error| RecordError(error.to_string()))
}

pub(super) fn secret(root: &[Object]) -> Option<&Object> {
    root.iter()
        .find(|object| object.kind() == "Secret" && object.name() == BACKUP)
}
