//! The tables: what has left the journal, in one file of `redb`.
//!
//! One table holds the pairs, each value with a CRC-32 of key and value behind it; the other says with
//! which batch of the journal they go on. A change of the tables is on the disk when it is done, or
//! else has not happened. `redb` gives up after an error of the disk; then it is opened once more.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use redb::{
    CommitError, CompactionError, Database, DatabaseError, ReadTransaction, ReadableDatabase,
    ReadableTable, StorageError, TableDefinition, TableError, TransactionError,
};

use super::EngineError;
use super::disk::Disk;
use super::held::Backend;
use crate::limits::StoreLimits;

const PAIRS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pairs");
const STATE: TableDefinition<'_, &str, u64> = TableDefinition::new("state");

/// In `STATE`: what this is a version of.
const VERSION: &str = "version";
/// In `STATE`: the last batch of the journal that is in the tables.
const LAST: &str = "last";
/// In `STATE`: bytes of all keys and values.
const LIVE: &str = "live";

/// The version of the tables that is written, and the only one that is read.
const OUR_VERSION: u64 = 1;

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
        let failed = |source| EngineError::Io { path: path.to_owned(), source };
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
        if version != OUR_VERSION {
            let what = format!("it is of version {version}, and this is {OUR_VERSION}");
            return Err(tables.damaged(&what));
        }
        tables.guard(|| Ok(file.release()?))?;
        tables.known_last.store(tables.last()?, Ordering::Relaxed);
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

    fn unopened(disk: &Arc<dyn Disk>, path: PathBuf, limits: &StoreLimits) -> Self {
        Self {
            disk: disk.clone(),
            path,
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
        let found = self.guard(|| {
            let reading = self.begin_read()?;
            let table = reading.transaction.open_table(PAIRS)?;
            Ok(table.get(key)?.map(|value| checked(key, value.value()).map(Bytes::copy_from_slice)))
        })?;
        match found {
            None => Ok(None),
            Some(Some(value)) => Ok(Some(value)),
            Some(None) => Err(self.bad_value(key)),
        }
    }

    /// The pairs as they are now, for a scan.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, EngineError> {
        let reading = self.guard(|| self.begin_read())?;
        Ok(Snapshot { tables: self, reading })
    }

    /// Changes pairs, and notes that all batches of the journal up to `last` are in the tables.
    pub(super) fn apply(&self, changes: &[Change<'_>], last: u64) -> Result<(), EngineError> {
        let applied = self.guard(|| {
            let database = self.database()?;
            let mut transaction = database.as_ref().ok_or(Failure::Closed)?.begin_write()?;
            transaction.set_two_phase_commit(true);
            transaction.set_quick_repair(true);
            {
                let mut state = transaction.open_table(STATE)?;
                let mut live = state.get(LIVE)?.map_or(0, |live| live.value());
                let mut pairs = transaction.open_table(PAIRS)?;
                let mut stored = Vec::new();
                for &(key, value) in changes {
                    let replaced = match value {
                        Some(value) => {
                            stored.clear();
                            stored.extend_from_slice(value);
                            stored.extend_from_slice(&checksum(key, value).to_le_bytes());
                            live =
                                live.saturating_add(key.len().saturating_add(stored.len()) as u64);
                            pairs.insert(key, stored.as_slice())?
                        }
                        None => pairs.remove(key)?,
                    };
                    if let Some(replaced) = replaced {
                        let bytes = key.len().saturating_add(replaced.value().len());
                        live = live.saturating_sub(bytes as u64);
                    }
                }
                state.insert(VERSION, OUR_VERSION)?;
                state.insert(LAST, last)?;
                state.insert(LIVE, live)?;
            }
            Ok(transaction.commit()?)
        });
        match applied {
            Ok(()) => self.known_last.store(last, Ordering::Relaxed),
            Err(_) => close(&mut self.database.write()),
        }
        applied
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
        let database = self.database()?;
        let transaction = database.as_ref().ok_or(Failure::Closed)?.begin_read()?;
        Ok(Reading { transaction, _database: database })
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
            let opened = self.open_file(FILE).map_err(Failure::Told)?;
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
            Failure::Io(source) => EngineError::Io { path: self.path.clone(), source },
            Failure::Damaged(what) => self.damaged(&what),
            Failure::Closed => {
                let source = io::Error::other("it was closed after an error");
                EngineError::Io { path: self.path.clone(), source }
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
    _database: RwLockReadGuard<'a, Option<Database>>,
}

impl Snapshot<'_> {
    /// Shows all pairs whose key begins with `prefix`, in the order of their keys.
    pub(super) fn scan(
        &self,
        prefix: &[u8],
        each: &mut super::Visit<'_>,
    ) -> Result<(), EngineError> {
        self.tables.guard(|| {
            let table = self.reading.transaction.open_table(PAIRS)?;
            for pair in table.range(prefix..)? {
                let (key, value) = pair?;
                let key = key.value();
                if !key.starts_with(prefix) {
                    break;
                }
                let value = checked(key, value.value())
                    .ok_or_else(|| Failure::Told(self.tables.bad_value(key)))?;
                each(key, value).map_err(Failure::Told)?;
            }
            Ok(())
        })
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
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
