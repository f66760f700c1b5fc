//! Bridges between brokers: ours to ours, ours to Mosquitto, Mosquitto to ours, and ours to a place where
//! the test answers packet by packet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test tells its failure by panicking, and reads best without borrows"
)]

mod connecting;
mod crossing;
mod node;
mod outage;
mod tls;
