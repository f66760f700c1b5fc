//! The flows of an MQTT session: what must be sent next, for both ends of the wire.
//!
//! The crate is sans-I/O: packets and the time go in, packets and events come out. It names no socket
//! and no runtime, reads no clock, and draws no randomness; so the broker, the browser and the
//! simulator in the tests run the very same code, and a run can be repeated byte for byte.
//!
//! * [`SendFlow`] and [`ReceiveFlow`]: the two directions of QoS 1 and 2 (MQTT 5.0 §4.3), with packet
//!   identifiers (§2.2.1), resending (§4.4), order (§4.6) and receive maximum (§4.9).
//! * [`Client`]: the whole client on these, with handshake, keep-alive, subscriptions and reconnect.
//! * [`AliasesIn`] and [`AliasesOut`]: the topic aliases of one connection (§3.3.2.3.4).

mod alias;
mod backoff;
mod client;
mod event;
mod flow;
mod operations;
mod options;
mod outbox;
mod receive;
mod send;
mod sorted;
mod time;

pub use alias::{
    ALIAS_TOPIC_BYTES_MAX, ALIASES_OUT_MAX, AliasError, AliasUse, AliasesIn, AliasesOut,
};
pub use backoff::BackoffLimits;
pub use client::{
    Client, PING_PATIENCE_MAX, STABLE_AFTER_MS, TRANSMIT_BATCH_BYTES, UNREAD_BYTES_MAX,
};
pub use event::{
    Action, Connected, DisconnectReason, Event, Message, PublishError, ServerLimits, State,
    SubscribeError, Token, Violation,
};
pub use flow::FlowError;
pub use operations::OPERATIONS_MAX;
pub use options::Options;
pub use receive::{Arrival, ReceiveFlow};
pub use send::{Held, Outgoing, PubRecOutcome, SendFlow, packet_id};
pub use time::Millis;
