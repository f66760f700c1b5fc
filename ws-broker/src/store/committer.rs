//! The one thread that writes: it takes what all workers want stored, writes that at once, and tells
//! them.
//!
//! While one batch is being written the next one gathers, so that however many wait, they wait for one
//! write (and one sync of the disk, where that is asked for).

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use codec::TopicName;

use super::engine::{Batch, Engine, EngineError, Reach};
use super::packs::Packs;
use super::parcel::Parcel;
use super::{Order, Progress, record};
use crate::broker::{Message, WorkerId};
use crate::limits::{STORE_RETRY_PERIOD, STORE_TIDY_PERIOD, STORE_TIDY_VALUES_MAX};
use crate::time::{Ms, Wall};

/// What the committer asks of the broker around it.
pub(crate) trait Surroundings {
    /// The retained message of a topic, and when it goes if it does.
    fn retained(&self, topic: &TopicName) -> Option<(Arc<Message>, Option<Ms>)>;

    /// A worker's parcel is stored.
    fn stored(&self, worker: WorkerId, parcel: u64);
}

/// Writes parcels, in the order they come.
#[derive(Debug)]
pub(crate) struct Committer {
    engine: Arc<dyn Engine>,
    reach: Reach,
    wall: Wall,
    packs: Packs,
    orders: Receiver<Order>,
    progress: Arc<Progress>,
}

impl Committer {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        reach: Reach,
        wall: Wall,
        packs: Packs,
        orders: Receiver<Order>,
        progress: Arc<Progress>,
    ) -> Self {
        Self { engine, reach, wall, packs, orders, progress }
    }

    /// Works until it is told to end.
    pub(crate) fn run(mut self, around: &impl Surroundings) {
        let mut batch = Batch::default();
        let mut tidied = Instant::now();
        loop {
            match self.orders.recv_timeout(STORE_TIDY_PERIOD) {
                Ok(Order::Store(parcels)) => {
                    if self.store(parcels, &mut batch, around).is_break() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
            if tidied.elapsed() >= STORE_TIDY_PERIOD {
                self.tidy(&mut batch);
                tidied = Instant::now();
            }
        }
    }

    /// Stores parcels and those that have come after them; says whether those were the last.
    fn store(
        &mut self,
        mut parcels: Vec<Parcel>,
        batch: &mut Batch,
        around: &impl Surroundings,
    ) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        for order in self.orders.try_iter() {
            match order {
                Order::Store(more) => parcels.extend(more),
                Order::End => flow = ControlFlow::Break(()),
            }
        }
        batch.clear();
        self.gather(&parcels, batch, around);
        // What nobody waits for gets to the disk with what somebody does.
        let is_awaited = parcels.iter().any(|parcel| parcel.is_awaited);
        if self.commit(batch, if is_awaited { self.reach } else { Reach::System }) {
            for parcel in &parcels {
                around.stored(parcel.worker, parcel.number);
            }
        }
        flow
    }

    /// Stores all that was handed over at once: all of it or nothing.
    ///
    /// # Errors
    /// It can't be stored. It is not tried again.
    pub(crate) fn run_once(mut self, around: &impl Surroundings) -> Result<(), EngineError> {
        let parcels = self.orders.try_iter().flat_map(|order| match order {
            Order::Store(parcels) => parcels,
            Order::End => Vec::new(),
        });
        let parcels: Vec<Parcel> = parcels.collect();
        let mut batch = Batch::default();
        self.gather(&parcels, &mut batch, around);
        self.engine.commit(&batch, self.reach)
    }

    /// Puts all that these parcels change into a batch.
    fn gather(&mut self, parcels: &[Parcel], batch: &mut Batch, around: &impl Surroundings) {
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

    /// Tries until it is stored, for there may be room again; or until the broker is to stop, and says
    /// whether it is stored.
    fn commit(&self, batch: &Batch, reach: Reach) -> bool {
        while let Err(error) = self.engine.commit(batch, reach) {
            self.progress.failures.fetch_add(1, Ordering::Relaxed);
            if !self.progress.is_failing.swap(true, Ordering::Relaxed) {
                complain(&error);
            }
            if self.progress.is_stopping.load(Ordering::Relaxed) {
                tracing::error!("What could not be stored ends with the broker: {error}.");
                return false;
            }
            std::thread::sleep(STORE_RETRY_PERIOD);
        }
        if self.progress.is_failing.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "The store can be written again: what waited for it is acknowledged now."
            );
        }
        self.progress.commits.fetch_add(1, Ordering::Relaxed);
        self.progress.deliveries.store(self.packs.waiting() as u64, Ordering::Relaxed);
        true
    }

    /// Wins room back.
    fn tidy(&mut self, batch: &mut Batch) {
        batch.clear();
        let tidied = self.packs.tidy(&*self.engine, STORE_TIDY_VALUES_MAX, batch);
        if let Err(error) = tidied {
            complain(&error);
        }
        if !batch.is_empty() {
            self.commit(batch, Reach::System);
        }
    }
}

fn complain(error: &EngineError) {
    let what_to_do = if error.is_full() { "make room on that disk" } else { "look at that disk" };
    tracing::error!(
        "The store can't be written: {error}. What is to be stored is not acknowledged until it is; \
         {what_to_do}."
    );
}
