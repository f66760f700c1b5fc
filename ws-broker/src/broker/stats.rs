//! What happened, counted: each worker has figures of its own, which others only read, and together they
//! are what the broker tells of itself under `$SYS` and at `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Whether a figure only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
}

/// One figure, for whoever writes it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figure {
    pub name: &'static str,
    pub kind: Kind,
    /// A sentence for people.
    pub help: &'static str,
    pub value: u64,
}

macro_rules! figures {
    ($($kind:ident { $($(#[doc = $doc:literal])+ $name:ident,)* })*) => {
        /// The figures of one worker, on cache lines of their own.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(crate) struct Counters {
            $($($(#[doc = $doc])+ pub $name: AtomicU64,)*)*
        }

        /// The same figures, added up.
        #[derive(Debug, Default, Clone)]
        pub(crate) struct Totals {
            $($($(#[doc = $doc])+ pub $name: u64,)*)*
        }

        impl Counters {
            /// Adds one worker's figures to those of others.
            pub(crate) fn add_to(&self, totals: &mut Totals) {
                $($(
                    totals.$name =
                        totals.$name.wrapping_add(self.$name.load(Ordering::Relaxed));
                )*)*
            }
        }

        impl Totals {
            /// Each of the figures.
            pub(crate) fn each(&self) -> Vec<Figure> {
                vec![$($(Figure {
                    name: stringify!($name),
                    kind: Kind::$kind,
                    help: concat!($($doc),+).trim(),
                    value: self.$name,
                },)*)*]
            }
        }
    };
}

figures! {
    Counter {
        /// Connections that were accepted.
        connections_accepted,
        /// Connections closed because too many had not sent their CONNECT yet.
        connections_refused_busy,
        /// Connections closed because their bytes were no MQTT.
        protocol_errors,
        /// CONNECT packets received.
        connects_received,
        /// MQTT packets of any kind received.
        packets_received,
        /// MQTT packets of any kind sent.
        packets_sent,
        /// Bytes of MQTT received.
        bytes_received,
        /// Bytes of MQTT sent.
        bytes_sent,
        /// Messages that clients published.
        publishes_received,
        /// Messages written to clients.
        publishes_sent,
        /// Bytes of payload in the messages that clients published.
        publish_bytes_received,
        /// Bytes of payload in the messages written to clients.
        publish_bytes_sent,
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
        /// Messages not sent because the store could not give them back.
        dropped_unreadable,
        /// Retained messages not kept because there are too many.
        dropped_retained_full,
        /// Sessions that ended because their client stayed away too long.
        sessions_expired,
    }
    Gauge {
        /// Sessions, whether their clients are connected or not.
        sessions,
        /// Clients that are connected.
        clients_connected,
        /// Connections whose CONNECT is not whole yet.
        handshakes,
        /// Messages that wait in sessions.
        queued_messages,
        /// Bytes of the messages that wait in sessions.
        queued_bytes,
        /// QoS 1 and 2 messages that were sent and not acknowledged yet.
        inflight_messages,
    }
}

impl Totals {
    /// Messages dropped because their receivers did not keep up.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped_slow_reader.saturating_add(self.dropped_queue_full)
    }
}

/// Adds `by` to a counter of one's own worker. A plain store is enough: nobody else writes it.
pub(crate) fn count(counter: &AtomicU64, by: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(by);
    counter.store(sum, Ordering::Relaxed);
}

/// The broker as a whole, at one moment.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    pub totals: Totals,
    pub uptime_ms: u64,
    /// How long ago the worker was heard of that has been silent longest.
    pub silence_ms: u64,
    pub subscriptions: u64,
    pub shared_subscriptions: u64,
    pub retained_messages: u64,
    /// Bytes of payload in the retained messages.
    pub retained_bytes: u64,
    /// Bytes of memory that the broker holds, and the most that it has held.
    pub memory_bytes: u64,
    pub memory_maximum_bytes: u64,
    /// There if anything is kept on disk.
    pub store: Option<StoreFigures>,
}

/// The store, at one moment.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct StoreFigures {
    /// Whether it can't be written just now.
    pub is_failing: bool,
    /// Attempts to write it that failed.
    pub failures: u64,
    /// Times that something was stored.
    pub commits: u64,
    /// Messages that are stored for sessions, each as often as there are sessions that wait for it.
    pub deliveries: u64,
}

impl Figures {
    /// Each of the figures.
    pub(crate) fn each(&self) -> Vec<Figure> {
        let gauge = |name, help, value| Figure { name, kind: Kind::Gauge, help, value };
        let mut figures = self.totals.each();
        figures.extend([
            gauge("uptime_seconds", "Seconds since the broker started.", self.uptime_ms / 1000),
            gauge(
                "worker_silence_milliseconds",
                "How long ago the worker was heard of that has been silent longest.",
                self.silence_ms,
            ),
            gauge("subscriptions", "Subscriptions that are not shared.", self.subscriptions),
            gauge(
                "shared_subscriptions",
                "Members of shared subscriptions.",
                self.shared_subscriptions,
            ),
            gauge("retained_messages", "Retained messages.", self.retained_messages),
            gauge(
                "retained_bytes",
                "Bytes of payload in the retained messages.",
                self.retained_bytes,
            ),
            gauge("memory_bytes", "Bytes of memory that the broker holds.", self.memory_bytes),
            gauge(
                "memory_maximum_bytes",
                "The most bytes of memory that the broker has held.",
                self.memory_maximum_bytes,
            ),
        ]);
        if let Some(store) = &self.store {
            let counter = |name, help, value| Figure { name, kind: Kind::Counter, help, value };
            figures.extend([
                gauge(
                    "store_failing",
                    "1 while the store can't be written, so that what is to be stored waits.",
                    u64::from(store.is_failing),
                ),
                gauge(
                    "store_deliveries",
                    "Messages that are stored for sessions, once for each session.",
                    store.deliveries,
                ),
                counter(
                    "store_failures",
                    "Attempts to write the store that failed.",
                    store.failures,
                ),
                counter("store_commits", "Times that something was stored.", store.commits),
            ]);
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_all_workers_add_up() {
        let workers = [Counters::default(), Counters::default()];
        let mut totals = Totals::default();
        for worker in &workers {
            count(&worker.packets_received, 2);
            count(&worker.packets_received, 1);
            worker.add_to(&mut totals);
        }
        assert_eq!(totals.packets_received, 6);
        let packets = Figure {
            name: "packets_received",
            kind: Kind::Counter,
            help: "MQTT packets of any kind received.",
            value: 6,
        };
        assert!(totals.each().contains(&packets));
    }
}
