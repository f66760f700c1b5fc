//! The broker, held to the specification packet by packet. Every test is a short story with clients
//! that do nothing by themselves; the numbers in its description are those of the normative
//! statements that it holds (MQTT 5.0 where no version is named), by which `tests/statements` lists it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test tells its failure by panicking, and reads best without borrows"
)]

mod aliases;
mod answers;
mod authentication;
mod bridges;
mod client;
mod connecting;
mod expiry;
mod flows;
mod keep_alive;
mod load;
mod messages;
mod persistence;
mod reconnecting;
mod retained;
mod rounds;
mod rules;
mod sessions;
mod shared;
mod subscriptions;
mod websocket;
mod wills;
