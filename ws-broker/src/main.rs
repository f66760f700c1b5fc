//! `ws-broker`: an MQTT broker that serves its own dashboard.
//!
//! The way of a message is told in ARCHITECTURE.md. Entry points: [`server::run`] puts the broker
//! together, [`worker::run`] is one of its threads, [`http::serve`] is the HTTP side.

mod assets;
mod broker;
mod cli;
mod http;
mod limits;
mod log;
mod server;
mod time;
mod worker;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    log::start(cli.verbose);
    match server::run(cli.config()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}.");
            ExitCode::FAILURE
        }
    }
}
