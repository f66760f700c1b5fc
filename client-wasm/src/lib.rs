//! The browser's side of the project: an MQTT client over WebSocket, and the dashboard on it.
//!
//! * **The client**, for other programs too: in Rust `Client`, in JavaScript `MqttClient`.
//! * **The engine**, in a Web Worker: it owns the connection, the [`store`] and every computation over
//!   it, and keeps the [`desk`] that decides what the page is told.
//! * **The page**: it asks for what it shows, in the words of the [`protocol`], and paints it.
//!
//! What needs no browser is compiled for the host too, and tested there.

pub mod aliases;
pub mod card;
pub mod case;
pub mod clearing;
pub mod connect;
pub mod decode;
pub mod desk;
pub mod detail;
pub mod diff;
pub mod draft;
pub mod export;
pub mod fault;
pub mod find;
pub mod float;
pub mod format;
pub mod history;
pub mod inside;
pub mod json;
pub mod limits;
pub mod log;
pub mod looks;
pub mod messages;
pub mod name;
pub mod number;
pub mod payload;
pub mod placeholder;
pub mod plot;
mod points;
pub mod profile;
pub mod protocol;
pub mod reading;
pub mod recording;
pub mod replay;
pub mod retained;
pub mod route;
pub mod search;
pub mod store;
pub mod switchboard;
pub mod sys;
pub mod template;
pub mod texts;
pub mod ticks;
pub mod tree;
pub mod unit;
pub mod unreadable;
pub mod visible;
pub mod vitals;
pub mod widgets;
pub mod wire;

#[cfg(target_arch = "wasm32")]
mod blob;
#[cfg(target_arch = "wasm32")]
pub mod client;
#[cfg(target_arch = "wasm32")]
mod clock;
#[cfg(target_arch = "wasm32")]
pub mod connection;
#[cfg(target_arch = "wasm32")]
pub mod engine;
#[cfg(all(target_arch = "wasm32", feature = "javascript"))]
pub mod javascript;
#[cfg(target_arch = "wasm32")]
pub mod page;
#[cfg(target_arch = "wasm32")]
mod socket;
#[cfg(target_arch = "wasm32")]
mod tape;
#[cfg(target_arch = "wasm32")]
pub mod worker;

#[cfg(all(test, target_arch = "wasm32"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
