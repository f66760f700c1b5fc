//! What a worker hands to the committer at once.

use std::num::NonZeroU64;
use std::sync::Arc;

use codec::{QoS, TopicFilter, TopicName};

use super::engine::Batch;
use super::record::SessionNumber;
use crate::broker::{Message, WorkerId};

/// Where something stands: in which parcel, and as which of its kind there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place(NonZeroU64);

impl Place {
    /// The place in a parcel; parcels are numbered from 1, and there are fewer than 2^48 of them.
    pub(crate) fn new(parcel: u64, index: u16) -> Self {
        let bits = parcel.wrapping_shl(16) | u64::from(index);
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MAX))
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).map(Self)
    }

    pub(crate) fn parcel(self) -> u64 {
        self.0.get() >> 16
    }

    pub(crate) fn index(self) -> u16 {
        (self.0.get() & 0xffff) as u16
    }
}

/// A message of QoS 1 or 2 that a session is to get.
#[derive(Debug)]
pub(crate) struct NewDelivery {
    pub session: SessionNumber,
    pub number: NonZeroU64,
    pub qos: QoS,
    pub retain: bool,
    pub ids: Box<[u32]>,
    pub share: Option<Arc<TopicFilter>>,
    pub message: Arc<Message>,
}

/// Changes that are stored together or not at all.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    /// From 1; no other parcel ever has the same.
    pub number: u64,
    pub worker: WorkerId,
    /// By their places; those that were taken back are missing.
    pub deliveries: Vec<Option<NewDelivery>>,
    /// Deliveries that are over.
    pub ended: Vec<Place>,
    /// Deliveries of QoS 2 whose receivers have taken the message over.
    pub released: Vec<Place>,
    /// Topics whose retained message is another one now, or none.
    pub retained: Vec<TopicName>,
    /// All else.
    pub changes: Batch,
    /// Whether anybody waits for it.
    pub is_awaited: bool,
}

impl Parcel {
    /// Forgets all that is in it, and keeps the room that it took.
    pub(crate) fn clear(&mut self) {
        let Self { deliveries, ended, released, retained, changes, .. } = self;
        deliveries.clear();
        ended.clear();
        released.clear();
        retained.clear();
        changes.clear();
    }

    /// Whether there is nothing to store.
    pub(crate) fn is_empty(&self) -> bool {
        self.deliveries.iter().all(Option::is_none)
            && self.ended.is_empty()
            && self.released.is_empty()
            && self.retained.is_empty()
            && self.changes.is_empty()
    }
}
