//! Shared data: what all workers of a proxy see. A handle, so that simulators can share it; never a static.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::status::Status;

/// A handle to one store of shared data; clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct SharedData(Arc<Mutex<Store>>);

#[derive(Debug, Default)]
struct Store {
    entries: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last_version: u32,
}

impl SharedData {
    /// Everything that is stored.
    pub fn snapshot(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.store()
            .entries
            .iter()
            .map(|(key, (value, _))| (key.clone(), value.clone()))
            .collect()
    }

    /// Writes as another plugin of the same proxy would: shared data is open to all of them.
    pub fn put(&self, key: &[u8], value: &[u8]) {
        let mut store = self.store();
        let version = store.next_version();
        store
            .entries
            .insert(key.to_vec(), (value.to_vec(), version));
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        self.store().entries.get(key).cloned()
    }

    /// Writes if the version is still the expected one; 0 expects nothing, and so does an absent key.
    pub(crate) fn set(&self, key: &[u8], value: &[u8], expected: u32) -> Result<(), Status> {
        let mut store = self.store();
        if let Some((_, version)) = store.entries.get(key)
            && expected != 0
            && expected != *version
        {
            return Err(Status::CasMismatch);
        }
        let version = store.next_version();
        store
            .entries
            .insert(key.to_vec(), (value.to_vec(), version));
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Every write is one insert, so a panic elsewhere can't leave half of one behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn next_version(&mut self) -> u32 {
        self.last_version = self.last_version.checked_add(1).unwrap_or(1);
        self.last_version
    }
}
