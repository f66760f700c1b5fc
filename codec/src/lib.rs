//! See the package description; the rooms are described in ARCHITECTURE.md.
