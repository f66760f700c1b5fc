//! What the tests that cross crates share: the real broker and real clients as processes, a client
//! of bare bytes for what no real client would send, and waiting that is bounded and explains itself.
//!
//! Nothing here sleeps and hopes. A test waits for a condition; when the condition does not come
//! within [`PATIENCE`], it fails, and every program that was running prints all it said. The limit
//! is only the bound of a failure: on a quiet machine nothing here takes a noticeable part of it.
//!
//! The packets are put together by hand, not with the `codec` crate: a mistake made in both
//! directions there must not cancel out here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking, and nothing here is run by a user"
)]

use std::time::Duration;

pub mod broker;
pub mod browser;
pub mod certificates;
pub mod http;
pub mod ledger;
pub mod mosquitto;
pub mod opendata;
pub mod ports;
pub mod program;
pub mod python;
pub mod sensors;
pub mod web;
pub mod wire;

pub use broker::Broker;
pub use browser::Browser;
pub use program::Program;
pub use wire::Version;

/// How long a test waits for a condition before it gives up and fails. Generous, because a loaded
/// machine is no reason to fail.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at when the system offers no way to be woken by it.
pub const POLL_INTERVAL: Duration = Duration::from_millis(5);
