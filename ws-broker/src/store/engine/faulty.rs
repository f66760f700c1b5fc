//! An engine that fails from a seed, for tests of what stands above it.
//!
//! It promises what every engine does and no more: a commit that fails may have happened or not; what
//! was committed is there after [`Faulty::killed`], and what was committed with [`Reach::Disk`] after
//! [`Faulty::unpowered`], with none, some or all of the batches that followed, in their order.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use fastrand::Rng;
use parking_lot::Mutex;

use super::memory::Pairs;
use super::{Batch, Engine, EngineError, Reach, Visit};

/// How many in a thousand commits fail, each in its way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Without having happened.
    pub before: u32,
    /// After having happened.
    pub after: u32,
    /// Of all reads, those that fail.
    pub reads: u32,
}

/// The engine.
#[derive(Debug)]
pub(crate) struct Faulty(Mutex<State>);

#[derive(Debug)]
struct State {
    rng: Rng,
    faults: Faults,
    on_disk: Pairs,
    /// What has happened since `on_disk`.
    since: Vec<Batch>,
    now: Pairs,
}

impl Faulty {
    /// An engine in which nothing is, with faults from a seed.
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        Self::of(Pairs::default(), Rng::with_seed(seed), faults)
    }

    fn of(pairs: Pairs, rng: Rng, faults: Faults) -> Self {
        let (on_disk, now) = (pairs.clone(), pairs);
        Self(Mutex::new(State { rng, faults, on_disk, since: Vec::new(), now }))
    }

    /// Fails in another way from now on: with [`Faults::default`], not at all.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// What the next process finds, were this one killed now. It does not fail until it is told to.
    pub(crate) fn killed(&self) -> Self {
        let mut state = self.0.lock();
        let rng = state.rng.fork();
        Self::of(state.now.clone(), rng, Faults::default())
    }

    /// What the next process finds, did the power fail now. It does not fail until it is told to.
    pub(crate) fn unpowered(&self) -> Self {
        let mut state = self.0.lock();
        let mut rng = state.rng.fork();
        let mut pairs = state.on_disk.clone();
        let kept = rng.usize(0..=state.since.len());
        state.since.iter().take(kept).for_each(|batch| pairs.apply(batch));
        Self::of(pairs, rng, Faults::default())
    }
}

impl State {
    fn happen(&mut self, batch: &Batch) {
        self.now.apply(batch);
        self.since.push(batch.clone());
    }

    fn chance(&mut self, per_mille: u32) -> bool {
        self.rng.u32(0..1000) < per_mille
    }

    fn read(&mut self) -> Result<&Pairs, EngineError> {
        match self.chance(self.faults.reads) {
            true => Err(failure(io::ErrorKind::Other)),
            false => Ok(&self.now),
        }
    }
}

fn failure(kind: io::ErrorKind) -> EngineError {
    EngineError::Io { path: PathBuf::from("/store"), why: kind.into() }
}

impl Engine for Faulty {
    fn commit(&self, batch: &Batch, reach: Reach) -> Result<(), EngineError> {
        let mut state = self.0.lock();
        let faults = state.faults;
        if state.chance(faults.before) {
            return Err(failure(io::ErrorKind::StorageFull));
        }
        state.happen(batch);
        if state.chance(faults.after) {
            return Err(failure(io::ErrorKind::Other));
        }
        if reach == Reach::Disk {
            state.on_disk = state.now.clone();
            state.since.clear();
        }
        Ok(())
    }

    fn is_prompt(&self) -> bool {
        true
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.0.lock().read()?.get(key))
    }

    fn scan(&self, prefix: &[u8], each: &mut Visit<'_>) -> Result<(), EngineError> {
        // A copy, so that what is called may come back here.
        let pairs = self.0.lock().read()?.clone();
        pairs.scan(prefix).try_for_each(|(key, value)| each(key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value: u8) -> Batch {
        let mut batch = Batch::default();
        batch.put(b"key", &[value]);
        batch
    }

    fn value(engine: &Faulty) -> Option<u8> {
        engine.get(b"key").unwrap().map(|value| value[0])
    }

    #[test]
    fn what_is_lost_is_what_was_not_promised() {
        let mut seen = [false; 5];
        for seed in 0..100 {
            let engine = Faulty::new(seed, Faults::default());
            engine.commit(&put(1), Reach::Disk).unwrap();
            engine.commit(&put(2), Reach::System).unwrap();
            engine.commit(&put(3), Reach::System).unwrap();
            assert_eq!(value(&engine.killed()), Some(3));
            seen[usize::from(value(&engine.unpowered()).unwrap())] = true;
            engine.set_faults(Faults { before: 1000, ..Faults::default() });
            assert!(engine.commit(&put(4), Reach::Disk).unwrap_err().is_full());
            assert_eq!(value(&engine), Some(3));
            engine.set_faults(Faults { after: 1000, ..Faults::default() });
            assert!(!engine.commit(&put(4), Reach::Disk).unwrap_err().is_full());
            assert_eq!(value(&engine), Some(4));
            engine.set_faults(Faults { reads: 1000, ..Faults::default() });
            assert!(engine.get(b"key").is_err());
            assert!(engine.scan(b"k", &mut |_, _| Ok(())).is_err());
            engine.set_faults(Faults::default());
            engine.commit(&put(0), Reach::Disk).unwrap();
            assert_eq!(value(&engine.unpowered()), Some(0));
        }
        assert_eq!(seen, [false, true, true, true, false]);
    }
}
