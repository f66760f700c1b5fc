//! Files of long values beside the tables.
//!
//! A long value is written once, behind others in a file, and the tables say where it stands: in a
//! B-tree it would take pages of its own, of which it fills half, and be copied when they are. A file
//! goes on at its end until it is long enough, then another one does. What the tables point at is
//! never written over; how much of each file that is, they count. A file of which nothing is needed any
//! more goes, and what is left in one of which most is not needed is written again, behind others.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use super::EngineError;
use super::disk::{Disk, DiskFile};
use crate::limits::{STORE_SPARE_BYTES_MAX, StoreLimits};

/// Where a long value stands, and the CRC-32 of its key and itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub file: u64,
    pub offset: u64,
    pub len: u32,
    pub crc: u32,
}

/// A spot as the tables have it.
pub(super) type SpotColumns = (u64, u64, u32, u32);

impl Spot {
    pub(super) fn of((file, offset, len, crc): SpotColumns) -> Self {
        Self { file, offset, len, crc }
    }

    pub(super) fn columns(self) -> SpotColumns {
        (self.file, self.offset, self.len, self.crc)
    }
}

/// How much of a file is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Use {
    /// Bytes up to which something was written that counts.
    pub bytes: u64,
    /// How many of them are still needed.
    pub live: u64,
}

impl Use {
    /// Whether most of it is not needed.
    fn is_mostly_unused(self) -> bool {
        self.live.saturating_mul(2) < self.bytes
    }
}

/// What is used of each file, by its number.
pub(super) type Used = BTreeMap<u64, Use>;

/// The files.
#[derive(Debug)]
pub(super) struct Values {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    bytes_max: u64,
    open: RwLock<Files>,
}

/// The files that are open, at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    /// Another one whenever the files are others.
    pub generation: u64,
    by_number: Arc<BTreeMap<u64, Arc<dyn DiskFile>>>,
}

fn name(number: u64) -> String {
    format!("values.{number:020}")
}

fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("values.")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

impl Values {
    /// Files in `folder`, which is what errors call the disk.
    pub(super) fn new(disk: &Arc<dyn Disk>, folder: PathBuf, limits: &StoreLimits) -> Self {
        let bytes_max = limits.values_bytes_max;
        Self { disk: Arc::clone(disk), folder, bytes_max, open: RwLock::default() }
    }

    /// Opens the files that are used.
    pub(super) fn open(&self, used: &Used) -> Result<(), EngineError> {
        let mut by_number = BTreeMap::new();
        for (&number, used) in used {
            let file = match self.disk.open(&name(number)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(self.damaged(number, "it is missing"));
                }
                file => file.map_err(|why| self.failed(number, why))?,
            };
            if file.len().map_err(|why| self.failed(number, why))? < used.bytes {
                return Err(self.damaged(number, "its end is missing"));
            }
            by_number.insert(number, file);
        }
        self.set(by_number);
        Ok(())
    }

    /// Removes files that are not used: somebody was killed before they were, or before they were gone.
    pub(super) fn remove_unused(&self, used: &Used) -> Result<(), EngineError> {
        let failed = |why| EngineError::Io { path: self.folder.clone(), why };
        let names = self.disk.list().map_err(failed)?;
        let numbers = names.iter().filter_map(|name| number_of(name));
        for number in numbers.filter(|number| !used.contains_key(number)) {
            self.disk.remove(&name(number)).map_err(|why| self.failed(number, why))?;
        }
        Ok(())
    }

    /// The files as they are now.
    pub(super) fn files(&self) -> Files {
        self.open.read().clone()
    }

    /// Begins to write behind what is used.
    pub(super) fn append<'a>(&'a self, used: &'a mut Used) -> Appending<'a> {
        Appending {
            values: self,
            used,
            current: None,
            buffer: Vec::new(),
            unsynced: Vec::new(),
            has_new: false,
        }
    }

    /// The file whose rest is to be written again, if there is one.
    pub(super) fn mostly_unused(used: &Used) -> Option<u64> {
        let newest = used.keys().next_back()?;
        let older =
            used.iter().filter(|(number, used)| *number != newest && used.is_mostly_unused());
        older.min_by_key(|(_, used)| used.live).map(|(&number, _)| number)
    }

    /// Closes and removes the files that are not used any more.
    pub(super) fn forget(&self, used: &Used) {
        let files = self.files();
        let gone: Vec<_> =
            files.by_number.keys().copied().filter(|number| !used.contains_key(number)).collect();
        if gone.is_empty() {
            return;
        }
        let kept = files.by_number.iter().filter(|(number, _)| used.contains_key(*number));
        self.set(kept.map(|(&number, file)| (number, Arc::clone(file))).collect());
        for number in gone {
            // One that can't be removed now is when the store is opened next.
            let _ = self.disk.remove(&name(number));
        }
    }

    /// A value that stands in one of these files.
    pub(super) fn read(&self, files: &Files, key: &[u8], spot: Spot) -> Result<Bytes, EngineError> {
        let number = spot.file;
        let Some(file) = files.by_number.get(&number) else {
            return Err(self.damaged(number, "it is missing"));
        };
        let mut value = vec![0; spot.len as usize];
        match file.read(spot.offset, &mut value) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged(number, "its end is missing"));
            }
            read => read.map_err(|why| self.failed(number, why))?,
        }
        if super::tables::checksum(key, &value) != spot.crc {
            let what = format!(
                "at byte {}, the value of \"{}\" is not what was written",
                spot.offset,
                key.escape_ascii()
            );
            return Err(self.damaged(number, &what));
        }
        Ok(value.into())
    }

    fn set(&self, by_number: BTreeMap<u64, Arc<dyn DiskFile>>) {
        let mut open = self.open.write();
        let generation = open.generation.wrapping_add(1);
        *open = Files { generation, by_number: Arc::new(by_number) };
    }

    fn failed(&self, number: u64, why: io::Error) -> EngineError {
        EngineError::Io { path: self.folder.join(name(number)), why }
    }

    fn damaged(&self, number: u64, what: &str) -> EngineError {
        EngineError::Corrupt { path: self.folder.join(name(number)), what: what.to_owned() }
    }
}

/// Values on their way to the ends of files.
#[derive(Debug)]
pub(super) struct Appending<'a> {
    values: &'a Values,
    pub used: &'a mut Used,
    /// The file that goes on, and where what is in the buffer is to stand in it.
    current: Option<(u64, Arc<dyn DiskFile>, u64)>,
    buffer: Vec<u8>,
    unsynced: Vec<(u64, Arc<dyn DiskFile>)>,
    /// Whether there is a file whose name may not be on the disk.
    has_new: bool,
}

impl Appending<'_> {
    /// Writes a value, and says where it will stand.
    pub(super) fn append(&mut self, key: &[u8], value: &[u8]) -> Result<Spot, EngineError> {
        let number = self.file()?;
        let used = self.used.entry(number).or_default();
        let offset = used.bytes;
        let len = value.len() as u64;
        used.bytes = used.bytes.saturating_add(len);
        used.live = used.live.saturating_add(len);
        self.buffer.extend_from_slice(value);
        if self.buffer.len() >= STORE_SPARE_BYTES_MAX {
            self.flush()?;
        }
        // A value comes from a batch, whose length is a `u32`.
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        Ok(Spot { file: number, offset, len, crc: super::tables::checksum(key, value) })
    }

    /// A value is not needed any more.
    pub(super) fn release(&mut self, spot: Spot) {
        if let Some(used) = self.used.get_mut(&spot.file) {
            used.live = used.live.saturating_sub(u64::from(spot.len));
        }
    }

    /// Sees that all that was written is on the disk.
    pub(super) fn finish(mut self) -> Result<(), EngineError> {
        self.flush()?;
        for (number, file) in &self.unsynced {
            file.sync().map_err(|why| self.values.failed(*number, why))?;
        }
        if self.has_new {
            let failed = |why| EngineError::Io { path: self.values.folder.clone(), why };
            self.values.disk.sync().map_err(failed)?;
        }
        Ok(())
    }

    /// The file to which the next value goes.
    fn file(&mut self) -> Result<u64, EngineError> {
        let newest = self.used.iter().next_back().map(|(&number, &used)| (number, used));
        let room = newest.filter(|(_, used)| used.bytes < self.values.bytes_max);
        if let Some((number, _, _)) = self.current
            && room.is_some_and(|(newest, _)| newest == number)
        {
            return Ok(number);
        }
        self.flush()?;
        let open = self.values.files();
        let opened =
            room.and_then(|(number, used)| Some((number, open.by_number.get(&number)?, used)));
        let (number, file, offset) = match opened {
            Some((number, file, used)) => (number, Arc::clone(file), used.bytes),
            None => {
                let number = newest.map_or(0, |(number, _)| number).saturating_add(1);
                let created = self.values.disk.create(&name(number));
                let file = created.map_err(|why| self.values.failed(number, why))?;
                self.has_new = true;
                // Who sees it in the tables must find it open.
                let mut by_number = (*open.by_number).clone();
                by_number.insert(number, Arc::clone(&file));
                self.values.set(by_number);
                (number, file, 0)
            }
        };
        self.unsynced.push((number, Arc::clone(&file)));
        self.current = Some((number, file, offset));
        Ok(number)
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        let Some((number, file, offset)) = &mut self.current else { return Ok(()) };
        let written = file.write(*offset, &self.buffer);
        written.map_err(|why| self.values.failed(*number, why))?;
        *offset = offset.saturating_add(self.buffer.len() as u64);
        self.buffer.clear();
        Ok(())
    }
}
