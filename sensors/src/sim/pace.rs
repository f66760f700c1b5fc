//! A steady rate: which messages are due, and which have come too late to be sent.
//!
//! Messages are numbered, and each has its moment. Time is an argument; nothing here sleeps.

use std::ops::Range;
use std::time::Duration;

/// What is later than this is left out and counted, so that what is sent is never old and a
/// program that can't keep up does not fall further and further behind.
const LATE_MAX: Duration = Duration::from_secs(1);

/// Hands out the numbers of messages at a rate.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    /// The first message that has been neither handed out nor left out.
    next: u64,
    /// Messages that came too late.
    left_out: u64,
}

impl Pace {
    pub(super) fn new(per_second: f64) -> Self {
        Self { per_second, next: 0, left_out: 0 }
    }

    /// The numbers of the messages that are due and not too late. `elapsed` is since the start.
    pub(super) fn due(&mut self, elapsed: Duration) -> Range<u64> {
        let due = self.number_at(elapsed);
        let earliest = elapsed.checked_sub(LATE_MAX).map_or(0, |late| self.number_at(late));
        self.left_out = self.left_out.saturating_add(earliest.saturating_sub(self.next));
        let range = self.next.max(earliest)..due.max(self.next).max(earliest);
        self.next = range.end;
        range
    }

    /// Passes over what is due, because there is nobody to send it to.
    pub(super) fn skip(&mut self, elapsed: Duration) {
        self.next = self.next.max(self.number_at(elapsed));
    }

    /// When the next message is due, since the start.
    pub(super) fn next_at(&self) -> Duration {
        self.moment(self.next)
    }

    /// When a message is due, since the start.
    pub(super) fn moment(&self, number: u64) -> Duration {
        Duration::try_from_secs_f64(number as f64 / self.per_second).unwrap_or(Duration::MAX)
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The first message that is not due yet.
    fn number_at(&self, elapsed: Duration) -> u64 {
        let numbers_before = (elapsed.as_secs_f64() * self.per_second).floor() as u64;
        numbers_before.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Numbers handed out and left out over a time, looked at at these moments.
    fn walk(per_second: f64, moments: impl IntoIterator<Item = Duration>) -> (u64, u64) {
        let mut pace = Pace::new(per_second);
        let mut handed_out = 0;
        let mut next = 0;
        for moment in moments {
            let due = pace.due(moment);
            assert!(due.start >= next && due.end >= due.start, "{due:?} after {next}");
            assert!(pace.next_at() >= pace.moment(due.start));
            next = due.end;
            handed_out += due.end - due.start;
        }
        (handed_out, pace.left_out())
    }

    #[test]
    fn the_first_message_is_due_at_once_and_the_rest_at_the_rate() {
        let mut pace = Pace::new(2.0);
        assert_eq!(pace.due(Duration::ZERO), 0..1);
        assert_eq!(pace.next_at(), 500 * MS);
        assert_eq!(pace.due(499 * MS), 1..1);
        assert_eq!(pace.due(500 * MS), 1..2);
        assert_eq!(pace.due(1_250 * MS), 2..3);
        assert_eq!(pace.left_out(), 0);
    }

    #[test]
    fn the_rate_is_kept_over_an_hour_however_it_is_looked_at() {
        for seed in 0..50 {
            let mut random = fastrand::Rng::with_seed(seed);
            let per_second = 10.0_f64.powf(random.f64() * 6.0 - 1.0);
            let hour = Duration::from_secs(3_600);
            let mut elapsed = Duration::ZERO;
            let looks = std::iter::from_fn(|| {
                if elapsed == hour {
                    return None;
                }
                elapsed = (elapsed + MS.mul_f64(1.0 + random.f64() * 900.0)).min(hour);
                Some(elapsed)
            });
            let (handed_out, left_out) = walk(per_second, looks);
            let expected = (per_second * 3_600.0).floor() as u64 + 1;
            assert_eq!((handed_out, left_out), (expected, 0), "seed {seed}, {per_second}/s");
        }
    }

    #[test]
    fn what_comes_too_late_is_left_out_and_counted() {
        // Half of the time nobody looks: three of every four seconds are older than one second.
        let looks = (0..10).map(|n| Duration::from_secs(n * 4));
        let (handed_out, left_out) = walk(100.0, looks);
        assert_eq!(handed_out + left_out, 3_601);
        assert_eq!(handed_out, 1 + 9 * 100);
    }

    #[test]
    fn an_outage_is_passed_over_and_not_counted() {
        let mut pace = Pace::new(1_000.0);
        pace.due(500 * MS);
        pace.skip(Duration::from_secs(60));
        assert_eq!(pace.due(Duration::from_micros(60_002_500)), 60_001..60_003);
        assert_eq!(pace.left_out(), 0);
    }

    #[test]
    fn no_time_is_too_long() {
        let mut pace = Pace::new(100_000.0);
        let due = pace.due(Duration::MAX);
        assert!(due.start <= due.end);
        let _ = (pace.next_at(), pace.due(Duration::MAX));
    }
}
