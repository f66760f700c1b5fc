//! `cargo xtask`: every chore of the project behind one door.
//!
//! Nothing here is part of the product. Each command sets up what it needs by itself ([`setup`])
//! and prints what it runs ([`command`]), so that whatever it does can be done by hand.

mod bench;
mod binaries;
mod command;
mod crash;
mod dashboard;
mod glue;
mod page;
mod run;
mod setup;
mod statements;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Every chore of the project behind one door.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build everything, then run the broker with its dashboard and this machine's readings
    Run(run::Arguments),
    /// Set up what the tests need, then check and test everything
    Test(test::Arguments),
    /// Measure the broker and its peers under the same load
    Bench(bench::Arguments),
    /// Kill the broker again and again under load, and look for what it has lost
    Crash(crash::Arguments),
    /// Leave one self-contained ws-broker, with the dashboard inside, in target/dist
    Dist,
    /// Build the dashboard alone into target/dashboard, as it is embedded
    Dashboard,
    /// Check the promises about the sources that no compiler checks
    Tidy {
        /// Bring what is generated up to date instead of complaining about it
        #[arg(long)]
        write: bool,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Run(arguments) => run::run(&arguments),
        Chore::Test(arguments) => test::run(&arguments),
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::Crash(arguments) => crash::run(&arguments),
        Chore::Dist => binaries::dist(),
        Chore::Dashboard => dashboard(),
        Chore::Tidy { write } => tidy::run(write),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dashboard() -> Result<()> {
    setup::ensure(setup::FOR_THE_DASHBOARD)?;
    let folder = dashboard::build()?;
    println!("The dashboard is in {}", folder.display());
    Ok(())
}
