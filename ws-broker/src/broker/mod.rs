//! What all workers share: who is subscribed to what, which messages are retained, and which worker
//! is home to which session.

mod message;
mod registry;
mod retained;
mod router;
mod stats;

pub(crate) use message::{Expired, Message};
pub(crate) use registry::Registry;
pub(crate) use retained::{Retained, StoreFull};
pub(crate) use router::{Chosen, Router, Target, Targets};
pub(crate) use stats::{Counters, Figures, Kind, StoreFigures, Totals, count};

/// The number of a worker, from 0.
pub(crate) type WorkerId = u16;

/// Names one session in the whole broker: where it lives, and which life of that place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    pub worker: WorkerId,
    /// Which session of the worker; a number is used again once its session has ended.
    pub slot: u32,
    /// Tells sessions apart that had the same slot one after the other.
    pub epoch: u32,
    /// Whether it is kept in the store.
    pub kept: bool,
}
