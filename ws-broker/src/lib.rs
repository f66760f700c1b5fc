//! `ws-broker`: an MQTT broker that serves its own dashboard.
//!
//! The way of a message is told in ARCHITECTURE.md. Entry points: `server::run` puts the broker
//! together, `worker::run` is one of its threads, `http::serve` is the HTTP side.

mod access;
mod assets;
mod bridge;
mod broker;
mod cli;
mod config;
mod folder;
mod http;
mod import;
mod limits;
mod log;
pub mod matching;
mod memory;
mod metrics;
mod net;
mod process;
mod server;
mod settings;
mod store;
mod sys;
mod time;
pub mod websocket;
mod worker;

use std::process::ExitCode;

/// What the broker ends with when it was told something that makes no sense, as Mosquitto does.
const INVALID: u8 = 3;

/// Runs the program by its command line, to its end.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no error.
            let code = if error.use_stderr() { INVALID } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match cli.command {
        Some(cli::Command::Passwd { arguments }) => {
            return ExitCode::from(access::manage(arguments));
        }
        Some(cli::Command::Import(arguments)) => return ExitCode::from(import::run(&arguments)),
        None => {}
    }
    log::start();
    let loaded = match cli.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::error!("{error:#}.");
            return ExitCode::from(INVALID);
        }
    };
    if cli.test_config {
        println!("Configuration file is OK.");
        return ExitCode::SUCCESS;
    }
    match server::run(&cli, loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}.");
            // Who has started it looks here, wherever its log goes.
            if !log::is_on_stderr() {
                eprintln!("Error: {error:#}.");
            }
            ExitCode::FAILURE
        }
    }
}
