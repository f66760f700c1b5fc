//! An engine that keeps everything in memory, for tests of what stands above it.

use std::collections::BTreeMap;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{Batch, Engine, EngineError, Reach, Visit};

/// Keys and values that are gone when it is dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pairs(BTreeMap<Vec<u8>, Bytes>);

impl Pairs {
    /// Applies a batch.
    pub(crate) fn apply(&mut self, batch: &Batch) {
        for (key, value) in batch.iter() {
            match value {
                Some(value) => self.0.insert(key.to_vec(), Bytes::copy_from_slice(value)),
                None => self.0.remove(key),
            };
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.get(key).cloned()
    }

    /// All pairs whose key begins with `prefix`.
    pub(crate) fn scan(&self, prefix: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0
            .range(prefix.to_vec()..)
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.as_slice(), value.as_ref()))
    }
}

/// An engine whose commits never fail.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Pairs>);

impl Engine for Memory {
    fn commit(&self, batch: &Batch, _: Reach) -> Result<(), EngineError> {
        self.0.lock().apply(batch);
        Ok(())
    }

    fn is_prompt(&self) -> bool {
        true
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.0.lock().get(key))
    }

    fn scan(&self, prefix: &[u8], each: &mut Visit<'_>) -> Result<(), EngineError> {
        // A copy, so that what is called may come back here.
        let pairs = self.0.lock().clone();
        pairs.scan(prefix).try_for_each(|(key, value)| each(key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_was_committed() {
        let engine = Memory::default();
        let mut batch = Batch::default();
        batch.put(b"a1", b"one");
        batch.put(b"a2", b"two");
        batch.put(b"b1", b"other");
        engine.commit(&batch, Reach::System).unwrap();
        batch.clear();
        batch.delete(b"a1");
        engine.commit(&batch, Reach::Disk).unwrap();
        assert_eq!(engine.get(b"a1").unwrap(), None);
        assert_eq!(engine.get(b"b1").unwrap(), Some(Bytes::from("other")));
        let mut seen = Vec::new();
        engine
            .scan(b"a", &mut |key, value| {
                seen.push((key.to_vec(), value.to_vec()));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [(b"a2".to_vec(), b"two".to_vec())]);
    }
}
