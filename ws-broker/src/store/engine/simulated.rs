//! A disk that remembers what was done to it, so that a test can see what would be left of it had the
//! program been killed, or the power failed, at any moment.
//!
//! What such a disk promises is what file systems do: what was synced is there. Of what was written
//! since, any sectors may be there and others not, whichever was written first; where a file has
//! become longer, a sector that is not there reads as zeros. Changes of names become lasting in their
//! order. A file whose sync has failed never gets what was written before it on the disk for certain.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use parking_lot::Mutex;

use super::disk::{Disk, DiskFile, Page, Sheet};

const SECTOR: usize = 512;

/// The number of a file, whatever its name.
type File = usize;

/// Something that was done.
#[derive(Debug, Clone)]
enum Op {
    Write { file: File, offset: usize, bytes: Vec<u8>, order: Order },
    SetLen { file: File, len: usize },
    Sync { file: File },
    SyncFailed { file: File },
    Name { file: File, name: String },
    Rename { from: String, to: String },
    Remove { name: String },
    SyncNames,
}

/// In what order bytes get where they are written.
#[derive(Debug, Clone, Copy)]
enum Order {
    FromTheFirst,
    Any,
    AllAtOnce,
}

/// What is on a disk at one moment.
#[derive(Debug, Clone, Default)]
struct Content {
    names: BTreeMap<String, File>,
    files: Vec<Vec<u8>>,
}

impl Content {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Write { file, offset, bytes, .. } => {
                let content = &mut self.files[*file];
                let end = offset + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*offset..end].copy_from_slice(bytes);
            }
            Op::SetLen { file, len } => self.files[*file].resize(*len, 0),
            Op::Name { file, name } => {
                self.names.insert(name.clone(), *file);
            }
            Op::Rename { from, to } => {
                let file = self.names.remove(from).unwrap();
                self.names.insert(to.clone(), file);
            }
            Op::Remove { name } => {
                self.names.remove(name).unwrap();
            }
            Op::Sync { .. } | Op::SyncFailed { .. } | Op::SyncNames => {}
        }
    }
}

/// What is to go wrong.
#[derive(Debug, Default)]
struct Faults {
    rng: Rng,
    /// How many in a thousand writes and syncs fail.
    per_mille: u32,
}

#[derive(Debug)]
struct State {
    /// What was there at the beginning, all of it on the disk.
    start: Content,
    now: Content,
    ops: Vec<Op>,
    faults: Faults,
    boot: u64,
    /// Nothing that is done to it has an effect.
    is_left_alone: bool,
    has_sheets: bool,
}

/// The disk.
#[derive(Debug, Clone)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

impl Default for SimDisk {
    fn default() -> Self {
        Self::of(Content::default(), 1)
    }
}

impl SimDisk {
    fn of(content: Content, boot: u64) -> Self {
        let (start, now) = (content.clone(), content);
        let (ops, faults) = (Vec::new(), Faults::default());
        let (is_left_alone, has_sheets) = (false, true);
        let state = State { start, now, ops, faults, boot, is_left_alone, has_sheets };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Has no file of it lie in memory from now on.
    pub(super) fn do_without_sheets(&self) {
        self.0.lock().has_sheets = false;
    }

    /// Ends who uses it as if they were killed.
    pub(super) fn kill<T>(&self, user: T) {
        self.0.lock().is_left_alone = true;
        drop(user);
        self.0.lock().is_left_alone = false;
    }

    /// How much has been done to it.
    pub(super) fn ops(&self) -> usize {
        self.0.lock().ops.len()
    }

    /// After how much of what was done something had just been synced.
    pub(super) fn sync_boundaries(&self) -> Vec<usize> {
        let state = self.0.lock();
        let ops = state.ops.iter().enumerate();
        ops.filter(|(_, op)| matches!(op, Op::Sync { .. } | Op::SyncNames))
            .map(|(index, _)| index + 1)
            .collect()
    }

    /// From now on, so many in a thousand writes and syncs fail.
    pub(super) fn fail(&self, per_mille: u32, seed: u64) {
        self.0.lock().faults = Faults { rng: Rng::with_seed(seed), per_mille };
    }

    /// The disk as the next process finds it, had this one been killed after so much was done.
    pub(super) fn killed(&self, after: usize, rng: &mut Rng) -> Self {
        let state = self.0.lock();
        let mut content = state.start.clone();
        content.files.resize(state.now.files.len(), Vec::new());
        state.ops[..after].iter().for_each(|op| content.apply(op));
        if let Some(Op::Write { file, offset, bytes, order }) = state.ops.get(after) {
            let content = &mut content.files[*file];
            match order {
                Order::FromTheFirst => {
                    let bytes = &bytes[..rng.usize(0..=bytes.len())];
                    content.resize(content.len().max(offset + bytes.len()), 0);
                    content[*offset..][..bytes.len()].copy_from_slice(bytes);
                }
                Order::Any => {
                    let percent = rng.u32(0..=100);
                    let places = content[*offset..].iter_mut().zip(bytes);
                    let written = places.filter(|_| rng.u32(0..100) < percent);
                    written.for_each(|(place, byte)| *place = *byte);
                }
                Order::AllAtOnce => {}
            }
        }
        Self::of(content, state.boot)
    }

    /// The disk as the next process finds it, had the power failed after so much was done.
    pub(super) fn unpowered(&self, after: usize, rng: &mut Rng) -> Self {
        let state = self.0.lock();
        let ops = &state.ops[..after];
        let mut content = state.start.clone();
        content.files.resize(state.now.files.len(), Vec::new());
        let (mut names, mut pending) = (Vec::new(), vec![Vec::new(); content.files.len()]);
        let mut limbo = pending.clone();
        for op in ops {
            match op {
                Op::Write { file, .. } | Op::SetLen { file, .. } => pending[*file].push(op),
                Op::Sync { file } => {
                    // What is in limbo was written before, and may still be lost.
                    lose_some(&mut content, &std::mem::take(&mut limbo[*file]), rng);
                    pending[*file].drain(..).for_each(|op| content.apply(op));
                }
                Op::SyncFailed { file } => limbo[*file].append(&mut pending[*file]),
                Op::Name { .. } | Op::Rename { .. } | Op::Remove { .. } => names.push(op),
                Op::SyncNames => names.drain(..).for_each(|op| content.apply(op)),
            }
        }
        for (limbo, pending) in limbo.iter().zip(&pending) {
            lose_some(&mut content, limbo, rng);
            lose_some(&mut content, pending, rng);
        }
        let kept = rng.usize(0..=names.len());
        names[..kept].iter().for_each(|op| content.apply(op));
        Self::of(content, state.boot + 1)
    }

    /// The disk with another bit somewhere in the file of this name.
    pub(super) fn damaged(&self, name: &str, at: usize, bit: u8) -> Self {
        let state = self.0.lock();
        let mut content = state.now.clone();
        let file = content.names[name];
        content.files[file][at] ^= 1 << bit;
        Self::of(content, state.boot)
    }

    /// The disk after the machine was started anew.
    pub(super) fn rebooted(&self) -> Self {
        let state = self.0.lock();
        Self::of(state.now.clone(), state.boot + 1)
    }

    /// All files and what is in them.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let content = &self.0.lock().now;
        let files = content.names.iter();
        files.map(|(name, file)| (name.clone(), content.files[*file].clone())).collect()
    }

    /// Writes all files into a folder.
    pub(super) fn write_to(&self, folder: &Path) {
        for (name, bytes) in self.files() {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }

    fn act(&self, op: Op) {
        let mut state = self.0.lock();
        if state.is_left_alone {
            return;
        }
        state.now.apply(&op);
        state.ops.push(op);
    }

    /// Fails if it is to.
    fn chance(&self) -> io::Result<()> {
        let faults = &mut self.0.lock().faults;
        match faults.rng.u32(0..1000) < faults.per_mille {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    fn make_file(&self, name: &str) -> io::Result<File> {
        self.chance()?;
        let mut state = self.0.lock();
        let file = state.now.files.len();
        if !state.is_left_alone {
            state.now.files.push(Vec::new());
        }
        drop(state);
        self.act(Op::Name { file, name: name.to_owned() });
        Ok(file)
    }

    fn open_file(&self, file: File) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), file })
    }
}

/// Applies operations on a file of which nobody knows whether they have reached the disk.
fn lose_some(content: &mut Content, ops: &[&Op], rng: &mut Rng) {
    let percent = *rng.choice(&[0, 10, 50, 90, 100]).unwrap();
    for op in ops {
        match op {
            Op::Write { file, offset, bytes, order } => {
                let (mut at, mut rest) = (*offset, bytes.as_slice());
                while !rest.is_empty() {
                    let (piece, left) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                    if rng.u32(0..100) < percent {
                        let bytes = piece.to_vec();
                        content.apply(&Op::Write { file: *file, offset: at, bytes, order: *order });
                    } else if rng.bool() {
                        // The file's new length may be there without what was written.
                        let len = content.files[*file].len().max(at + piece.len());
                        content.files[*file].resize(len, 0);
                    }
                    (at, rest) = (at + piece.len(), left);
                }
            }
            op if rng.u32(0..100) < percent => content.apply(op),
            _ => {}
        }
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().now.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.lock().now.names.get(name).copied();
        Ok(self.open_file(file.ok_or(io::ErrorKind::NotFound)?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.open_file(self.make_file(name)?))
    }

    fn create_sheet(&self, name: &str, len: usize) -> io::Result<Option<Sheet>> {
        if !self.0.lock().has_sheets {
            return Ok(None);
        }
        let number = self.make_file(name)?;
        let file = self.open_file(number);
        file.set_len(len as u64)?;
        let page = SimPage { disk: self.clone(), file: number, bytes: vec![0; len] };
        Ok(Some(Sheet::new(page, file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.chance()?;
        self.act(Op::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.chance()?;
        self.act(Op::Remove { name: name.to_owned() });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.chance()?;
        self.act(Op::SyncNames);
        Ok(())
    }

    fn boot(&self) -> Option<u64> {
        Some(self.0.lock().boot)
    }
}

#[derive(Debug)]
struct SimPage {
    disk: SimDisk,
    file: File,
    bytes: Vec<u8>,
}

impl Page for SimPage {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        let (bytes, order) = (bytes.to_vec(), Order::Any);
        self.disk.act(Op::Write { file: self.file, offset, bytes, order });
        Ok(())
    }

    fn mark(&mut self, offset: usize, bytes: [u8; 4]) -> io::Result<()> {
        assert!(offset.is_multiple_of(4));
        self.bytes[offset..offset + 4].copy_from_slice(&bytes);
        let (bytes, order) = (bytes.to_vec(), Order::AllAtOnce);
        self.disk.act(Op::Write { file: self.file, offset, bytes, order });
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: File,
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().now.files[self.file].len() as u64)
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.disk.0.lock();
        let (content, offset) = (&state.now.files[self.file], usize::try_from(offset).unwrap());
        let found = content.get(offset..offset + bytes.len());
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (file, offset) = (self.file, usize::try_from(offset).unwrap());
        let result = self.disk.chance();
        let written = match result {
            Ok(()) => bytes.len(),
            // There was room for a part of it.
            Err(_) => self.disk.0.lock().faults.rng.usize(0..=bytes.len()),
        };
        let (bytes, order) = (bytes[..written].to_vec(), Order::FromTheFirst);
        self.disk.act(Op::Write { file, offset, bytes, order });
        result
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.chance()?;
        self.disk.act(Op::SetLen { file: self.file, len: usize::try_from(len).unwrap() });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let result = self.disk.chance();
        let file = self.file;
        self.disk.act(if result.is_ok() { Op::Sync { file } } else { Op::SyncFailed { file } });
        result
    }
}
