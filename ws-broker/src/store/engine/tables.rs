//! The tables: what has left the journal, in one file of `redb`.
//!
//! One table holds the pairs, each value with a CRC-32 of key and value behind it; another says where
//! in the files of [`Values`] a long value stands instead, and one how much of these is used. The
//! last says with which batch of the journal they go on. A change of the tables is on the disk when it is
//! done, or else has not happened. `redb` gives up after an error of the disk; then it is opened once
//! more.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use redb::{
    CommitError, CompactionError, Database, DatabaseError, ReadTransaction, ReadableDatabase,
    ReadableTable, StorageError, Table, TableDefinition, TableError, TransactionError,
    WriteTransaction,
};

use super::EngineError;
use super::disk::Disk;
use super::held::Backend;
use super::values::{Appending, Files, Spot, SpotColumns, Use, Used, Values};
use crate::limits::StoreLimits;

const PAIRS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pairs");
const LONG: TableDefinition<'_, &[u8], SpotColumns> = TableDefinition::new("long");
const FILES: TableDefinition<'_, u64, (u64, u64)> = TableDefinition::new("files");
const STATE: TableDefinition<'_, &str, u64> = TableDefinition::new("state");

/// In `STATE`: what this is a version of.
const VERSION: &str = "version";
/// In `STATE`: the last batch of the journal that is in the tables.
const LAST: &str = "last";
/// In `STATE`: bytes of all keys and values that are not elsewhere.
const LIVE: &str = "live";

/// The version of the folder that is written. Earlier ones are read, and made one of ours: the tables are the
/// same as in version 2, but the journal beside them was not.
const OUR_VERSION: u64 = 3;
/// The one that had no long values.
const FIRST_VERSION: u64 = 1;

/// Bytes of what says where a long value stands.
const SPOT_BYTES: usize = 24;

/// The file's name, and while it is made.
pub(super) const FILE: &str = "tables.redb";
const NEW_FILE: &str = "tables.redb.new";

/// The tables, open.
#[derive(Debug)]
pub(super) struct Tables {
    disk: Arc<dyn Disk>,
    /// Where the file is, for people.
    path: PathBuf,
    cache_bytes: usize,
    long_value_min: usize,
    values: Values,
    /// None after an error, until the file is opened again.
    database: RwLock<Option<Database>>,
    /// The last batch that has been in the tables.
    known_last: AtomicU64,
}

/// A change to be made: a key, and its new value unless it is to go.
pub(super) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

impl Tables {
    /// Makes tables that are empty, in the place of any that were there.
    pub(super) fn create(
        disk: &Arc<dyn Disk>,
        path: &Path,
        limits: &StoreLimits,
    ) -> Result<(), EngineError> {
        let failed = |why| EngineError::Io { path: path.to_owned(), why };
        drop(disk.create(NEW_FILE).map_err(failed)?);
        let tables = Self::unopened(disk, path.to_owned(), limits);
        let database = tables.open_file(NEW_FILE)?;
        *tables.database.write() = Some(database);
        tables.apply(&[], 0)?;
        drop(tables);
        disk.rename(NEW_FILE, FILE).map_err(failed)?;
        disk.sync().map_err(failed)
    }

    /// Opens the tables and checks all that is in them.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        path: PathBuf,
        limits: &StoreLimits,
    ) -> Result<Self, EngineError> {
        let tables = Self::unopened(disk, path, limits);
        let file = Backend::holding(tables.guard(|| Ok(disk.open(FILE)?))?);
        tables.check_pages(&file)?;
        let version = tables.state(VERSION)?;
        let used = match version {
            FIRST_VERSION => Used::new(),
            ..=OUR_VERSION => tables.check_values()?,
            _ => {
                let (path, known) = (tables.path.clone(), OUR_VERSION);
                return Err(EngineError::Version { path, found: version, known });
            }
        };
        tables.guard(|| Ok(file.release()?))?;
        let last = tables.last()?;
        tables.known_last.store(last, Ordering::Relaxed);
        if version < OUR_VERSION {
            tables.apply(&[], last)?;
        }
        tables.values.remove_unused(&used)?;
        tables.compact(u64::MAX)?;
        Ok(tables)
    }

    /// Makes sure that each page is what was written.
    fn check_pages(&self, file: &Backend) -> Result<(), EngineError> {
        let opened = self.open_backend(file.clone())?;
        let mut database = self.database.write();
        let database = database.insert(opened);
        match self.guard(|| Ok(database.check_integrity()?))? {
            true => Ok(()),
            false => Err(self.damaged("not all pages are what was written")),
        }
    }

    /// Makes sure that the long values are what was written, and says what is used of their files.
    fn check_values(&self) -> Result<Used, EngineError> {
        let used = self.guard(|| {
            let reading = self.begin_read()?;
            used_of(&reading.transaction.open_table(FILES)?)
        })?;
        self.values.open(&used)?;
        self.guard(|| {
            let reading = self.begin_read()?;
            for pair in reading.transaction.open_table(LONG)?.iter()? {
                let (key, spot) = pair?;
                reading.long(key.value(), spot.value())?;
            }
            Ok(())
        })?;
        Ok(used)
    }

    fn unopened(disk: &Arc<dyn Disk>, path: PathBuf, limits: &StoreLimits) -> Self {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self {
            disk: disk.clone(),
            path,
            values: Values::new(disk, folder, limits),
            long_value_min: limits.long_value_min,
            cache_bytes: limits.cache_bytes,
            database: RwLock::new(None),
            known_last: AtomicU64::new(0),
        }
    }

    /// The last batch of the journal that is known to be in the tables.
    pub(super) fn known_last(&self) -> u64 {
        self.known_last.load(Ordering::Relaxed)
    }

    /// The last batch of the journal that is in the tables.
    fn last(&self) -> Result<u64, EngineError> {
        self.state(LAST)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.guard(|| {
            let reading = self.begin_read()?;
            let pairs = reading.transaction.open_table(PAIRS)?;
            if let Some(stored) = pairs.get(key)? {
                let value = checked(key, stored.value()).ok_or_else(|| self.bad_value(key))?;
                return Ok(Some(Bytes::copy_from_slice(value)));
            }
            let long = reading.transaction.open_table(LONG)?;
            let spot = long.get(key)?.map(|spot| spot.value());
            spot.map(|spot| reading.long(key, spot)).transpose()
        })
    }

    /// The pairs as they are now, for a scan.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, EngineError> {
        let reading = self.guard(|| self.begin_read())?;
        Ok(Snapshot { tables: self, reading })
    }

    /// Changes pairs, which are given in the order of their keys, and notes that all batches of the journal up
    /// to `last` are in the tables.
    pub(super) fn apply(&self, changes: &[Change<'_>], last: u64) -> Result<(), EngineError> {
        let applied = self.guard(|| {
            let database = self.database()?;
            let mut transaction = database.as_ref().ok_or(Failure::Closed)?.begin_write()?;
            transaction.set_two_phase_commit(true);
            transaction.set_quick_repair(true);
            let used = self.change(&transaction, changes, last)?;
            transaction.commit()?;
            Ok(used)
        });
        match applied {
            Ok(used) => {
                self.known_last.store(last, Ordering::Relaxed);
                self.values.forget(&used);
                Ok(())
            }
            Err(error) => {
                close(&mut self.database.write());
                Err(error)
            }
        }
    }

    /// Makes the changes, and says what is used of the files of values then.
    fn change(
        &self,
        transaction: &WriteTransaction,
        changes: &[Change<'_>],
        last: u64,
    ) -> Result<Used, Failure> {
        let mut state = transaction.open_table(STATE)?;
        let mut files = transaction.open_table(FILES)?;
        let mut pairs = Pairs {
            here: transaction.open_table(PAIRS)?,
            long: transaction.open_table(LONG)?,
            last: None,
            live: state.get(LIVE)?.map_or(0, |live| live.value()),
            stored: Vec::new(),
        };
        let mut used = used_of(&files)?;
        let before = used.clone();
        let mut values = self.values.append(&mut used);
        for &(key, value) in changes {
            if !pairs.is_new(key)? {
                pairs.remove(key, &mut values)?;
            }
            match value {
                Some(value) if value.len() >= self.long_value_min => {
                    pairs.insert_long(key, value, &mut values)?;
                }
                Some(value) => pairs.insert(key, value)?,
                None => {}
            }
        }
        if let Some(number) = Values::mostly_unused(values.used) {
            self.write_again(number, &mut pairs, &mut values)?;
        }
        values.finish()?;
        used.retain(|_, used| used.live > 0);
        for number in before.keys().filter(|number| !used.contains_key(number)) {
            files.remove(number)?;
        }
        for (number, now) in &used {
            if before.get(number) != Some(now) {
                files.insert(number, (now.bytes, now.live))?;
            }
        }
        state.insert(VERSION, OUR_VERSION)?;
        state.insert(LAST, last)?;
        state.insert(LIVE, pairs.live)?;
        Ok(used)
    }

    /// Writes what is left in a file of values behind others.
    fn write_again(
        &self,
        number: u64,
        pairs: &mut Pairs<'_>,
        values: &mut Appending<'_>,
    ) -> Result<(), Failure> {
        let mut left = Vec::new();
        for pair in pairs.long.iter()? {
            let (key, spot) = pair?;
            let spot = Spot::of(spot.value());
            if spot.file == number {
                left.push((spot.offset, key.value().to_vec(), spot));
            }
        }
        left.sort_unstable_by_key(|(offset, ..)| *offset);
        let files = self.values.files();
        for (_, key, spot) in left {
            let value = self.values.read(&files, &key, spot)?;
            values.release(spot);
            let spot = values.append(&key, &value)?;
            pairs.long.insert(key.as_slice(), spot.columns())?;
        }
        Ok(())
    }

    /// Makes the file smaller where most of it is empty and what is in it is not more than
    /// `live_max`. Nobody reads meanwhile.
    pub(super) fn compact(&self, live_max: u64) -> Result<(), EngineError> {
        const SLACK: u64 = 32 << 20;
        let live = self.state(LIVE)?;
        let enough = live.saturating_mul(3).saturating_add(SLACK);
        let is_due = self.file_len(FILE)? > enough && live <= live_max;
        if !is_due {
            return Ok(());
        }
        let mut database = self.database.write();
        let compacted = self.guard(|| match database.as_mut() {
            Some(database) => Ok(database.compact().map(drop)?),
            None => Ok(()),
        });
        if compacted.is_err() {
            close(&mut database);
        }
        compacted
    }

    fn file_len(&self, name: &str) -> Result<u64, EngineError> {
        self.guard(|| Ok(self.disk.open(name)?.len()?))
    }

    fn state(&self, name: &str) -> Result<u64, EngineError> {
        self.guard(|| {
            let reading = self.begin_read()?;
            let state = reading.transaction.open_table(STATE)?;
            let value = state.get(name)?.map(|value| value.value());
            value.ok_or_else(|| Failure::Damaged(format!("it does not say its {name}")))
        })
    }

    fn begin_read(&self) -> Result<Reading<'_>, Failure> {
        loop {
            let before = self.values.files().generation;
            let database = self.database()?;
            let transaction = database.as_ref().ok_or(Failure::Closed)?.begin_read()?;
            let files = self.values.files();
            // Otherwise one that is pointed at may just have gone.
            if files.generation == before {
                let values = &self.values;
                return Ok(Reading { transaction, files, values, _database: database });
            }
        }
    }

    /// The database; it is opened again if that is to be.
    fn database(&self) -> Result<RwLockReadGuard<'_, Option<Database>>, Failure> {
        // Who scans may come back here, which must not wait for somebody who waits for the scan.
        let database = self.database.read_recursive();
        if database.is_some() {
            return Ok(database);
        }
        drop(database);
        let mut database = self.database.write();
        if database.is_none() {
            self.make_length_last()?;
            let opened = self.open_file(FILE)?;
            self.check_last(&opened)?;
            *database = Some(opened);
        }
        Ok(RwLockWriteGuard::downgrade(database))
    }

    /// Makes sure that the tables have not gone back to what they were.
    fn check_last(&self, database: &Database) -> Result<(), Failure> {
        let transaction = database.begin_read()?;
        let last = transaction.open_table(STATE)?.get(LAST)?.map(|last| last.value());
        if last < Some(self.known_last()) {
            return Err(Failure::Damaged("it has lost its last changes".to_owned()));
        }
        Ok(())
    }

    /// Makes sure that the file's length is on the disk: a sync that was to see to it may have failed.
    fn make_length_last(&self) -> io::Result<()> {
        let file = self.disk.open(FILE)?;
        file.set_len(file.len()?)?;
        file.sync()
    }

    fn open_file(&self, name: &str) -> Result<Database, EngineError> {
        self.open_backend(Backend::new(self.guard(|| Ok(self.disk.open(name)?))?))
    }

    fn open_backend(&self, file: Backend) -> Result<Database, EngineError> {
        self.guard(|| {
            let mut builder = Database::builder();
            Ok(builder.set_cache_size(self.cache_bytes).create_with_backend(file)?)
        })
    }

    /// Runs what uses `redb`. It panics at some of what can be wrong with a file, which must not take
    /// more with it than the tables.
    fn guard<T>(&self, run: impl FnOnce() -> Result<T, Failure>) -> Result<T, EngineError> {
        let result = catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|_| Err(Failure::Damaged("reading it failed".to_owned())));
        result.map_err(|failure| match failure {
            Failure::Io(why) => EngineError::Io { path: self.path.clone(), why },
            Failure::Damaged(what) => self.damaged(&what),
            Failure::Closed => {
                let why = io::Error::other("it was closed after an error");
                EngineError::Io { path: self.path.clone(), why }
            }
            Failure::Told(error) => error,
        })
    }

    fn bad_value(&self, key: &[u8]) -> EngineError {
        self.damaged(&format!("the value of \"{}\" is not what was written", key.escape_ascii()))
    }

    fn damaged(&self, what: &str) -> EngineError {
        EngineError::Corrupt { path: self.path.clone(), what: what.to_owned() }
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        close(self.database.get_mut());
    }
}

/// Closes the database. Where the file is damaged, `redb` may panic at that too.
fn close(database: &mut Option<Database>) {
    let database = database.take();
    let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
}

/// The pairs as they were at one moment.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    tables: &'a Tables,
    reading: Reading<'a>,
}

/// Looking at the tables; they stay open meanwhile.
#[derive(Debug)]
struct Reading<'a> {
    transaction: ReadTransaction,
    files: Files,
    values: &'a Values,
    _database: RwLockReadGuard<'a, Option<Database>>,
}

impl Reading<'_> {
    /// A long value.
    fn long(&self, key: &[u8], spot: SpotColumns) -> Result<Bytes, Failure> {
        Ok(self.values.read(&self.files, key, Spot::of(spot))?)
    }
}

/// The pairs while they are changed.
struct Pairs<'a> {
    here: Table<'a, &'static [u8], &'static [u8]>,
    long: Table<'a, &'static [u8], SpotColumns>,
    /// A first byte of keys, and the last key that begins with it, if there is one. Those behind it
    /// are new.
    last: Option<(u8, Option<Vec<u8>>)>,
    /// Bytes of all keys and values that are not elsewhere.
    live: u64,
    /// A value with its checksum.
    stored: Vec<u8>,
}

impl Pairs<'_> {
    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.stored.clear();
        self.stored.extend_from_slice(value);
        self.stored.extend_from_slice(&checksum(key, value).to_le_bytes());
        self.live = self.live.saturating_add(bytes(key, self.stored.len()));
        self.here.insert(key, self.stored.as_slice())?;
        Ok(())
    }

    fn insert_long(
        &mut self,
        key: &[u8],
        value: &[u8],
        values: &mut Appending<'_>,
    ) -> Result<(), Failure> {
        let spot = values.append(key, value)?;
        self.live = self.live.saturating_add(bytes(key, SPOT_BYTES));
        self.long.insert(key, spot.columns())?;
        Ok(())
    }

    /// Whether a key is certainly not there. Changes come in the order of their keys, and most keys of
    /// one kind are those of parcels, which are numbered: what is new stands behind all that was there.
    fn is_new(&mut self, key: &[u8]) -> Result<bool, Failure> {
        let Some((&first, end)) =
            key.first().and_then(|first| Some((first, first.checked_add(1)?)))
        else {
            return Ok(false);
        };
        if self.last.as_ref().is_none_or(|(of, _)| *of != first) {
            self.last = Some((first, self.last_between(&[first], &[end])?));
        }
        let last = self.last.as_ref().and_then(|(_, last)| last.as_deref());
        Ok(last.is_none_or(|last| last < key))
    }

    /// The last key from `start` on that comes before `end`.
    fn last_between(&self, start: &[u8], end: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let here = self.here.range(start..end)?.next_back().transpose()?;
        let long = self.long.range(start..end)?.next_back().transpose()?;
        let here = here.map(|(key, _)| key.value().to_vec());
        Ok(here.max(long.map(|(key, _)| key.value().to_vec())))
    }

    /// Removes a key, if it is there.
    fn remove(&mut self, key: &[u8], values: &mut Appending<'_>) -> Result<(), Failure> {
        if let Some(stored) = self.here.remove(key)? {
            self.live = self.live.saturating_sub(bytes(key, stored.value().len()));
        } else if let Some(spot) = self.long.remove(key)? {
            self.live = self.live.saturating_sub(bytes(key, SPOT_BYTES));
            values.release(Spot::of(spot.value()));
        }
        Ok(())
    }
}

/// What is used of each file of values, as the table of files has it.
fn used_of(files: &impl ReadableTable<u64, (u64, u64)>) -> Result<Used, Failure> {
    let mut used = Used::new();
    for file in files.iter()? {
        let (number, file) = file?;
        let (bytes, live) = file.value();
        used.insert(number.value(), Use { bytes, live });
    }
    Ok(used)
}

/// Bytes of a key and what stands beside it.
fn bytes(key: &[u8], value_len: usize) -> u64 {
    key.len().saturating_add(value_len) as u64
}

impl Snapshot<'_> {
    /// Shows all pairs whose key begins with `prefix`, in the order of their keys.
    pub(super) fn scan(
        &self,
        prefix: &[u8],
        each: &mut super::Visit<'_>,
    ) -> Result<(), EngineError> {
        self.tables.guard(|| {
            let transaction = &self.reading.transaction;
            let (here, long) = (transaction.open_table(PAIRS)?, transaction.open_table(LONG)?);
            let mut long = long.range(prefix..)?;
            let mut next_long = long.next().transpose()?;
            for pair in here.range(prefix..)? {
                let (key, stored) = pair?;
                let key = key.value();
                if !key.starts_with(prefix) {
                    break;
                }
                while let Some((before, spot)) = next_long.take_if(|(long, _)| long.value() < key) {
                    self.show_long(before.value(), spot.value(), each)?;
                    next_long = long.next().transpose()?;
                }
                let value = checked(key, stored.value());
                let value = value.ok_or_else(|| self.tables.bad_value(key))?;
                each(key, value)?;
            }
            while let Some((key, spot)) =
                next_long.take_if(|(key, _)| key.value().starts_with(prefix))
            {
                self.show_long(key.value(), spot.value(), each)?;
                next_long = long.next().transpose()?;
            }
            Ok(())
        })
    }

    fn show_long(
        &self,
        key: &[u8],
        spot: SpotColumns,
        each: &mut super::Visit<'_>,
    ) -> Result<(), Failure> {
        Ok(each(key, &self.reading.long(key, spot)?)?)
    }
}

/// What tells that a value is the one that was stored for a key.
pub(super) fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

/// The value, if it is what was stored.
fn checked<'a>(key: &[u8], stored: &'a [u8]) -> Option<&'a [u8]> {
    let (value, crc) = stored.split_last_chunk()?;
    (checksum(key, value) == u32::from_le_bytes(*crc)).then_some(value)
}

/// Why the tables did not do what they were asked for.
enum Failure {
    Io(io::Error),
    Damaged(String),
    /// An earlier error of the disk made `redb` give up.
    Closed,
    Told(EngineError),
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Told(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Io(error),
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) => error.into(),
            StorageError::PreviousIo | StorageError::DatabaseClosed => Self::Closed,
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// Everything else that `redb` fails with wraps the error of its storage, or says that the file is
/// not what it has to be.
macro_rules! failure_from {
    ($($error:ident),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                match error {
                    $error::Storage(error) => error.into(),
                    other => Self::Damaged(other.to_string()),
                }
            }
        }
    )*};
}

failure_from!(TransactionError, TableError, CommitError, DatabaseError, CompactionError);
