//! `sensors` as its users meet it: the real binary against a real broker, Debian's Mosquitto.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod aemet;
mod harness;
mod host;
mod http;
mod sim;
mod transports;
