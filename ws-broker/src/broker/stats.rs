//! What happened, counted: each worker has counters of its own, which others only read.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of one worker.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(crate) struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Counters {
            /// Each counter's name and value.
            pub(crate) fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counters! {
    /// Connections that were given to the worker.
    connections_accepted,
    /// Connections closed because too many had not sent their CONNECT yet.
    connections_refused_busy,
    /// Connections closed because their bytes were no MQTT.
    protocol_errors,
    /// Messages that clients published.
    publishes_received,
    /// Messages written to clients.
    publishes_sent,
    /// QoS 0 messages dropped because their receiver does not read fast enough.
    dropped_slow_reader,
    /// QoS 1 and 2 messages dropped because their receiver's queue was full.
    dropped_queue_full,
    /// Messages not sent because they are larger than their receiver takes.
    dropped_too_large,
    /// Messages not sent because they had expired.
    dropped_expired,
    /// Messages whose topic has no name at the other end of a bridge.
    dropped_nameless,
    /// Retained messages not kept because there are too many.
    dropped_retained_full,
}

/// Adds `by` to a counter of one's own worker. A plain store is enough: nobody else writes it.
pub(crate) fn count(counter: &AtomicU64, by: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(by);
    counter.store(sum, Ordering::Relaxed);
}
