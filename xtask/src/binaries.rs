//! The programs as a user runs them: in release, the broker with the dashboard inside.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{command, dashboard, setup, workspace};

/// What [`build`] leaves.
pub(crate) struct Binaries {
    /// `ws-broker`, with the dashboard inside.
    pub(crate) broker: PathBuf,
    /// `sensors`.
    pub(crate) sensors: PathBuf,
}

/// Builds the dashboard, and the broker around it, and the sensors.
pub(crate) fn build() -> Result<Binaries> {
    cargo_build(&["ws-broker", "sensors"])?;
    let folder = workspace::target().join("release");
    Ok(Binaries { broker: folder.join("ws-broker"), sensors: folder.join("sensors") })
}

/// Builds the broker alone, with the dashboard inside.
pub(crate) fn broker() -> Result<PathBuf> {
    cargo_build(&["ws-broker"])?;
    Ok(workspace::target().join("release").join("ws-broker"))
}

/// `cargo xtask dist`: one `ws-broker` that needs no file beside it.
pub(crate) fn dist() -> Result<()> {
    setup::ensure(setup::FOR_THE_DASHBOARD)?;
    let built = broker()?;
    let folder = workspace::target().join("dist");
    let file = folder.join("ws-broker");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let size = fs::copy(&built, &file)
        .with_context(|| format!("cannot copy {} to {}", built.display(), file.display()))?;
    println!("{}: {:.1} MB, the dashboard inside", file.display(), size as f64 / 1e6);
    Ok(())
}

fn cargo_build(packages: &[&str]) -> Result<()> {
    let dashboard = dashboard::build()?;
    let mut cargo = command::cargo();
    cargo.env("WS_BROKER_DASHBOARD", dashboard).args(["build", "--release"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    command::run(&mut cargo)
}
