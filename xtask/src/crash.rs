//! `cargo xtask crash`: the long form of the crash test, whose short form is among the tests.

use std::process::Command;

use anyhow::Result;

use crate::{binaries, command, setup, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often the broker dies
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Decides when it dies and what its clients do; drawn at random, and printed, if it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// The level of durability
    #[arg(long, value_enum, default_value = "os")]
    durability: Durability,
    /// Take the debug build of the broker, which checks itself more
    #[arg(long)]
    debug: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Durability {
    /// What is acknowledged survives the broker's being killed
    Os,
    /// What is acknowledged survives a power failure too
    Fsync,
}

impl Durability {
    const fn word(self) -> &'static str {
        match self {
            Self::Os => "os",
            Self::Fsync => "fsync",
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut build = command::cargo();
    build.args(["build", "--package", "tests", "--bin", "crash"]);
    let folder = if arguments.debug {
        build.args(["--package", "ws-broker", "--bin", "ws-broker"]);
        workspace::target().join("debug")
    } else {
        setup::ensure(setup::FOR_THE_DASHBOARD)?;
        binaries::build()?;
        build.arg("--release");
        workspace::target().join("release")
    };
    command::run(&mut build)?;
    let mut crash = Command::new(folder.join("crash"));
    crash.arg(folder.join("ws-broker"));
    crash.args(["--rounds", &arguments.rounds.to_string()]);
    crash.args(["--durability", arguments.durability.word()]);
    if let Some(seed) = arguments.seed {
        crash.args(["--seed", &seed.to_string()]);
    }
    command::run(&mut crash)
}
