//! Writing parcels into the engine, and the thread that does it for whoever can't wait.
//!
//! While one batch is being written the next one gathers, so that however many wait, they wait for one
//! write (and one sync of the disk, where that is asked for). Where the operating system's word is enough a
//! write takes less than waking a thread for it, so a worker does it by itself unless somebody else is
//! writing or there is something to wait for.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use codec::TopicName;
use parking_lot::Mutex;

use super::engine::{Batch, Engine, EngineError, Reach};
use super::packs::Packs;
use super::parcel::Parcel;
use super::{Order, Progress, record};
use crate::broker::{Message, WorkerId};
use crate::limits::{
    STORE_PROMPT_MAX, STORE_RETRY_PERIOD, STORE_SLOW_PERIOD, STORE_TIDY_PERIOD,
    STORE_TIDY_VALUES_MAX,
};
use crate::time::{Ms, Wall};

/// What the committer asks of the broker around it.
pub(crate) trait Surroundings {
    /// The retained message of a topic, and when it goes if it does.
    fn retained(&self, topic: &TopicName) -> Option<(Arc<Message>, Option<Ms>)>;

    /// A worker's parcel is stored.
    fn stored(&self, worker: WorkerId, parcel: u64);
}

/// Whose a parcel is, and its number.
type Name = (WorkerId, u64);

fn name(parcel: &Parcel) -> Name {
    (parcel.worker, parcel.number)
}

/// What it takes to write parcels, whoever does it.
#[derive(Debug)]
pub(super) struct Writer {
    engine: Arc<dyn Engine>,
    reach: Reach,
    wall: Wall,
    packs: Packs,
    progress: Arc<Progress>,
    /// The changes of the parcels that are being written.
    batch: Batch,
    /// Parcels that a worker could not write: their changes are in the batch, and the thread tries on.
    unwritten: Vec<Name>,
    /// Writing was slow, so workers leave it to the thread until then.
    slow_until: Option<Instant>,
    /// What was to be written before could not be, so nothing that builds on it may be.
    has_given_up: bool,
}

impl Writer {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        reach: Reach,
        wall: Wall,
        packs: Packs,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            engine,
            reach,
            wall,
            packs,
            progress,
            batch: Batch::default(),
            unwritten: Vec::new(),
            slow_until: None,
            has_given_up: false,
        }
    }

    /// Whether a worker may write by itself now: it must not be kept from its clients.
    pub(super) fn is_prompt(&self) -> bool {
        let is_behind = self.has_given_up || !self.unwritten.is_empty();
        if self.reach != Reach::System || is_behind || !self.engine.is_prompt() {
            return false;
        }
        self.slow_until.is_none_or(|until| Instant::now() >= until)
    }

    /// Writes parcels once, and says whether they are stored. What is not has to be tried again.
    pub(super) fn write_at_once(&mut self, parcels: &[Parcel], around: &impl Surroundings) -> bool {
        let begun = Instant::now();
        let is_stored = self.write_once(parcels, around).is_ok();
        if is_stored {
            self.count();
        } else {
            self.unwritten = parcels.iter().map(name).collect();
        }
        let ended = Instant::now();
        if ended.duration_since(begun) > STORE_PROMPT_MAX {
            self.slow_until = ended.checked_add(STORE_SLOW_PERIOD);
        }
        is_stored
    }

    /// Writes parcels once, all of them or none.
    pub(super) fn write_once(
        &mut self,
        parcels: &[Parcel],
        around: &impl Surroundings,
    ) -> Result<(), EngineError> {
        self.gather(parcels, around);
        self.engine.commit(&self.batch, self.reach)
    }

    /// Writes what a worker could not, for as long as it takes, and says what is stored then.
    fn write_on(&mut self) -> Vec<Name> {
        if self.unwritten.is_empty() || !self.commit(self.reach) {
            return Vec::new();
        }
        std::mem::take(&mut self.unwritten)
    }

    /// Writes parcels, for as long as it takes, and says what is stored then.
    fn write(&mut self, parcels: &[Parcel], around: &impl Surroundings) -> Vec<Name> {
        let mut stored = self.write_on();
        if parcels.is_empty() || self.has_given_up {
            return stored;
        }
        self.gather(parcels, around);
        // What nobody waits for gets to the disk with what somebody does.
        let is_awaited = parcels.iter().any(|parcel| parcel.is_awaited);
        if self.commit(if is_awaited { self.reach } else { Reach::System }) {
            stored.extend(parcels.iter().map(name));
        }
        stored
    }

    /// Puts all that these parcels change into the batch.
    fn gather(&mut self, parcels: &[Parcel], around: &impl Surroundings) {
        let batch = &mut self.batch;
        batch.clear();
        let mut packing = self.packs.pack(self.wall);
        for parcel in parcels {
            packing.add(parcel);
            for topic in &parcel.retained {
                let found = around.retained(topic);
                let found = found
                    .as_ref()
                    .map(|(message, until)| (&**message, until.map(|until| self.wall.of(until))));
                record::put_retained(batch, topic, found, self.wall);
            }
            for (key, value) in parcel.changes.iter() {
                match value {
                    Some(value) => batch.put(key, value),
                    None => batch.delete(key),
                }
            }
        }
        packing.finish(batch);
    }

    /// Tries until the batch is stored, for there may be room again; or until the broker is to stop, and
    /// says whether it is stored.
    fn commit(&mut self, reach: Reach) -> bool {
        let progress = &self.progress;
        while let Err(error) = self.engine.commit(&self.batch, reach) {
            progress.failures.fetch_add(1, Ordering::Relaxed);
            if !progress.is_failing.swap(true, Ordering::Relaxed) {
                complain(&error);
            }
            if progress.is_stopping.load(Ordering::Relaxed) {
                tracing::error!("What could not be stored ends with the broker: {error}.");
                self.has_given_up = true;
                return false;
            }
            std::thread::sleep(STORE_RETRY_PERIOD);
        }
        if progress.is_failing.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "The store can be written again: what waited for it is acknowledged now."
            );
        }
        self.count();
        true
    }

    fn count(&self) {
        self.progress.commits.fetch_add(1, Ordering::Relaxed);
        self.progress.deliveries.store(self.packs.waiting() as u64, Ordering::Relaxed);
    }

    /// Wins room back.
    fn tidy(&mut self) {
        // What a worker could not write is in the batch still.
        if self.has_given_up || !self.unwritten.is_empty() {
            return;
        }
        self.batch.clear();
        let tidied = self.packs.tidy(&*self.engine, STORE_TIDY_VALUES_MAX, &mut self.batch);
        if let Err(error) = tidied {
            complain(&error);
        }
        if !self.batch.is_empty() {
            self.commit(Reach::System);
        }
    }
}

/// The thread that writes what workers do not write by themselves, in the order it comes.
#[derive(Debug)]
pub(crate) struct Committer {
    writer: Arc<Mutex<Writer>>,
    orders: Receiver<Order>,
}

impl Committer {
    pub(super) fn new(writer: Arc<Mutex<Writer>>, orders: Receiver<Order>) -> Self {
        Self { writer, orders }
    }

    /// Works until it is told to end.
    pub(crate) fn run(self, around: &impl Surroundings) {
        let mut tidied = Instant::now();
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            let parcels = match self.orders.recv_timeout(STORE_TIDY_PERIOD) {
                Ok(Order::Store(parcels)) => parcels,
                Ok(Order::TryOn) | Err(RecvTimeoutError::Timeout) => Vec::new(),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
            };
            let (stored, next) = self.store(parcels, around);
            // They are told when others can write again: each has the next parcel ready then.
            for (worker, parcel) in stored {
                around.stored(worker, parcel);
            }
            if tidied.elapsed() >= STORE_TIDY_PERIOD {
                self.writer.lock().tidy();
                tidied = Instant::now();
            }
            flow = next;
        }
    }

    /// Stores parcels and those that have come after them; says what is stored, and whether those were the
    /// last.
    fn store(
        &self,
        mut parcels: Vec<Parcel>,
        around: &impl Surroundings,
    ) -> (Vec<Name>, ControlFlow<()>) {
        let mut writer = self.writer.lock();
        let mut flow = ControlFlow::Continue(());
        for order in self.orders.try_iter() {
            match order {
                Order::Store(more) => parcels.extend(more),
                // What is to be tried again is written first anyway.
                Order::TryOn => {}
                Order::End => flow = ControlFlow::Break(()),
            }
        }
        let stored = writer.write(&parcels, around);
        (stored, flow)
    }
}

fn complain(error: &EngineError) {
    let what_to_do = if error.is_full() { "make room on that disk" } else { "look at that disk" };
    tracing::error!(
        "The store can't be written: {error}. What is to be stored is not acknowledged until it is; \
         {what_to_do}."
    );
}
