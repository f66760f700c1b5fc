//! Changes that are in the journal and not yet in the tables.

use bytes::Bytes;
use hashbrown::HashMap;

use super::batch::Changes;

/// What the memory of a change is counted with beyond its key and its value.
const CHANGE_OVERHEAD: usize = 64;

/// The last change of each key that changed lately.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// None where a key is to go.
    changes: HashMap<Box<[u8]>, Option<Bytes>>,
    bytes: usize,
}

impl Recent {
    /// Notes changes.
    pub(super) fn apply(&mut self, changes: Changes<'_>) {
        for (key, value) in changes {
            let value = value.map(Bytes::copy_from_slice);
            let added = value.as_ref().map_or(0, Bytes::len);
            self.bytes = self.bytes.saturating_add(added);
            match self.changes.get_mut(key) {
                Some(current) => {
                    let gone = current.as_ref().map_or(0, Bytes::len);
                    self.bytes = self.bytes.saturating_sub(gone);
                    *current = value;
                }
                None => {
                    let size = key.len().saturating_add(CHANGE_OVERHEAD);
                    self.bytes = self.bytes.saturating_add(size);
                    self.changes.insert(key.into(), value);
                }
            }
        }
    }

    /// The last change of a key, if there was one: its value, or that it is to go.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.changes.get(key)
    }

    /// All changes whose key begins with `prefix`, in no order.
    pub(super) fn under(&self, prefix: &[u8]) -> impl Iterator<Item = (&[u8], &Option<Bytes>)> {
        self.changes
            .iter()
            .filter(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.as_ref(), value))
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing changed.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
