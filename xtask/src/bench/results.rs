//! What was measured: every round of every workload with every broker, as `docs/bench.json` keeps it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What was measured, where and with what.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    /// Ours first.
    pub(super) brokers: Vec<Version>,
    pub(super) rounds: u32,
    /// Seconds that each round measured.
    pub(super) seconds: f64,
    pub(super) workloads: Vec<Measured>,
}

/// The machine, as one has to know it to compare figures.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory_gib: u64,
    pub(super) kernel: String,
}

/// A broker, and which version of it ran.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) version: String,
}

/// One workload, with what each broker did.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    /// The name in the table of workloads.
    pub(super) name: String,
    /// By broker; one that is not here can't do it.
    pub(super) brokers: BTreeMap<String, Vec<Round>>,
    /// By broker, why it has no figures.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) failures: BTreeMap<String, String>,
}

/// The figures of one round. One that the workload does not have is not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Round {
    /// Messages, or connections, that should have arrived.
    pub(super) expected: u64,
    /// How many of them did not.
    pub(super) missing: u64,
    /// Messages that came twice, or after a later one.
    #[serde(default)]
    pub(super) unexpected: u64,
    /// Messages, or connections, in one second.
    pub(super) rate: f64,
    /// The broker's processor time for each of them, in microseconds.
    pub(super) broker_us: Option<f64>,
    /// The load generator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) generator_us: Option<f64>,
    /// Resident memory in MiB.
    pub(super) resident_mib: Option<f64>,
    /// What each connection added to it, in KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) connection_kib: Option<f64>,
    /// Subscriptions that were added in one second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subscriptions_rate: Option<f64>,
    /// Seconds from the start of a broker with a full store until it has accepted a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start_s: Option<f64>,
    /// Latency in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latency_us: Option<Latency>,
}

/// Latency in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

/// Of the subscriptions that a flow begins with, as few as these tell nothing about their rate.
const SUBSCRIPTIONS_MIN: f64 = 10_000.0;

impl Round {
    /// Reads what `load` printed.
    pub(super) fn read(report: &Value) -> Result<Self> {
        let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64);
        // Connections report at the top what a flow reports of the part that was measured.
        let part = if report.get("measured").is_some() { "/measured" } else { "" };
        let of_part = |name: &str| number(&format!("{part}/{name}"));
        let count = of_part("delivered").or(number("/count")).context("it counted nothing")?;
        let seconds = of_part("seconds").context("it measured no time")?;
        let each_us =
            |seconds: Option<f64>| Some(seconds? / count * 1e6).filter(|us| us.is_finite());
        let whole = |pointer| report.pointer(pointer).and_then(Value::as_u64);
        let resident = number("/resident");
        let added = resident.zip(number("/resident_before")).map(|(after, before)| after - before);
        let subscriptions = number("/subscribing/filters").filter(|n| *n >= SUBSCRIPTIONS_MIN);
        let latency = report.get("latency_us").filter(|latency| !latency.is_null());
        Ok(Self {
            expected: whole("/expected").or(whole("/count")).unwrap_or_default(),
            missing: whole("/missing").unwrap_or_default(),
            unexpected: whole("/unexpected").unwrap_or_default(),
            rate: count / seconds,
            broker_us: each_us(of_part("broker_seconds")),
            generator_us: each_us(of_part("generator_seconds")),
            resident_mib: resident.map(|bytes| bytes / f64::from(1 << 20)),
            connection_kib: number("/count").zip(added).map(|(n, bytes)| bytes / n / 1024.0),
            subscriptions_rate: subscriptions
                .zip(number("/subscribing/seconds"))
                .map(|(filters, seconds)| filters / seconds),
            start_s: None,
            latency_us: latency.map(Latency::deserialize).transpose()?,
        })
    }
}

/// The middle, the least and the most of what several rounds gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// `None` where no round has the figure.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
        let median = (values.get(low)? + values.get(high)?) / 2.0;
        Some(Self { median, min, max })
    }
}

impl Measured {
    /// A figure of one broker over all rounds.
    pub(super) fn spread(
        &self,
        broker: &str,
        figure: impl Fn(&Round) -> Option<f64>,
    ) -> Option<Spread> {
        Spread::of(self.brokers.get(broker)?.iter().filter_map(figure))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(Spread::of([]), None);
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).unwrap();
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn what_load_prints_of_messages_becomes_figures_of_each() {
        let round = Round::read(&json!({
            "expected": 1100, "missing": 3, "unexpected": 1, "delivered": 1097,
            "measured": {"seconds": 2.0, "delivered": 1000, "broker_seconds": 0.5},
            "subscribing": {"filters": 20_000, "seconds": 0.1},
            "latency_us": null, "resident": 3 << 20, "resident_before": 1 << 20,
        }))
        .unwrap();
        assert_eq!((round.expected, round.missing, round.unexpected), (1100, 3, 1));
        assert_eq!((round.rate, round.broker_us), (500.0, Some(500.0)));
        assert_eq!((round.resident_mib, round.connection_kib), (Some(3.0), None));
        assert_eq!((round.subscriptions_rate, round.latency_us), (Some(200_000.0), None));
    }

    #[test]
    fn what_load_prints_of_connections_becomes_figures_of_each() {
        let latency = json!({"p50": 1.0, "p90": 2.0, "p99": 3.0, "p99_9": 4.0, "max": 5.0});
        let round = Round::read(&json!({
            "count": 1024, "seconds": 0.5, "broker_seconds": null, "latency_us": latency,
            "resident": 3 << 20, "resident_before": 1 << 20,
        }))
        .unwrap();
        assert_eq!((round.rate, round.broker_us), (2048.0, None));
        assert_eq!(round.connection_kib, Some(2.0));
        assert_eq!(round.latency_us.unwrap().p99, 3.0);
    }
}
