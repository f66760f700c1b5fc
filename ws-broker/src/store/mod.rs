//! The durable store: what was acknowledged outlives the program.
//!
//! Workers gather what is to be stored in a [`Parcel`]. Where nobody else is writing, and the operating
//! system's word is enough, a worker writes its parcel by itself; otherwise it hands it to the one
//! committer, which writes the parcels of all workers at once and tells each when its own is stored. What a
//! worker answers to its clients waits for that. A message is stored once and referred to by each delivery of it, and a
//! delivery that was over before its parcel was handed on never gets here.
//!
//! What is on disk, and the engine that puts it there, is in `docs/store.md`.

mod committer;
pub(crate) mod engine;
pub(crate) mod home;
mod packs;
mod parcel;
mod record;
mod restore;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use parking_lot::Mutex;

use crate::broker::{Message, StoreFigures};
use crate::config::Durability;
use crate::time::Wall;

use committer::Writer;
pub(crate) use committer::{Committer, Surroundings};
use engine::{Engine, EngineError, Reach};
pub(crate) use parcel::{NewDelivery, Parcel, Place};
pub(crate) use record::{
    SavedDelivery, SavedSession, SessionNumber, SessionState, delete_owed, delete_received,
    delete_session, delete_subscription, put_owed, put_received, put_sent, put_session,
    put_subscription,
};
pub(crate) use restore::Restored;

/// What workers know of the store.
#[derive(Debug)]
pub(crate) struct Store {
    engine: Arc<dyn Engine>,
    pub wall: Wall,
    writer: Arc<Mutex<Writer>>,
    orders: mpsc::Sender<Order>,
    next_parcel: AtomicU64,
    next_session: AtomicU64,
    progress: Arc<Progress>,
    /// Whether to write something takes no longer than to hand it to the operating system.
    pub is_quick: bool,
}

/// What the committer is to do.
#[derive(Debug)]
enum Order {
    /// To store these, all or none.
    Store(Vec<Parcel>),
    /// To try on with what a worker could not store.
    TryOn,
    End,
}

/// What committer and broker know of each other; the figures are those of [`StoreFigures`].
#[derive(Debug, Default)]
struct Progress {
    is_failing: AtomicBool,
    failures: AtomicU64,
    commits: AtomicU64,
    deliveries: AtomicU64,
    /// Whether the broker stops, so that what can't be stored now never will be.
    is_stopping: AtomicBool,
}

/// The store as it was found.
pub(crate) struct Opened {
    pub store: Arc<Store>,
    pub committer: Committer,
    pub restored: Restored,
}

impl Store {
    /// Opens the store in a folder, or begins one there, and reads what the broker is to go on with.
    ///
    /// # Errors
    /// The folder can't be used, is in use, holds a store of a later version or one that is damaged.
    /// Nothing is changed then.
    pub(crate) fn open(folder: &Path, durability: Durability, wall: Wall) -> Result<Opened> {
        let engine: Arc<dyn Engine> = Arc::from(engine::open(folder, reach(durability))?);
        Self::with_engine(engine, durability, wall)
            .with_context(|| format!("the store in {}", folder.display()))
    }

    /// Goes on with what an engine holds.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub(crate) fn with_engine(
        engine: Arc<dyn Engine>,
        durability: Durability,
        wall: Wall,
    ) -> Result<Opened> {
        let reach = reach(durability);
        check_version(&*engine)?;
        let (restored, packs) = restore::read(&*engine, wall)?;
        let (orders, received) = mpsc::channel();
        let progress = Arc::new(Progress::default());
        let writer = Writer::new(Arc::clone(&engine), reach, wall, packs, Arc::clone(&progress));
        let writer = Arc::new(Mutex::new(writer));
        let committer = Committer::new(Arc::clone(&writer), received);
        let store = Self {
            engine,
            wall,
            writer,
            orders,
            next_parcel: AtomicU64::new(restored.next_parcel),
            next_session: AtomicU64::new(restored.next_session),
            progress,
            is_quick: reach == Reach::System,
        };
        Ok(Opened { store: Arc::new(store), committer, restored })
    }

    /// Stores parcels together: at once if that is as good as certain to take no time, and gives them
    /// back then. Otherwise the committer does, and tells their workers; as it does where `is_behind`
    /// says that it still has parcels which are to be stored before.
    pub(crate) fn commit(
        &self,
        parcels: Vec<Parcel>,
        is_behind: bool,
        around: &impl Surroundings,
    ) -> Option<Vec<Parcel>> {
        let order = match self.writer.try_lock() {
            Some(mut writer) if !is_behind && writer.is_prompt() => {
                if writer.write_at_once(&parcels, around) {
                    return Some(parcels);
                }
                Order::TryOn
            }
            _ => Order::Store(parcels),
        };
        // The committer outlives the workers.
        let _ = self.orders.send(order);
        None
    }

    /// Stores parcels, all of them or none, without the committer.
    ///
    /// # Errors
    /// They can't be stored. It is not tried again.
    pub(crate) fn commit_once(
        &self,
        parcels: &[Parcel],
        around: &impl Surroundings,
    ) -> Result<(), EngineError> {
        self.writer.lock().write_once(parcels, around)
    }

    /// Has the committer end once all that was handed to it is stored.
    pub(crate) fn close(&self) {
        let _ = self.orders.send(Order::End);
    }

    /// The number of a new parcel.
    pub(crate) fn new_parcel(&self) -> u64 {
        self.next_parcel.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of a new session.
    pub(crate) fn new_session(&self) -> SessionNumber {
        self.next_session.fetch_add(1, Ordering::Relaxed)
    }

    /// The messages of a parcel, with their places in it.
    ///
    /// # Errors
    /// They can't be read; the reason is for people.
    pub(crate) fn messages(&self, parcel: u64) -> Result<Vec<(u16, Message)>> {
        let key = record::key(record::Kind::Bodies, parcel);
        let value: Bytes = self.engine.get(&key)?.context("they are not there")?;
        record::bodies(&value, self.wall).map_err(|_| anyhow::anyhow!("they make no sense"))
    }

    /// Has the committer not wait for a disk that can't be written any more, because the broker stops.
    pub(crate) fn stop(&self) {
        self.progress.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn figures(&self) -> StoreFigures {
        let Progress { is_failing, failures, commits, deliveries, .. } = &*self.progress;
        StoreFigures {
            is_failing: is_failing.load(Ordering::Relaxed),
            failures: failures.load(Ordering::Relaxed),
            commits: commits.load(Ordering::Relaxed),
            deliveries: deliveries.load(Ordering::Relaxed),
        }
    }
}

/// Whether a store could not be opened because it is not what was written.
pub(crate) fn is_damage(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<EngineError>());
    causes.any(|cause| matches!(cause, EngineError::Corrupt { .. }))
}

/// How far what is acknowledged must have come.
fn reach(durability: Durability) -> Reach {
    match durability {
        Durability::Fsync => Reach::Disk,
        Durability::None | Durability::Os => Reach::System,
    }
}

/// Sees that this program understands what is there, and writes down what it will write.
fn check_version(engine: &dyn Engine) -> Result<()> {
    let found = engine.get(record::VERSION_KEY)?;
    match found.as_deref().map(record::version) {
        Some(Ok(record::VERSION)) => Ok(()),
        Some(Ok(version)) => bail!(
            "it is of version {version}, and this program knows version {}: use the program that \
             wrote it, or another folder (persistence_location)",
            record::VERSION
        ),
        Some(Err(_)) => bail!("it says nothing of its version that makes sense"),
        None => {
            let mut is_empty = true;
            for kind in record::KINDS {
                engine.scan(&[*kind as u8], &mut |_, _| {
                    is_empty = false;
                    Ok(())
                })?;
            }
            if !is_empty {
                bail!("it does not say of what version it is, so nothing in it is touched");
            }
            let mut batch = engine::Batch::default();
            record::put_version(&mut batch);
            Ok(engine.commit(&batch, Reach::Disk)?)
        }
    }
}
