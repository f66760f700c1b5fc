//! Nothing but its benchmark: `cargo bench --manifest-path bench/micro/Cargo.toml`.
