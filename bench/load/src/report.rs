//! What is printed in the end: one JSON object.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Nanoseconds up to a minute, to three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}

/// The percentiles that tables show, in microseconds; null where nothing was recorded.
pub(crate) fn latency(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    json!({
        "count": histogram.len(),
        "p50": at(0.50),
        "p90": at(0.90),
        "p99": at(0.99),
        "p99_9": at(0.999),
        "max": histogram.max() as f64 / 1e3,
    })
}

/// The time between two readings of a clock, in seconds; null where one is not known.
pub(crate) fn seconds_between(before: Option<Duration>, after: Option<Duration>) -> Value {
    match (before, after) {
        (Some(before), Some(after)) => json!(after.saturating_sub(before).as_secs_f64()),
        _ => Value::Null,
    }
}
