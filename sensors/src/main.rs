//! `sensors`: programs that put readings on the wire, as ordinary clients of any MQTT broker.
//!
//! Each subcommand is a source of readings with a module of its own; `broker` is the way all of
//! them reach the broker, `cli` the words of the command line that all of them share.

mod aemet;
mod backoff;
mod board;
mod broker;
mod cli;
mod fetch;
mod host;
mod http;
mod publish;
mod reading;
mod report;
mod sim;
mod tls;

use clap::Parser;
use report::{Failure, say};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match run(&arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say!("{failure}");
            ExitCode::from(failure.status())
        }
    }
}

fn run(command: &cli::Command) -> Result<(), Failure> {
    // One thread is plenty for a few readings, and leaves the machine we measure alone.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("Cannot start: {error}.")))?;
    runtime.block_on(async {
        match command {
            cli::Command::Host(arguments) => host::run(arguments).await,
            cli::Command::Aemet(arguments) => aemet::run(arguments).await,
            cli::Command::Http(arguments) => http::run(arguments).await,
            cli::Command::Sim(arguments) => sim::run(arguments).await,
        }
    })
}
