//! Clients that connect and then do nothing: how fast they are accepted, and what each costs.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::process::Process;
use crate::report;
use crate::target::{self, Target};

/// Clients that connect and then do nothing.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    target: target::Arguments,
    /// Clients
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// Seconds that they stay
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Value> {
    let process = Process(arguments.target.pid);
    let mut fleet = Fleet::new(Target::new(&arguments.target)?)?;
    let resident_before = process.resident();
    let before = process.processor_time();
    let opened = fleet.open(arguments.count, "idle")?;
    let connected = process.processor_time();
    // A connection that the broker gives up meanwhile ends the run with an error.
    let end = Instant::now() + Duration::from_secs_f64(arguments.seconds);
    while let Some(rest) = end.checked_duration_since(Instant::now()) {
        fleet.turn(Some(rest), &mut |_, _, _, _| Ok(()))?;
    }
    Ok(json!({
        "count": arguments.count,
        "seconds": opened.took.as_secs_f64(),
        "broker_seconds": report::seconds_between(before, connected),
        "idle_broker_seconds": report::seconds_between(connected, process.processor_time()),
        "latency_us": report::latency(&opened.latency),
        "resident_before": resident_before,
        "resident": process.resident(),
    }))
}
