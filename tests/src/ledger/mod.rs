//! The ledger: clients that keep the list of what was acknowledged to them, and a broker that is killed
//! at random instants and started again, over and over, under load.
//!
//! Afterwards the list and what the broker delivers must agree: nothing acknowledged is missing, no
//! message of QoS 2 is there twice, and Session Present tells the truth. [`book`] says exactly what may
//! happen and what may not. The clients live in this process and survive, with their side of their
//! sessions ([`client`]); what they do stands in [`roles`]. [`run`] is the one way in, for the short form
//! among the tests and for the long one, `cargo xtask crash`.

pub mod body;
pub mod book;
pub mod client;
pub mod house;
pub mod link;
pub mod report;
pub mod roles;
mod rounds;

pub use report::Report;
pub use rounds::{Ends, Plan, run};
