//! The engine of the broker: a journal of ours before tables of `redb`.
//!
//! A commit is one write to the journal; what it changed is kept in memory besides. When the journal's
//! file has grown to [`StoreLimits::journal_bytes_max`], or some time has passed, a thread brings the
//! last change of each key into the tables and removes the file. So what comes and goes meanwhile,
//! as most messages do, never gets there, and what stays is written there once.
//!
//! The journal's file grows. Where much is written the next one is a sheet, which lies in memory if the disk has
//! such files, and which is used again as soon as the tables have what was in it.
//!
//! Reading looks at the changes in memory first, the newest before those that are on their way into
//! the tables, then at the tables.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, RwLock};

use super::chain::{Chain, Verdict};
use super::disk::{Disk, DiskFile, Sheet};
use super::folder::Folder;
use super::journal::{self, Reader, Writer};
use super::recent::{Gone, Recent};
use super::tables::{self, Tables};
use super::{Batch, Engine, EngineError, Reach, Visit};
use crate::limits::{STORE_RETRY_PERIOD, STORE_SETTLE_PERIOD, StoreLimits};

/// Opens the engine in a folder, which is made where it is not there; `reach` is how far most commits are to
/// come.
///
/// # Errors
///
/// The folder is in use, can't be used, or holds something else than what was written.
pub(crate) fn open(folder: &Path, reach: Reach) -> Result<Box<dyn Engine>, EngineError> {
    let disk = Arc::new(Folder::open(folder, reach)?);
    let engine = Journaled::open(disk, folder, &StoreLimits::default())?;
    Ok(Box::new(engine.with_thread()?))
}

/// The engine.
#[derive(Debug)]
pub(super) struct Journaled {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    limits: StoreLimits,
    tables: Tables,
    /// Taken before `layers`, where both are.
    committer: Mutex<Committer>,
    layers: RwLock<Layers>,
    signal: Mutex<Signal>,
    changed: Condvar,
    sheets: Mutex<Sheets>,
}

/// What only one commit at a time may touch.
#[derive(Debug)]
struct Committer {
    writer: Writer,
    /// Bytes of the journal in files before the writer's, of what is not on its way into the tables.
    bytes_before: u64,
    /// About the memory of what is not on its way into the tables.
    recent_bytes: usize,
    /// The last batch in the journal.
    last: u64,
    /// The last batch that is known to be on the disk.
    on_disk: u64,
    /// Files of the journal that are closed, with their last batch, of which something may not be on
    /// the disk.
    unsynced: Vec<(u64, Arc<dyn DiskFile>)>,
    /// The name of the journal's newest file may not be on the disk.
    is_name_unsynced: bool,
    /// What is in the journal need not last, though a sync may say so: an earlier one has failed.
    /// Before anything else it must be brought into the tables.
    is_suspect: bool,
}

/// Sheets that are not written to now.
#[derive(Debug, Default)]
struct Sheets {
    /// What is in them is to be brought into the tables; with the first batch of each.
    closed: Vec<(u64, Sheet)>,
    /// One in which nothing is that is needed, by the name of [`journal::SPARE_FILE`].
    spare: Option<Sheet>,
    /// Whether there is to be a spare one: the journal goes on in sheets.
    wants_spare: bool,
}

/// Bytes of the journal, and of what is kept in memory of it.
#[derive(Debug, Clone, Copy)]
struct Size {
    journal: u64,
    recent: u64,
}

impl Size {
    /// Whether it is time to bring it into the tables.
    fn is_much(self, limits: &StoreLimits) -> bool {
        self.journal >= limits.journal_bytes_max || self.recent >= limits.recent_bytes_max
    }

    /// Whether there must not be more.
    fn is_too_much(self, limits: &StoreLimits) -> bool {
        self.journal.max(self.recent) >= limits.journal_bytes_max.saturating_mul(2)
    }
}

/// What kind of file the journal goes on in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Growing,
    /// A sheet, if there are any here.
    Sheet,
}

impl Sheets {
    /// The sheet that begins with batch `first`, if one of these does.
    fn take_closed(&mut self, first: u64) -> Option<Sheet> {
        let at = self.closed.iter().position(|(it, _)| *it == first)?;
        Some(self.closed.swap_remove(at).1)
    }
}

impl Committer {
    /// The number of the next batch.
    fn next(&self) -> u64 {
        self.last.saturating_add(1)
    }

    /// What is not on its way into the tables.
    fn size(&self) -> Size {
        Size {
            journal: self.bytes_before.saturating_add(self.writer.len()),
            recent: self.recent_bytes as u64,
        }
    }
}

/// What is in the journal and may not be in the tables.
#[derive(Debug, Default)]
struct Layers {
    active: Recent,
    frozen: Option<Frozen>,
}

/// Keys with their new values, or with none where they are to go.
type Changed = BTreeMap<Box<[u8]>, Option<Bytes>>;

/// Changes that are on their way into the tables.
#[derive(Debug, Clone)]
struct Frozen {
    recent: Arc<Recent>,
    /// The last batch of which they are.
    last: u64,
}

/// What the thread is told and tells.
#[derive(Debug, Default)]
struct Signal {
    /// There is a thread, and it is to go on. Without, the work is done where it arises.
    has_thread: bool,
    /// Why what is on its way into the tables is not there yet, until somebody has been told.
    failure: Option<EngineError>,
}

impl Journaled {
    /// Opens the engine on a disk; errors name `folder` as where that is.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        limits: &StoreLimits,
    ) -> Result<Self, EngineError> {
        let shared = Arc::new(Shared::open(disk, folder, limits)?);
        Ok(Self { shared, thread: None })
    }

    /// Leaves to a thread what need not be done before a commit returns.
    pub(super) fn with_thread(mut self) -> Result<Self, EngineError> {
        self.thread = Some(start_thread(self.shared.clone())?);
        Ok(self)
    }
}

impl Drop for Journaled {
    /// Brings everything into the tables, so that the journal is empty. If that fails, the journal
    /// has it all the same.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.shared.signal.lock().has_thread = false;
            self.shared.changed.notify_all();
            let _ = thread.join();
        }
        if let Err(error) = self.shared.settle_all(&mut self.shared.committer.lock()) {
            tracing::warn!("The store was closed without tidying up: {error}.");
        }
    }
}

impl Engine for Journaled {
    fn commit(&self, batch: &Batch, reach: Reach) -> Result<(), EngineError> {
        let shared = &self.shared;
        let mut committer = shared.committer.lock();
        if committer.is_suspect {
            shared.settle_all(&mut committer)?;
        }
        shared.make_room(&mut committer)?;
        let last = committer.last;
        let batch_at = match batch.is_empty() {
            true => None,
            false => Some(shared.append(&mut committer, batch)?),
        };
        if reach == Reach::Disk {
            // A batch that may not be on the disk does not count: the next one takes its number.
            shared.sync(&mut committer).inspect_err(|_| committer.last = last)?;
        }
        let lies = committer.writer.page().zip(batch_at);
        let active = &mut shared.layers.write().active;
        active.apply(batch.iter(), lies);
        committer.recent_bytes = active.bytes();
        Ok(())
    }

    fn is_prompt(&self) -> bool {
        let shared = &self.shared;
        let Some(committer) = shared.committer.try_lock() else { return false };
        // When it is time to, a new file is begun, unless what is in the old one is still under way.
        let size = committer.size();
        let is_held_up = size.is_much(&shared.limits)
            && (size.is_too_much(&shared.limits) || !shared.is_settling());
        !is_held_up && !committer.is_suspect
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        {
            let layers = self.shared.layers.read();
            let frozen = layers.frozen.as_ref().and_then(|frozen| frozen.recent.get(key));
            if let Some(change) = layers.active.get(key).or(frozen) {
                return change.map_err(|Gone| self.shared.gone());
            }
        }
        self.shared.tables.get(key)
    }

    fn scan(&self, prefix: &[u8], each: &mut Visit<'_>) -> Result<(), EngineError> {
        let (changes, snapshot) = {
            let layers = self.shared.layers.read();
            let changes = layers.under(prefix).map_err(|Gone| self.shared.gone())?;
            (changes, self.shared.tables.snapshot()?)
        };
        let mut changes = changes.iter().map(|(key, value)| (&**key, value)).peekable();
        snapshot.scan(prefix, &mut |key, value| {
            while let Some((key, value)) = changes.next_if(|(changed, _)| *changed < key) {
                value.as_ref().map_or(Ok(()), |value| each(key, value))?;
            }
            match changes.next_if(|(changed, _)| *changed == key) {
                Some((_, None)) => Ok(()),
                Some((_, Some(value))) => each(key, value),
                None => each(key, value),
            }
        })?;
        for (key, value) in changes {
            value.as_ref().map_or(Ok(()), |value| each(key, value))?;
        }
        Ok(())
    }
}

impl Layers {
    /// All changes whose key begins with `prefix`.
    fn under(&self, prefix: &[u8]) -> Result<Changed, Gone> {
        let mut found = Changed::new();
        let layers = self.frozen.iter().map(|frozen| &*frozen.recent).chain([&self.active]);
        for recent in layers {
            let pages = recent.pages();
            for change in pages.under(prefix) {
                let (key, value) = change?;
                found.insert(Box::from(key), value.map(Bytes::copy_from_slice));
            }
        }
        Ok(found)
    }
}

impl Shared {
    fn open(disk: Arc<dyn Disk>, folder: &Path, limits: &StoreLimits) -> Result<Self, EngineError> {
        let failed = |why| EngineError::Io { path: folder.to_owned(), why };
        let files = prepare(&disk, folder, limits)?;
        let tables = Tables::open(&disk, folder.join(tables::FILE), limits)?;
        let on_disk = tables.known_last();
        let (recent, last) = replay(&*disk, folder, &files, on_disk)?;
        if has_file(&*disk, journal::SPARE_FILE).map_err(failed)? {
            disk.remove(journal::SPARE_FILE).map_err(failed)?;
        }
        let writer = Writer::create(&*disk, last.saturating_add(1), on_disk).map_err(failed)?;
        disk.sync().map_err(failed)?;
        let committer = Committer {
            writer,
            bytes_before: 0,
            recent_bytes: recent.bytes(),
            last,
            on_disk,
            unsynced: Vec::new(),
            is_name_unsynced: false,
            // What was read may never get on the disk: nobody knows what its writer was told.
            is_suspect: !recent.is_empty(),
        };
        Ok(Self {
            disk,
            folder: folder.to_owned(),
            limits: limits.clone(),
            tables,
            committer: Mutex::new(committer),
            layers: RwLock::new(Layers { active: recent, frozen: None }),
            signal: Mutex::default(),
            changed: Condvar::new(),
            sheets: Mutex::default(),
        })
    }

    /// Writes a batch to the journal, and says where in its file it stands.
    fn append(&self, committer: &mut Committer, batch: &Batch) -> Result<usize, EngineError> {
        let batch = batch.as_bytes();
        if committer.writer.is_torn() || !committer.writer.has_room(batch.len()) {
            self.begin_file(committer, Next::Growing)?;
        }
        let number = committer.next();
        let written = committer.writer.append(number, committer.on_disk, batch);
        let batch_at = written.map_err(|why| self.failed_at(committer, why))?;
        committer.last = number;
        Ok(batch_at)
    }

    /// Goes on in another file of the journal.
    fn begin_file(&self, committer: &mut Committer, next: Next) -> Result<(), EngineError> {
        let writer = match next {
            Next::Sheet => self.begin_sheet(committer),
            Next::Growing => {
                self.forget_spare();
                None
            }
        };
        let writer = match writer {
            Some(writer) => writer,
            None => Writer::create(&*self.disk, committer.next(), committer.on_disk)
                .map_err(|why| self.failed_at(committer, why))?,
        };
        let closed = std::mem::replace(&mut committer.writer, writer);
        committer.bytes_before = committer.bytes_before.saturating_add(closed.len());
        let settled = self.tables.known_last();
        committer.unsynced.retain(|(last, _)| *last > settled);
        committer.unsynced.push((committer.last, closed.file().clone()));
        committer.is_name_unsynced = true;
        let first = closed.first();
        if let Some(sheet) = closed.into_sheet() {
            self.sheets.lock().closed.push((first, sheet));
        }
        Ok(())
    }

    /// A sheet to go on in. A disk that has none, or no room for one, may have room for a file that grows.
    fn begin_sheet(&self, committer: &Committer) -> Option<Writer> {
        // What is written while a sheet's batches are on their way into the tables has room in the next one.
        let len = usize::try_from(self.limits.journal_bytes_max.saturating_mul(2)).ok()?;
        let spare = {
            let mut sheets = self.sheets.lock();
            sheets.wants_spare = true;
            sheets.spare.take()
        };
        Writer::create_sheet(&*self.disk, committer.next(), committer.on_disk, spare, len).ok()?
    }

    /// Does without a spare sheet.
    fn forget_spare(&self) {
        let spare = {
            let mut sheets = self.sheets.lock();
            sheets.wants_spare = false;
            sheets.spare.take()
        };
        if spare.is_some() {
            // What is left of it goes when the store is opened next.
            let _ = self.disk.remove(journal::SPARE_FILE);
        }
    }

    /// Makes the journal last.
    fn sync(&self, committer: &mut Committer) -> Result<(), EngineError> {
        match self.try_sync(committer) {
            Ok(()) => {
                committer.on_disk = committer.last;
                Ok(())
            }
            Err(why) => {
                // The system may forget what it could not write, and say next time that all is well.
                committer.is_suspect = true;
                Err(self.failed_at(committer, why))
            }
        }
    }

    fn try_sync(&self, committer: &mut Committer) -> io::Result<()> {
        if committer.is_name_unsynced {
            self.disk.sync()?;
            committer.is_name_unsynced = false;
        }
        for (_, file) in &committer.unsynced {
            file.sync()?;
        }
        committer.unsynced.clear();
        committer.writer.file().sync()
    }

    /// Sees to it that neither the journal nor what is kept in memory of it grows without end.
    fn make_room(&self, committer: &mut Committer) -> Result<(), EngineError> {
        let size = committer.size();
        if !size.is_much(&self.limits) {
            return Ok(());
        }
        if size.is_too_much(&self.limits) {
            // What is under way can't keep up, or fails.
            self.finish_settling()?;
        }
        if !self.is_settling() {
            self.start_settling(committer, Next::Sheet)?;
        }
        Ok(())
    }

    /// Begins to bring what is in the journal into the tables. Nothing of the kind is under way.
    fn start_settling(&self, committer: &mut Committer, next: Next) -> Result<(), EngineError> {
        self.begin_file(committer, next)?;
        committer.bytes_before = 0;
        committer.recent_bytes = 0;
        {
            let mut layers = self.layers.write();
            let next = Recent::after(&layers.active);
            let recent = Arc::new(std::mem::replace(&mut layers.active, next));
            layers.frozen = Some(Frozen { recent, last: committer.last });
        }
        // Who waits has looked for something to do with this lock held.
        let signal = self.signal.lock();
        if signal.has_thread {
            self.changed.notify_all();
            return Ok(());
        }
        drop(signal);
        // What fails now is tried again when the journal has grown to twice its size.
        let _ = self.finish_settling();
        Ok(())
    }

    /// Whether something is on its way into the tables.
    fn is_settling(&self) -> bool {
        self.layers.read().frozen.is_some()
    }

    /// Waits until what is on its way is in the tables.
    fn finish_settling(&self) -> Result<(), EngineError> {
        let mut signal = self.signal.lock();
        if !signal.has_thread {
            drop(signal);
            return self.settle();
        }
        // What failed a while ago is tried again at once.
        signal.failure = None;
        self.changed.notify_all();
        while self.is_settling() {
            if let Some(failure) = signal.failure.take() {
                return Err(failure);
            }
            self.changed.wait(&mut signal);
        }
        Ok(())
    }

    /// Brings everything into the tables, and begins a new file of the journal.
    fn settle_all(&self, committer: &mut Committer) -> Result<(), EngineError> {
        self.finish_settling()?;
        if !committer.writer.is_empty() || !self.layers.read().active.is_empty() {
            self.start_settling(committer, Next::Growing)?;
            self.finish_settling()?;
        }
        committer.unsynced.clear();
        committer.is_name_unsynced = false;
        committer.is_suspect = false;
        committer.on_disk = committer.last;
        Ok(())
    }

    /// Brings the changes that are on their way into the tables, and removes the files of the journal
    /// that they were in.
    fn settle(&self) -> Result<(), EngineError> {
        let Some(Frozen { recent, last }) = self.layers.read().frozen.clone() else {
            return Ok(());
        };
        {
            let pages = recent.pages();
            let changes: Result<Vec<_>, _> = pages.under(&[]).collect();
            let mut changes = changes.map_err(|Gone| self.gone())?;
            changes.sort_unstable_by_key(|&(key, _)| key);
            self.tables.apply(&changes, last)?;
        }
        // Or its sheet would count as read.
        drop(recent);
        self.remove_files(last).map_err(|why| self.failed(why))?;
        self.layers.write().frozen = None;
        self.tables.compact(self.limits.compact_live_max)
    }

    /// Removes the files of the journal of which all batches up to `last` are in the tables.
    fn remove_files(&self, last: u64) -> io::Result<()> {
        // The file that goes on must be there for certain before any other goes.
        self.disk.sync()?;
        let files = journal_files(&*self.disk)?;
        let ends = files.iter().skip(1).map(|&next_first| next_first.saturating_sub(1));
        let mut spare = None;
        for (&first, end) in files.iter().zip(ends) {
            if end > last {
                continue;
            }
            let sheet = self.sheets.lock().take_closed(first);
            if sheet.is_some() && spare.is_none() && self.sheets.lock().wants_spare {
                self.disk.rename(&journal::name(first), journal::SPARE_FILE)?;
                spare = sheet;
            } else {
                self.disk.remove(&journal::name(first))?;
            }
        }
        if spare.is_some() {
            // Whatever is written to it from now on must not be found by its old name.
            self.disk.sync()?;
            self.sheets.lock().spare = spare;
        }
        Ok(())
    }

    fn failed_at(&self, committer: &Committer, why: io::Error) -> EngineError {
        let path = self.folder.join(journal::name(committer.writer.first()));
        EngineError::Io { path, why }
    }

    /// A sheet of the journal is shorter than it was.
    fn gone(&self) -> EngineError {
        let what = "what was written to the journal can't be read any more".to_owned();
        EngineError::Corrupt { path: self.folder.clone(), what }
    }

    fn failed(&self, why: io::Error) -> EngineError {
        EngineError::Io { path: self.folder.clone(), why }
    }

    /// What the thread does.
    fn run(&self) {
        let mut signal = self.signal.lock();
        while signal.has_thread {
            if self.is_settling() {
                drop(signal);
                let settled = self.settle();
                signal = self.signal.lock();
                let failed = settled.is_err();
                signal.failure = settled.err();
                self.changed.notify_all();
                if failed && signal.has_thread {
                    self.changed.wait_for(&mut signal, STORE_RETRY_PERIOD);
                }
                continue;
            }
            let waited = self.changed.wait_for(&mut signal, STORE_SETTLE_PERIOD);
            if waited.timed_out() {
                drop(signal);
                self.settle_by_time();
                signal = self.signal.lock();
            }
        }
    }

    /// Begins to bring into the tables what has been in the journal for a while.
    fn settle_by_time(&self) {
        // Who commits at this very moment sees to the journal's size.
        let Some(mut committer) = self.committer.try_lock() else {
            return;
        };
        let is_due = {
            let layers = self.layers.read();
            layers.frozen.is_none() && !layers.active.is_empty()
        };
        if is_due {
            // Without room for another file, the one that is there goes on.
            let _ = self.start_settling(&mut committer, Next::Growing);
        }
    }
}

fn start_thread(shared: Arc<Shared>) -> Result<JoinHandle<()>, EngineError> {
    let folder = shared.folder.clone();
    shared.signal.lock().has_thread = true;
    let thread = std::thread::Builder::new().name("store".to_owned());
    thread.spawn(move || shared.run()).map_err(|why| EngineError::Io { path: folder, why })
}

fn has_file(disk: &dyn Disk, name: &str) -> io::Result<bool> {
    Ok(disk.list()?.iter().any(|found| found == name))
}

/// The first batches of all files of the journal, in their order.
fn journal_files(disk: &dyn Disk) -> io::Result<Vec<u64>> {
    let names = disk.list()?;
    let mut files: Vec<_> = names.iter().filter_map(|name| journal::first_of(name)).collect();
    files.sort_unstable();
    Ok(files)
}

/// Makes sure that there are tables, and that they and the journal's files go together; returns the
/// first batches of the latter.
fn prepare(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    limits: &StoreLimits,
) -> Result<Vec<u64>, EngineError> {
    let failed = |why| EngineError::Io { path: folder.to_owned(), why };
    let path = folder.join(tables::FILE);
    let has_tables = has_file(&**disk, tables::FILE).map_err(failed)?;
    let mut files = journal_files(&**disk).map_err(failed)?;
    if has_tables {
        if files.is_empty() {
            let what = "the journal's files are missing".to_owned();
            return Err(EngineError::Corrupt { path: folder.to_owned(), what });
        }
        return Ok(files);
    }
    // The journal comes first, so that there are never tables without it.
    if files.is_empty() {
        let writer = Writer::create(&**disk, 1, 0).map_err(failed)?;
        files.push(writer.first());
        disk.sync().map_err(failed)?;
    }
    let bytes = read_file(&**disk, &journal::name(1)).unwrap_or_default();
    let has_batches = Reader::new(&bytes, 1).next().is_some();
    if files != [1] || has_batches {
        let what = "the file is missing, and the journal beside it is not empty".to_owned();
        return Err(EngineError::Corrupt { path, what });
    }
    Tables::create(disk, &path, limits)?;
    Ok(files)
}

/// Reads the journal's files, which begin with the batches `files`, beyond batch `last`, up to which
/// all is in the tables. Returns what changed, and the last batch that is there.
fn replay(
    disk: &dyn Disk,
    folder: &Path,
    files: &[u64],
    last: u64,
) -> Result<(Recent, u64), EngineError> {
    let mut chain = Chain::new(disk.boot(), last);
    let mut recent = Recent::default();
    let mut in_vain = Vec::new();
    for (index, &first) in files.iter().enumerate() {
        let name = journal::name(first);
        let path = folder.join(&name);
        if chain.is_broken() {
            in_vain.push(name.clone());
        }
        let failed = |why| EngineError::Io { path: path.clone(), why };
        let bytes = read_file(disk, &name).map_err(failed)?;
        let next_first = files.get(index.saturating_add(1)).copied();
        chain.read(&name, first, &bytes, next_first, &mut |changes| recent.apply(changes, None));
    }
    let batch = chain.last();
    match chain.verdict() {
        Verdict::Complete => {}
        Verdict::MayLackEnd => tracing::warn!(
            "The machine went down while the store was in use. What was acknowledged in the last \
             seconds before may be missing; durability fsync prevents that."
        ),
        Verdict::LacksEnd => tracing::warn!(
            "The machine went down while the store was in use, and the end of its journal was not on \
             the disk: what was acknowledged after batch {batch} is lost; durability fsync prevents \
             that."
        ),
        Verdict::Damaged { file, what } => {
            return Err(EngineError::Corrupt { path: folder.join(file), what });
        }
    }
    // From the last to the first, so that none is left behind a gap.
    for name in in_vain.iter().rev() {
        let removed = disk.remove(name);
        removed.map_err(|why| EngineError::Io { path: folder.join(name), why })?;
    }
    Ok((recent, batch))
}

fn read_file(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let len = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(len, 0);
    file.read(0, &mut bytes)?;
    Ok(bytes)
}
