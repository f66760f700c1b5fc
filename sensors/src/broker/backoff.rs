//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// The longest pause after the first failure.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause of all.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Doubles the pause with each failure, up to a limit.
///
/// Chance takes up to half of it off, so that a thousand clients of a broker that comes back
/// don't all knock in the same instant.
#[derive(Debug)]
pub(super) struct Backoff {
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { longest: PAUSE_FIRST }
    }
}

impl Backoff {
    /// The pause after one more failure; `chance` is between 0 and 1.
    pub(super) fn next_pause(&mut self, chance: f64) -> Duration {
        let pause = self.longest.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0);
        self.longest = self.longest.saturating_mul(2).min(PAUSE_MAX);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let mut backoff = Backoff::default();
        let seconds: Vec<_> = (0..8).map(|_| backoff.next_pause(0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn chance_takes_off_half_at_most() {
        for (chance, millis) in [(0.0, 1000), (0.5, 750), (1.0, 500), (7.0, 500), (-7.0, 1000)] {
            assert_eq!(Backoff::default().next_pause(chance).as_millis(), millis, "{chance}");
        }
    }
}
