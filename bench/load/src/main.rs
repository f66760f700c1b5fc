//! `load`: puts a load on a broker from one thread, counts what comes back, and prints that as JSON.
//!
//! It is to cost less for each message than any broker that it measures. So packets are encoded before
//! the clock starts and stamped when they are sent, whatever is due for a connection leaves in one
//! write, and of what arrives only the lengths, Packet Identifiers and stamps are looked at.

mod certificate;
mod connection;
mod connections;
mod fleet;
mod flow;
mod framer;
mod process;
mod readings;
mod report;
mod retained;
mod subscribe;
mod target;
mod template;
mod websocket;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Puts a load on an MQTT broker, counts what comes back, and prints that as JSON.
#[derive(Debug, Parser)]
#[command(name = "load", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    load: Load,
}

#[derive(Debug, Subcommand)]
enum Load {
    /// Messages from publishers to subscribers
    Flow(flow::Arguments),
    /// Clients that connect and then do nothing
    Connections(connections::Arguments),
    /// Retained messages, and a client that subscribes to all of them
    Retained(retained::Arguments),
    /// Readings of many sensors at a rate, whoever gets them
    Readings(readings::Arguments),
    /// Make a certificate for `localhost` and its key, which are good for nothing but measuring
    Certificate(certificate::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().load {
        Load::Flow(arguments) => flow::run(&arguments),
        Load::Connections(arguments) => connections::run(&arguments),
        Load::Retained(arguments) => retained::run(&arguments),
        Load::Readings(arguments) => readings::run(&arguments),
        Load::Certificate(arguments) => certificate::run(&arguments),
    };
    match result {
        Ok(report) => {
            if let Some(missing) = report.get("missing").and_then(|n| n.as_u64()).filter(|n| *n > 0)
            {
                eprintln!("load: {missing} messages that should have arrived did not");
            }
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
