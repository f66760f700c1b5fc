//! How long to wait before the next attempt at something that failed.

use std::time::Duration;

/// Doubles the pause with each failure, up to a limit.
///
/// Chance takes up to half of it off, so that a thousand clients of a server that comes back
/// don't all knock in the same instant.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    longest: Duration,
}

impl Backoff {
    /// The longest pause after the first failure, and the longest of all.
    pub(crate) const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, longest: first }
    }

    /// The pause after one more failure; `chance` is between 0 and 1.
    pub(crate) fn next_pause(&mut self, chance: f64) -> Duration {
        let pause = self.longest.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0);
        self.longest = self.longest.saturating_mul(2).min(self.max);
        pause
    }

    /// It works again: the next failure is the first one.
    pub(crate) fn reset(&mut self) {
        self.longest = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff::new(Duration::from_secs(1), Duration::from_secs(30))
    }

    #[test]
    fn pauses_double_up_to_the_limit() {
        let mut backoff = backoff();
        let seconds: Vec<_> = (0..8).map(|_| backoff.next_pause(0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.next_pause(0.0).as_secs(), 1);
    }

    #[test]
    fn chance_takes_off_half_at_most() {
        for (chance, millis) in [(0.0, 1000), (0.5, 750), (1.0, 500), (7.0, 500), (-7.0, 1000)] {
            assert_eq!(backoff().next_pause(chance).as_millis(), millis, "{chance}");
        }
    }
}
