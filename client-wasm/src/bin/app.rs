//! The dashboard's program, for the browser alone.

fn main() {}
