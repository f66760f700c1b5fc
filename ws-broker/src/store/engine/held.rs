//! The tables' file as `redb` sees it. Until all pages are checked, what `redb` writes is held back:
//! it repairs what is damaged by going back to what was before, and that nobody has asked for.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::DiskFile;

/// A file of ours, whose changes may be held back.
#[derive(Debug, Clone)]
pub(super) struct Backend {
    file: Arc<dyn DiskFile>,
    /// What was done to it and held back, in its order; none where nothing is.
    held: Arc<Mutex<Option<Vec<Held>>>>,
}

#[derive(Debug)]
enum Held {
    Write { offset: u64, bytes: Vec<u8> },
    SetLen(u64),
    Sync,
}

impl Backend {
    /// A file that is changed as `redb` asks.
    pub(super) fn new(file: Arc<dyn DiskFile>) -> Self {
        Self { file, held: Arc::default() }
    }

    /// A file that is not changed until it is released.
    pub(super) fn holding(file: Arc<dyn DiskFile>) -> Self {
        Self { file, held: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    /// Changes the file as was asked meanwhile, and from now on at once.
    pub(super) fn release(&self) -> io::Result<()> {
        let mut held = self.held.lock();
        for change in held.take().into_iter().flatten() {
            match change {
                Held::Write { offset, bytes } => self.file.write(offset, &bytes)?,
                Held::SetLen(len) => {
                    self.file.set_len(len)?;
                    self.file.sync()?;
                }
                Held::Sync => self.file.sync()?,
            }
        }
        Ok(())
    }

    /// Holds a change back, or else makes it.
    fn change(
        &self,
        change: impl FnOnce() -> Held,
        make: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        match self.held.lock().as_mut() {
            Some(held) => held.push(change()),
            None => return make(),
        }
        Ok(())
    }
}

/// The length of a file of `len` bytes after changes.
fn len_after(len: u64, held: &[Held]) -> u64 {
    held.iter().fold(len, |len, change| match change {
        Held::Write { offset, bytes } => len.max(offset.saturating_add(bytes.len() as u64)),
        Held::SetLen(len) => *len,
        Held::Sync => len,
    })
}

/// Makes of `out`, which is what stands at `offset` of a file, what stands there after a change.
fn apply(change: &Held, offset: u64, out: &mut [u8]) {
    match change {
        Held::Write { offset: at, bytes } => {
            // Where the two overlap, as places in either.
            let (in_out, in_bytes) = (at.saturating_sub(offset), offset.saturating_sub(*at));
            let to = usize::try_from(in_out).ok().and_then(|at| out.get_mut(at..));
            let from = usize::try_from(in_bytes).ok().and_then(|at| bytes.get(at..));
            for (to, from) in to.into_iter().flatten().zip(from.into_iter().flatten()) {
                *to = *from;
            }
        }
        Held::SetLen(len) => {
            let at = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
            out.get_mut(at..).unwrap_or_default().fill(0);
        }
        Held::Sync => {}
    }
}

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        let held = self.held.lock();
        Ok(len_after(self.file.len()?, held.as_deref().unwrap_or_default()))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let held = self.held.lock();
        let Some(held) = held.as_deref() else {
            return self.file.read(offset, out);
        };
        let len = self.file.len()?;
        if offset.saturating_add(out.len() as u64) > len_after(len, held) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let there = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (there, beyond) = out.split_at_mut(there.min(out.len()));
        if !there.is_empty() {
            self.file.read(offset, there)?;
        }
        beyond.fill(0);
        held.iter().for_each(|change| apply(change, offset, out));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // What is written there next must not be on the disk without the room around it: a file of a
        // length that `redb` never asked for it takes for a damaged one.
        let set = || {
            self.file.set_len(len)?;
            self.file.sync()
        };
        self.change(|| Held::SetLen(len), set)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|| Held::Sync, || self.file.sync())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let held = || Held::Write { offset, bytes: data.to_vec() };
        self.change(held, || self.file.write(offset, data))
    }
}

#[cfg(test)]
mod tests {
    use redb::StorageBackend;

    use super::super::disk::Disk;
    use super::super::simulated::SimDisk;
    use super::*;

    fn all(file: &dyn DiskFile) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_held_back_reads_as_if_it_were_not() {
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let disk = SimDisk::default();
            let (file, other) = (disk.create("a").unwrap(), disk.create("b").unwrap());
            let start: Vec<_> = (0..rng.usize(0..60)).map(|_| rng.u8(..)).collect();
            file.write(0, &start).unwrap();
            other.write(0, &start).unwrap();
            let (held, free) = (Backend::holding(file.clone()), Backend::new(other.clone()));
            for _ in 0..12 {
                let (offset, bytes) = (rng.u64(0..80), vec![rng.u8(..); rng.usize(0..30)]);
                let is_write = rng.u32(0..3) > 0;
                for backend in [&held, &free] {
                    match is_write {
                        true => backend.write(offset, &bytes).unwrap(),
                        false => backend.set_len(offset).unwrap(),
                    }
                }
                assert_eq!(held.len().unwrap(), free.len().unwrap());
                let (mut one, mut two) = (bytes.clone(), bytes);
                let found = held.read(offset, &mut one).is_ok();
                assert_eq!(found, free.read(offset, &mut two).is_ok());
                assert!(!found || one == two, "STORE_SEED={seed}");
            }
            assert_eq!(all(&*file), start);
            held.release().unwrap();
            assert_eq!(all(&*file), all(&*other));
            held.set_len(0).unwrap();
            assert_eq!(file.len().unwrap(), 0);
        }
    }
}
