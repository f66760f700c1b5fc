//! What the durable store costs: ours with persistence off and at each level, in turn, and how soon it
//! serves again with a full store.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::Bench;
use super::page::{Table, count};
use super::peers::{Broker, STORE};
use super::results::{Measured, Results, Round};
use super::workloads::{self, Kind, Workload};

/// The names of ours in the results, by what it stores.
pub(super) const OFF: &str = "persistence off";
pub(super) const OS: &str = "level os";
pub(super) const FSYNC: &str = "level fsync";

/// Level `os` is to reach at least this part of the throughput with persistence off. On its one core that
/// is the inverse of the processor time, which depends far less on what else the machine does.
const AIM_OS: f64 = 0.7;
/// So many times the rate of one publisher are those to reach who wait beside each other.
const AIM_TOGETHER: f64 = 20.0;
/// So soon is a broker with a full store to serve, in seconds.
const AIM_RESTART_S: f64 = 10.0;

/// The workloads of one publisher and of many, who wait for each acknowledgement.
pub(super) const ALONE: &str = "stored-1-waits";
pub(super) const TOGETHER: &str = "stored-100-wait";

/// A broker that finds its store full after it was killed.
pub(super) fn restart(bench: &Bench, broker: &Broker, workload: &Workload) -> Result<Round> {
    let running = broker.start(workload.transport, &bench.folder, &bench.cores)?;
    let filled = bench.load(&running, workload)?;
    // As it is dropped it is killed.
    drop(running);
    let begun = Instant::now();
    let running = broker.start(workload.transport, &bench.folder, &bench.cores)?;
    let connection = Workload { load: &["connections", "--count=1"], ..*workload };
    let connected = bench.load(&running, &connection)?;
    let start_s = begun.elapsed().as_secs_f64();
    running.stop()?;
    Ok(Round { start_s: Some(start_s), resident_mib: connected.resident_mib, ..filled })
}

/// Removes the store that an earlier run has left.
pub(super) fn clear(folder: &Path) -> Result<()> {
    let store = folder.join(STORE);
    match fs::remove_dir_all(&store) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", store.display()))
        }
        _ => Ok(()),
    }
}

/// What was measured, as Markdown; nothing where none of it was.
pub(super) fn figures(results: &Results) -> String {
    let mut table = Table::new("Stored before it is acknowledged: messages per second");
    table.row(["workload", OFF, OS, FSYNC, "level os of persistence off, by processor time"]);
    for (workload, measured) in of(results, Kind::Stored) {
        let cell = |level| {
            let rate = measured.spread(level, |round| Some(round.rate))?;
            let us = measured.spread(level, |round| round.broker_us);
            let us = us.map_or_else(String::new, |us| format!(", {:.2} µs each", us.median));
            Some(format!("{}/s{us}", count(rate.median)))
        };
        let mut cells = vec![workload.title.to_owned()];
        cells.extend([OFF, OS, FSYNC].map(|level| cell(level).unwrap_or_else(|| "–".into())));
        let part = ratio(processor_time(measured, OFF), processor_time(measured, OS));
        let is_aim = ![ALONE, TOGETHER].contains(&workload.name);
        cells.push(part.map_or_else(String::new, |part| {
            let said = format!("**{:.0} %**", part * 100.0);
            if is_aim { format!("{said}; {}", verdict(part >= AIM_OS, "70 %")) } else { said }
        }));
        table.row(cells.iter().map(String::as_str));
    }
    let mut out = table.end();
    let find = |name: &str| results.workloads.iter().find(|measured| measured.name == name);
    let of_fsync = |name| rate(find(name)?, FSYNC);
    if let Some(times) = ratio(of_fsync(TOGETHER), of_fsync(ALONE)) {
        out.push_str(&format!(
            "\nAt level fsync, 100 publishers who each wait for each acknowledgement reach **{times:.1} \
             times** the rate of one; {}.\n",
            verdict(times >= AIM_TOGETHER, "20 times")
        ));
    }
    for (workload, measured) in of(results, Kind::Restart) {
        let figure = |figure: fn(&Round) -> Option<f64>| measured.spread(OS, figure);
        let (Some(start), Some(memory)) =
            (figure(|round| round.start_s), figure(|round| round.resident_mib))
        else {
            continue;
        };
        out.push_str(&format!(
            "\nKilled and started again with {}: the first CONNACK comes after **{:.1} s**, with {:.0} \
             MiB resident; {}.\n",
            workload.title,
            start.median,
            memory.median,
            verdict(start.median <= AIM_RESTART_S, "10 s")
        ));
    }
    out
}

/// The measured workloads of a kind, with what they are.
fn of(results: &Results, kind: Kind) -> impl Iterator<Item = (&'static Workload, &Measured)> {
    results.workloads.iter().filter_map(move |measured| {
        let workload = workloads::ALL.iter().find(|workload| workload.name == measured.name)?;
        (workload.kind == kind).then_some((workload, measured))
    })
}

fn processor_time(measured: &Measured, level: &str) -> Option<f64> {
    Some(measured.spread(level, |round| round.broker_us)?.median)
}

fn rate(measured: &Measured, level: &str) -> Option<f64> {
    Some(measured.spread(level, |round| Some(round.rate))?.median)
}

fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(of? / to?).filter(|ratio| ratio.is_finite())
}

fn verdict(is_reached: bool, aim: &str) -> String {
    format!("aim {aim}, {}", if is_reached { "reached" } else { "not reached" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_compared_and_held_against_the_aims() {
        let round = |rate| Round { rate, broker_us: Some(1e6 / rate), ..Round::default() };
        let measured = |name: &str, rates: [f64; 3]| Measured {
            name: name.into(),
            brokers: [OFF, OS, FSYNC]
                .into_iter()
                .zip(rates)
                .map(|(level, rate)| (level.to_owned(), vec![round(rate)]))
                .collect(),
            ..Measured::default()
        };
        let full = Round { start_s: Some(2.5), resident_mib: Some(300.0), ..Round::default() };
        let restart = Measured {
            name: "stored-restart".into(),
            brokers: [(OS.to_owned(), vec![full])].into(),
            ..Measured::default()
        };
        let results = Results {
            workloads: vec![
                measured("stored-online-20", [500_000.0, 400_000.0, 300_000.0]),
                measured("stored-offline-20", [500_000.0, 300_000.0, 1000.0]),
                measured(ALONE, [1000.0, 1000.0, 100.0]),
                measured(TOGETHER, [1000.0, 1000.0, 2500.0]),
                restart,
            ],
            ..Results::default()
        };
        let text = figures(&results);
        for part in [
            "| 500 k/s, 2.00 µs each | 400 k/s, 2.50 µs each | 300 k/s, 3.33 µs each \
             | **80 %**; aim 70 %, reached |",
            "**60 %**; aim 70 %, not reached |",
            "reach **25.0 times** the rate of one; aim 20 times, reached.",
            "the first CONNACK comes after **2.5 s**, with 300 MiB resident; aim 10 s, reached.",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
        assert_eq!(figures(&Results::default()), "", "nothing measured, nothing said");
    }
}
