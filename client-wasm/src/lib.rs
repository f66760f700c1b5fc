//! The browser's side of the project: an MQTT client over WebSocket, and the dashboard on it.

pub mod desk;
pub mod history;
pub mod json;
pub mod limits;
pub mod name;
pub mod number;
pub mod payload;
pub mod protocol;
pub mod store;
pub mod unit;
