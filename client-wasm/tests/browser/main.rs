//! What runs in a browser alone, tested in one: the page, the connection, both faces of the client and
//! the wire to the worker. No broker is needed: a socket of our own stands in for the browser's, and
//! the test plays the broker with the codec.

#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of it is tests, helpers too, and clippy knows that of functions marked #[test] alone"
)]

mod charts;
mod connection;
mod connections;
mod dom;
mod faces;
mod messages;
mod packets;
mod page;
mod shell;
mod socket;
mod topics;
mod widgets;
mod worker;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
