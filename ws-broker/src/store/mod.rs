//! The durable store: what was acknowledged outlives the program.

pub(crate) mod engine;
